"""Tags of SageMaker's resources, of every kind by one door: AddTags, ListTags, DeleteTags, and those that come with a
Create operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.ports import Caller, ControlPlane
from trainworks.twin.recorded import RecordedStore, Rows
from trainworks.twin.recorded.tags import request_keys, resource_keys
from trainworks.twin.services.sagemaker.refusals import invalid, not_found
from trainworks.twin.wire import Call, Operation, executed, page

MAX_TAGS = 50

Exists = Callable[[Rows, str], bool]
"""Whether there is a resource with this ARN."""


class Tagging:
    """`owners` say, for the ARNs of a resource type (`training-job`), whether there is such a resource."""

    def __init__(self, store: RecordedStore, control_plane: ControlPlane, owners: Mapping[str, Exists]) -> None:
        self._store = store
        self._control_plane = control_plane
        self._owners = owners

    def operations(self) -> Mapping[str, Operation]:
        note = f"Of {', '.join(self._owners)}."
        return {
            "AddTags": executed(self.add_tags, note),
            "ListTags": executed(self.list_tags, note),
            "DeleteTags": executed(self.delete_tags, note),
        }

    def add_tags(self, call: Call) -> dict[str, Any]:
        added = tags_given(call)
        arn, exists = self._owned(call, request_keys(added))

        def work(rows: Rows) -> dict[str, str]:
            _check_exists(exists, rows, arn)
            tags = {**rows.tags(arn), **added}
            check_tag_count(tags)
            rows.put_tags(arn, added)
            return tags

        return {"Tags": tag_list(self._store.change(work))}

    def list_tags(self, call: Call) -> dict[str, Any]:
        arn, exists = self._owned(call)
        with self._store.look() as rows:
            _check_exists(exists, rows, arn)
            tags = tag_list(rows.tags(arn))
        chosen, token = page(
            tags,
            key=lambda tag: [tag["Key"]],
            limit=call.params.get("MaxResults", MAX_TAGS),
            token=call.params.get("NextToken"),
            request=call.params,
        )
        return {"Tags": chosen, "NextToken": token}

    def delete_tags(self, call: Call) -> dict[str, Any]:
        keys: Sequence[str] = call.params["TagKeys"]
        arn, exists = self._owned(call, {"aws:TagKeys": list(keys)})

        def work(rows: Rows) -> None:
            _check_exists(exists, rows, arn)
            rows.delete_tags(arn, keys)

        self._store.change(work)
        return {}

    def _owned(self, call: Call, context: Mapping[str, Any] | None = None) -> tuple[str, Exists]:
        """The ARN that a call is about, and who knows it. Raises where the caller may not, and for other types."""
        arn = str(call.params["ResourceArn"])
        authorize_on(self._control_plane, call, arn, self._store.tags, context)
        exists = self._owners.get(parts_of_arn(arn).resource.partition("/")[0])
        if exists is None:
            raise invalid(f"trainworks has tags of {', '.join(self._owners)} only, not of {arn}")
        return arn, exists


def authorize_create(  # noqa: PLR0917 - who creates what, with which tags
    control_plane: ControlPlane,
    caller: Caller,
    action: str,
    arn: str,
    tags: Mapping[str, str],
    context: Mapping[str, Any] | None = None,
) -> None:
    """Raise unless `caller` may create the resource and, if it has tags, may tag it."""
    keys = {**(context or {}), **request_keys(tags)}
    control_plane.authorize(caller, f"sagemaker:{action}", arn, keys)
    if tags:
        control_plane.authorize(caller, "sagemaker:AddTags", arn, keys)


def authorize_on(
    control_plane: ControlPlane,
    call: Call,
    arn: str,
    tags_of: Callable[[str], Mapping[str, str]],
    context: Mapping[str, Any] | None = None,
) -> None:
    """Raise unless the caller may do on the resource, which has the tags that `tags_of` finds, what it asks for."""
    of_resource = {} if call.caller.is_root else resource_keys(tags_of(arn), "sagemaker")
    control_plane.authorize(call.caller, f"sagemaker:{call.operation}", arn, {**of_resource, **(context or {})})


def tags_given(call: Call) -> dict[str, str]:
    """The tags in a request, by key; CloudFormation alone may set those that AWS reserves."""
    tags: Sequence[Mapping[str, str]] = call.params.get("Tags", [])
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid("Duplicate tag keys are not allowed.")
    if not call.is_internal and any(key.lower().startswith("aws:") for key in keys):
        raise invalid("Tag keys starting with 'aws:' are reserved.")
    return {tag["Key"]: tag["Value"] for tag in tags}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def check_tag_count(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise invalid(f"A resource can have at most {MAX_TAGS} tags; this would make {len(tags)}.")


def _check_exists(exists: Exists, rows: Rows, arn: str) -> None:
    if not exists(rows, arn):
        raise not_found()
