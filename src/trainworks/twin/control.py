"""Operations that only a twin has: `POST /_trainworks/interrupt`, a spot interruption as AWS FIS would inject one.

    {"training_job_name": "digits-1", "notice_seconds": 2}      or      {"job_id": "<Batch job id>"}

answers `{"instance_ids": [...], "notice_seconds": 2}`. Requests are signed as all others; the caller needs
`ec2:SendSpotInstanceInterruptions`, the action that FIS needs on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainworks.twin.ports import ApiError, Caller, Compute, ControlPlane
from trainworks.twin.wire.call import Response
from trainworks.twin.wire.endpoint import new_request_id

INTERRUPT_PATH = "/_trainworks/interrupt"
DEFAULT_NOTICE_SECONDS = 120.0
_ACTION = "ec2:SendSpotInstanceInterruptions"

Locator = Callable[[str, Caller], Sequence[str]]
"""The ids of the instances on which a named job runs now."""


class Control:
    """Serves `/_trainworks/*`. `locators` finds instances by the request's member: `training_job_name`, `job_id`."""

    def __init__(self, control_plane: ControlPlane, compute: Compute, locators: Mapping[str, Locator]) -> None:
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
            if (method, path) != ("POST", INTERRUPT_PATH):
                raise ApiError("UnknownOperationException", f"the twin has no operation {method} {path}", 404)
            return _response(200, self._interrupt(_document(body), caller))
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
        instance_ids = list(self._locators[named[0]](name, caller))
        if not instance_ids:
            raise ApiError("ValidationException", f"{named[0]} {name!r} runs on no instance now")
        for instance_id in instance_ids:
            self._compute.interrupt(instance_id, notice)
        return {"instance_ids": instance_ids, "notice_seconds": notice}


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
