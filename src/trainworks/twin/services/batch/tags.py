"""Tags of Batch resources, by ARN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any

from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

MAX_TAGS = 50


def put_tags(tx: Connection, arn: str, tags: Mapping[str, str]) -> None:
    """Add or replace tags; raises `ClientException` beyond 50."""
    tx.executemany(SQL["tag_put"], [(arn, key, value) for key, value in tags.items()])
    if len(read_tags(tx, arn)) > MAX_TAGS:
        raise ApiError("ClientException", f"A resource can have at most {MAX_TAGS} tags: {arn}")


def read_tags(tx: Connection, arn: str) -> dict[str, str]:
    return {row["key"]: row["value"] for row in tx.execute(SQL["tags"], (arn,))}


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
        arn = self._authorized(call, "TagResource")
        with self._database.transaction() as tx:
            _check_exists(tx, arn)
            put_tags(tx, arn, call.params["tags"])
        return {}

    def untag_resource(self, call: Call) -> Mapping[str, Any]:
        arn = self._authorized(call, "UntagResource")
        keys: Iterable[str] = call.params["tagKeys"]
        with self._database.transaction() as tx:
            _check_exists(tx, arn)
            tx.executemany(SQL["tag_delete"], [(arn, key) for key in keys])
        return {}

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        arn = self._authorized(call, "ListTagsForResource")
        with self._database.snapshot() as tx:
            _check_exists(tx, arn)
            return {"tags": read_tags(tx, arn)}

    def _authorized(self, call: Call, action: str) -> str:
        arn: str = call.params["resourceArn"]
        self._control_plane.authorize(call.caller, f"batch:{action}", arn)
        return arn


_OWNER_OF_TYPE = {
    "compute-environment": "environment_by_arn",
    "job-queue": "queue_by_arn",
    "job-definition": "definition_by_arn",
}


def _check_exists(tx: Connection, arn: str) -> None:
    """Raise `ClientException` unless the ARN is one of ours."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "batch":
        raise ApiError("ClientException", f"'{arn}' is not the ARN of an AWS Batch resource")
    resource_type, _, name = parts[5].partition("/")
    if resource_type == "job":
        found = tx.execute(SQL["job_by_id"], (name,)).fetchone()
    elif resource_type in _OWNER_OF_TYPE:
        found = tx.execute(SQL[_OWNER_OF_TYPE[resource_type]], (arn,)).fetchone()
    else:
        raise ApiError("ClientException", f"trainworks has no AWS Batch resource of type '{resource_type}': {arn}")
    if found is None:
        raise ApiError("ClientException", f"The resource {arn} does not exist", 404)
