"""Operations that only a twin has: a spot interruption as AWS FIS would inject one, and an end to what is kept.

`POST /_trainworks/interrupt`

    {"training_job_name": "digits-1", "notice_seconds": 2}      or      {"job_id": "<Batch job id>"}

answers `{"instance_ids": [...], "notice_seconds": 2}`. Requests are signed as all others; the caller needs
`ec2:SendSpotInstanceInterruptions`, the action that FIS needs on AWS.

`POST /_trainworks/prune`

    {"older_than_seconds": 604800, "dry_run": true, "after": {"batch_jobs": 0}}

answers `{"counts": {"training_jobs": 3, "batch_jobs": 99}, "freed_bytes": 12288, "more": true, "failed": {"batch_jobs":
{"ID": "why"}}}`: with `more`, ask again, with `after` saying how many of each kind to leave out: what was counted in a
dry run, else what has failed. `POST /_trainworks/retention` with `{"older_than_seconds": 604800}` or null
says how long what has ended is kept from now on, with `{}` asks. Both need `trainworks:Prune`, as the root has it.

`POST /_trainworks/image` with `{"image_uri": "..."}` makes the environment of an image, and answers at once how far
that is: `{"ready": false, "lines": ["collected torch 2.6.0", ...], "state": "installing 28 packages"}`. It needs
`trainworks:MakeImage`, as does `POST /_trainworks/images` with `{}` or `{"image_uri": "..."}`, which answers which
environments there are, those that are being made included: `{"images": [{"name": ..., "kind": "framework",
"stands_for": ["scikit-learn:1.4-2"], "versions": ..., "size_in_bytes": ..., "made_at": ..., "last_used_at": ...,
"making": ""}]}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trainworks.twin.ports import ApiError, Caller, Compute, ControlPlane
from trainworks.twin.retention import Retention
from trainworks.twin.service import Locator
from trainworks.twin.wire.call import Response
from trainworks.twin.wire.endpoint import new_request_id

INTERRUPT_PATH = "/_trainworks/interrupt"
PRUNE_PATH = "/_trainworks/prune"
RETENTION_PATH = "/_trainworks/retention"
DEFAULT_NOTICE_SECONDS = 120.0
IMAGE_PATH = "/_trainworks/image"
IMAGES_PATH = "/_trainworks/images"
_IMAGE_ACTION = "trainworks:MakeImage"
_PRUNE_ACTION = "trainworks:Prune"
_LONGEST_AGE_SECONDS = 1e10
_MOST_AFTER = 1 << 62
_ACTION = "ec2:SendSpotInstanceInterruptions"

MakeImage = Callable[[str, Caller, str], dict[str, Any]]
"""Makes the environment of an image for a caller and a waiter: `ready`, and the `lines` so far."""
MadeImages = Callable[[str], Sequence[Mapping[str, Any]]]
"""All environments, or those which stand for an image."""


class Control:
    """Serves `/_trainworks/*`. `locators` finds instances by the request's member: `training_job_name`, `job_id`."""

    def __init__(
        self,
        control_plane: ControlPlane,
        compute: Compute,
        locators: Mapping[str, Locator],
        retention: Retention,
        *,
        make_image: MakeImage,
        made_images: MadeImages,
    ) -> None:
        self._made_images = made_images
        self._make_image = make_image
        self._retention = retention
        self._control_plane = control_plane
        self._compute = compute
        self._locators = dict(locators)

    def handle(  # noqa: PLR0917 - what an HTTP request consists of
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
        body: bytes,
        caller: Caller,
    ) -> Response:
        """Answer one signed request, with errors in the form of the json protocol."""
        try:
            operations = {
                INTERRUPT_PATH: self._interrupt, PRUNE_PATH: self._prune, RETENTION_PATH: self._keep,
                IMAGE_PATH: self._image, IMAGES_PATH: self._images,
            }  # fmt: skip
            operation = operations.get(path) if method == "POST" else None
            if operation is None:
                raise ApiError("UnknownOperationException", f"the twin has no operation {method} {path}", 404)
            return _response(200, operation(_document(body), caller))
        except ApiError as error:
            return _response(error.status, {"__type": error.code, "message": error.message}, error.code)

    def _interrupt(self, request: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        named = [member for member in self._locators if member in request]
        unknown = set(request) - set(self._locators) - {"notice_seconds"}
        if len(named) != 1 or unknown:
            members = " or ".join(self._locators)
            raise ApiError(
                "ValidationException", f"give either {members}, and notice_seconds; given: {sorted(request)}"
            )
        notice = _notice_seconds(request)
        self._control_plane.authorize(caller, _ACTION, f"arn:aws:ec2:{caller.region}:{caller.account_id}:instance/*")
        name = str(request[named[0]])
        found = self._locators[named[0]](name, caller)
        instance_ids = [instance_id for instance_id in found if self._interrupt_instance(instance_id, notice)]
        if not instance_ids:
            raise ApiError("ValidationException", f"{named[0]} {name!r} runs on no instance now")
        return {"instance_ids": instance_ids, "notice_seconds": notice}

    def _interrupt_instance(self, instance_id: str, notice_seconds: float) -> bool:
        """Interrupt an instance; False if it has ended since it was found."""
        try:
            self._compute.interrupt(instance_id, notice_seconds)
        except LookupError:
            return False
        return True

    def _prune(self, request: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self._control_plane.authorize(caller, _PRUNE_ACTION, "*")
        _check_members(request, {"older_than_seconds", "dry_run", "after"})
        after, dry_run = request.get("after", {}), request.get("dry_run", False)
        numbers = after.values() if isinstance(after, dict) else [None]
        if not isinstance(dry_run, bool) or any(
            type(each) is not int or not 0 <= each < _MOST_AFTER for each in numbers
        ):
            raise ApiError("ValidationException", "after is a whole number by kind, dry_run is true or false")
        age = _age(request.get("older_than_seconds"))
        return asdict(self._retention.prune(age, dry_run=dry_run, after=after))

    def _image(self, request: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self._control_plane.authorize(caller, _IMAGE_ACTION, "*")
        _check_members(request, {"image_uri", "waiter"})
        image_uri, waiter = request.get("image_uri"), request.get("waiter", "")
        if not isinstance(image_uri, str) or not isinstance(waiter, str):
            raise ApiError("ValidationException", "image_uri is the URI of an image, waiter a name of who asks")
        return self._make_image(image_uri, caller, f"control-{waiter}")

    def _images(self, request: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self._control_plane.authorize(caller, _IMAGE_ACTION, "*")
        _check_members(request, {"image_uri"})
        image_uri = request.get("image_uri", "")
        if not isinstance(image_uri, str):
            raise ApiError("ValidationException", "image_uri is the URI of an image")
        return {"images": list(self._made_images(image_uri))}

    def _keep(self, request: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self._control_plane.authorize(caller, _PRUNE_ACTION, "*")
        _check_members(request, {"older_than_seconds"})
        if request:
            age = request["older_than_seconds"]
            self._retention.set_age(None if age is None else _age(age))
        return {"older_than_seconds": self._retention.age_seconds}


def _check_members(request: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(request) - known):
        raise ApiError("ValidationException", f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")


def _age(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < _LONGEST_AGE_SECONDS:
        raise ApiError("ValidationException", f"older_than_seconds is a number of seconds, not {given!r}")
    return float(given)


def _notice_seconds(request: Mapping[str, Any]) -> float:
    given = request.get("notice_seconds", DEFAULT_NOTICE_SECONDS)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= DEFAULT_NOTICE_SECONDS:
        raise ApiError("ValidationException", f"notice_seconds is a number from 0 to 120, not {given!r}")
    return float(given)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ApiError("SerializationException", f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ApiError("SerializationException", "the body is not a JSON object")
    return document


def _response(status: int, document: Mapping[str, Any], error_type: str = "") -> Response:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": new_request_id()}
    if error_type:
        headers["x-amzn-ErrorType"] = error_type
    return Response(status, headers, json.dumps(document).encode())
