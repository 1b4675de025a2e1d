"""Tags of Batch resources, by ARN, in the one table for tags of all kinds; and what IAM sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.recorded import tags as stored
from trainworks.twin.recorded.tags import request_keys, resource_keys
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

MAX_TAGS = 50
read_tags = stored.tags_of
forget_tags = stored.forget_tags


def put_tags(tx: Connection, arn: str, tags: Mapping[str, str]) -> None:
    """Add or replace tags; raises `ClientException` beyond 50."""
    stored.put_tags(tx, arn, tags)
    if len(read_tags(tx, arn)) > MAX_TAGS:
        raise ApiError("ClientException", f"A resource can have at most {MAX_TAGS} tags: {arn}")


def authorize_create(control_plane: ControlPlane, call: Call, arn: str) -> None:
    """Raise unless the caller may make the resource with the tags of the request."""
    keys = request_keys(call.params.get("tags", {}))
    control_plane.authorize(call.caller, f"batch:{call.operation}", arn, keys)


def authorize_on(
    control_plane: ControlPlane,
    database: Database,
    call: Call,
    arn: str,
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Raise unless the caller may do on the resource, which has the tags that it has, what it asks for."""
    keys: dict[str, str | Sequence[str]] = dict(context or {})
    if not call.caller.is_root:
        with database.snapshot() as tx:
            keys |= resource_keys(read_tags(tx, arn))
    control_plane.authorize(call.caller, f"batch:{call.operation}", arn, keys)


class Tags:
    """TagResource, UntagResource, ListTagsForResource."""

    def __init__(self, database: Database, control_plane: ControlPlane) -> None:
        self._database = database
        self._control_plane = control_plane

    def operations(self) -> Mapping[str, Operation]:
        return {
            "TagResource": executed(self.tag_resource),
            "UntagResource": executed(self.untag_resource),
            "ListTagsForResource": executed(self.list_tags_for_resource),
        }

    def tag_resource(self, call: Call) -> Mapping[str, Any]:
        arn = self._authorized(call, request_keys(call.params["tags"]))
        with self._database.transaction() as tx:
            _check_exists(tx, arn)
            put_tags(tx, arn, call.params["tags"])
        return {}

    def untag_resource(self, call: Call) -> Mapping[str, Any]:
        keys: Sequence[str] = call.params["tagKeys"]
        arn = self._authorized(call, {"aws:TagKeys": list(keys)})
        with self._database.transaction() as tx:
            _check_exists(tx, arn)
            stored.delete_tags(tx, arn, keys)
        return {}

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        arn = self._authorized(call)
        with self._database.snapshot() as tx:
            _check_exists(tx, arn)
            return {"tags": read_tags(tx, arn)}

    def _authorized(self, call: Call, context: Mapping[str, str | Sequence[str]] | None = None) -> str:
        arn: str = call.params["resourceArn"]
        authorize_on(self._control_plane, self._database, call, arn, context)
        return arn


_OWNER_OF_TYPE = {
    "compute-environment": "environment_by_arn",
    "job-queue": "queue_by_arn",
    "job-definition": "definition_by_arn",
}


def _check_exists(tx: Connection, arn: str) -> None:
    """Raise `ClientException` unless the ARN is one of ours."""
    parts = parts_of_arn(arn)
    if parts.service != "batch":
        raise ApiError("ClientException", f"'{arn}' is not the ARN of an AWS Batch resource")
    resource_type, _, name = parts.resource.partition("/")
    if resource_type == "job":
        found = tx.execute(SQL["job_by_id"], (name,)).fetchone()
    elif resource_type in _OWNER_OF_TYPE:
        found = tx.execute(SQL[_OWNER_OF_TYPE[resource_type]], (arn,)).fetchone()
    else:
        raise ApiError("ClientException", f"trainworks has no AWS Batch resource of type '{resource_type}': {arn}")
    if found is None:
        raise ApiError("ClientException", f"The resource {arn} does not exist", 404)
