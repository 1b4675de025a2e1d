"""Log groups and log streams: made, described, kept for a set time, tagged, deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError
from trainworks.twin.services.logs.blocks import SQL
from trainworks.twin.services.logs.reading import END_OF_TIME
from trainworks.twin.services.logs.request import (
    Requests,
    behind,
    check_group_name,
    check_stream_name,
    check_tags,
    decode_token,
    encode_token,
    group_arn,
    invalid,
    name_of_identifier,
    scope_of,
)
from trainworks.twin.wire import Call, Operation, executed, recorded

RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
_PAGE, _SEARCHED = 50, 500
_LAST_NAME = "\U0010ffff"


class Groups:
    """The operations on groups and streams."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._store = requests.store

    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateLogGroup": executed(
                self.create_log_group, "Log classes and keys are recorded: events are not encrypted on disk."
            ),
            "DeleteLogGroup": executed(self.delete_log_group),
            "DescribeLogGroups": executed(self.describe_log_groups, refused_members=("accountIdentifiers",)),
            "ListLogGroups": executed(
                self.list_log_groups,
                refused_members=("accountIdentifiers", "dataSources", "fieldIndexNames", "logGroupTags"),
            ),
            "PutRetentionPolicy": executed(self.put_retention_policy, "Older events are no longer shown, and removed."),
            "DeleteRetentionPolicy": executed(self.delete_retention_policy),
            "PutLogGroupDeletionProtection": executed(self.put_log_group_deletion_protection),
            "AssociateKmsKey": recorded(self.associate_kms_key, refused_members=("resourceIdentifier",)),
            "DisassociateKmsKey": recorded(self.disassociate_kms_key, refused_members=("resourceIdentifier",)),
            "TagLogGroup": executed(self.tag_log_group),
            "UntagLogGroup": executed(self.untag_log_group),
            "ListTagsLogGroup": executed(self.list_tags_log_group),
            "TagResource": executed(self.tag_resource, "Log groups alone have tags here."),
            "UntagResource": executed(self.untag_resource),
            "ListTagsForResource": executed(self.list_tags_for_resource),
            "CreateLogStream": executed(self.create_log_stream),
            "DeleteLogStream": executed(self.delete_log_stream),
            "DescribeLogStreams": executed(self.describe_log_streams),
        }

    # -- groups -------------------------------------------------------------------------------------------------------

    def create_log_group(self, call: Call) -> dict[str, Any]:
        """Raises `InvalidParameterException` for a reserved name, `ResourceAlreadyExistsException`."""
        name, tags = call.params["logGroupName"], call.params.get("tags", {})
        check_group_name(name)
        check_tags(tags, is_internal=call.is_internal)
        self._requests.authorize(call, name)
        if tags:
            self._requests.authorize(call, name, action="TagResource")
        made = self._store.create_group(
            scope_of(call.caller),
            name,
            tags=tags,
            kms_key=call.params.get("kmsKeyId"),
            protected=int(call.params.get("deletionProtectionEnabled", False)),
            **{"class": call.params.get("logGroupClass", "STANDARD")},
        )
        if not made:
            raise ApiError("ResourceAlreadyExistsException", "The specified log group already exists")
        return {}

    def delete_log_group(self, call: Call) -> dict[str, Any]:
        group = self._requests.group(call)
        if group["protected"]:
            raise ApiError(
                "ValidationException",
                f"The log group {group['name']} is protected against deletion; turn that off first.",
            )
        self._store.delete_group(group)
        return {}

    def describe_log_groups(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        _refuse_linked_accounts(call)
        prefix, pattern = call.params.get("logGroupNamePrefix"), call.params.get("logGroupNamePattern")
        identifiers = call.params.get("logGroupIdentifiers")
        if sum(each is not None for each in (prefix, pattern, identifiers)) > 1:
            raise invalid("logGroupNamePrefix, logGroupNamePattern and logGroupIdentifiers exclude one another.")
        wanted = call.params.get("logGroupClass")
        names = {name_of_identifier(each, call.caller) for each in identifiers or []}

        def keeps(group: Row) -> bool:
            return (
                (wanted is None or group["class"] == wanted)
                and (pattern is None or pattern in group["name"])
                and (identifiers is None or group["name"] in names)
            )

        groups, token = self._page(call, prefix or "", keeps, call.params.get("limit", _PAGE))
        shown = [self._description(call, group) for group in groups]
        if pattern is not None:
            shown = [
                {name: each[name] for name in ("arn", "creationTime", "logGroupName", "logGroupArn")} for each in shown
            ]
        return {"logGroups": shown} | token

    def list_log_groups(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        _refuse_linked_accounts(call)
        pattern, wanted = call.params.get("logGroupNamePattern", ""), call.params.get("logGroupClass")
        anchored = pattern.startswith("^")
        alternatives = [each.removeprefix("^") for each in pattern.split("|")]

        def keeps(group: Row) -> bool:
            name = group["name"]
            found = any(name.startswith(each) if anchored else each in name for each in alternatives)
            return found and (wanted is None or group["class"] == wanted)

        groups, token = self._page(call, "", keeps, call.params.get("limit", _PAGE))
        return {
            "logGroups": [
                {
                    "logGroupName": group["name"],
                    "logGroupArn": group_arn(call.caller, group["name"]),
                    "logGroupClass": group["class"],
                }
                for group in groups
            ]
        } | token

    def put_retention_policy(self, call: Call) -> dict[str, Any]:
        group, days = self._requests.group(call), call.params["retentionInDays"]
        if days not in RETENTION_DAYS:
            allowed = ", ".join(map(str, RETENTION_DAYS))
            raise invalid(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{allowed}]"
            )
        self._store.change_group(group, "set_retention", days)
        return {}

    def delete_retention_policy(self, call: Call) -> dict[str, Any]:
        self._store.change_group(self._requests.group(call), "set_retention", None)
        return {}

    def put_log_group_deletion_protection(self, call: Call) -> dict[str, Any]:
        name = name_of_identifier(call.params["logGroupIdentifier"], call.caller)
        self._requests.authorize(call, name)
        group = self._requests.existing_group(call.caller, name)
        self._store.change_group(group, "set_protected", int(call.params["deletionProtectionEnabled"]))
        return {}

    def associate_kms_key(self, call: Call) -> dict[str, Any]:
        self._store.change_group(self._requests.group(call), "set_kms_key", call.params["kmsKeyId"])
        return {}

    def disassociate_kms_key(self, call: Call) -> dict[str, Any]:
        self._store.change_group(self._requests.group(call), "set_kms_key", None)
        return {}

    # -- tags ---------------------------------------------------------------------------------------------------------

    def tag_log_group(self, call: Call) -> dict[str, Any]:
        return self._add_tags(call, self._requests.group(call))

    def untag_log_group(self, call: Call) -> dict[str, Any]:
        return self._remove_tags(self._requests.group(call), call.params["tags"])

    def list_tags_log_group(self, call: Call) -> dict[str, Any]:
        return {"tags": json.loads(self._requests.group(call)["tags"])}

    def tag_resource(self, call: Call) -> dict[str, Any]:
        return self._add_tags(call, self._tagged(call))

    def untag_resource(self, call: Call) -> dict[str, Any]:
        return self._remove_tags(self._tagged(call), call.params["tagKeys"])

    def list_tags_for_resource(self, call: Call) -> dict[str, Any]:
        return {"tags": json.loads(self._tagged(call)["tags"])}

    def _tagged(self, call: Call) -> Row:
        arn = call.params["resourceArn"]
        try:
            name = name_of_identifier(arn, call.caller) if arn.startswith("arn:") else ""
        except ApiError:
            name = ""
        if not name:
            raise ApiError("ValidationException", "Invalid resourceArn")
        self._requests.authorize_arn(call, arn, name)
        group = self._store.group(scope_of(call.caller), name)
        if group is None:
            raise ApiError("ResourceNotFoundException", f"The specified resource does not exist: {arn}")
        return group

    def _add_tags(self, call: Call, group: Row) -> dict[str, Any]:
        added: dict[str, str] = call.params["tags"]
        check_tags(added, is_internal=call.is_internal)

        def merged(tags: dict[str, str]) -> Mapping[str, str]:
            check_tags(tags | added, is_internal=True)
            return tags | added

        self._store.change_tags(group, merged)
        return {}

    def _remove_tags(self, group: Row, keys: list[str]) -> dict[str, Any]:
        self._store.change_tags(group, lambda tags: {key: value for key, value in tags.items() if key not in keys})
        return {}

    # -- streams ------------------------------------------------------------------------------------------------------

    def create_log_stream(self, call: Call) -> dict[str, Any]:
        name = call.params["logStreamName"]
        check_stream_name(name)
        if not self._store.create_stream(self._requests.group(call), name):
            raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
        return {}

    def delete_log_stream(self, call: Call) -> dict[str, Any]:
        self._store.delete_stream(self._requests.stream(call)[1])
        return {}

    def describe_log_streams(self, call: Call) -> dict[str, Any]:
        group, prefix = self._requests.group(call), call.params.get("logStreamNamePrefix", "")
        by_time = call.params.get("orderBy", "LogStreamName") == "LastEventTime"
        if by_time and prefix:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit, descending = call.params.get("limit", _PAGE), call.params.get("descending", False)
        time, name = decode_token(call, int, str) or ([END_OF_TIME, _LAST_NAME] if descending else [-1, ""])
        values = {
            "group_id": group["group_id"],
            "first": prefix,
            "behind": behind(prefix),
            "after": name,
            "before": name,
            "time": time,
            "limit": limit + 1,
        }
        query = f"streams_by_{'time' if by_time else 'name'}{'_descending' if descending else ''}"
        rows = self._store.database.read(SQL[query], values)
        shown = rows[:limit]
        answer: dict[str, Any] = {"logStreams": [self._stream_description(call, group, row) for row in shown]}
        if len(rows) > limit:
            answer["nextToken"] = encode_token([shown[-1]["last_ms"], shown[-1]["name"]], call)
        return answer

    # -- answers ------------------------------------------------------------------------------------------------------

    def _page(self, call: Call, prefix: str, keeps: Any, limit: int) -> tuple[list[Row], dict[str, str]]:
        """One page of groups by name, and its `nextToken`."""
        after = (decode_token(call, str) or [""])[0]
        account, region = scope_of(call.caller)
        values = {"account": account, "region": region, "first": prefix, "behind": behind(prefix), "limit": _SEARCHED}
        chosen: list[Row] = []
        while True:
            rows = self._store.database.read(SQL["groups_from"], {**values, "after": after})
            for row in rows:
                if keeps(row):
                    if len(chosen) == limit:
                        return chosen, {"nextToken": encode_token([chosen[-1]["name"]], call)}
                    chosen.append(row)
            if len(rows) < _SEARCHED:
                return chosen, {}
            after = rows[-1]["name"]

    def _description(self, call: Call, group: Row) -> dict[str, Any]:
        arn = group_arn(call.caller, group["name"])
        filters = (
            self._store.database.read(SQL["filters"], (group["group_id"], "metric")) if group["has_filters"] else []
        )
        shown = {
            "logGroupName": group["name"],
            "creationTime": group["created_ms"],
            "retentionInDays": group["retention_days"],
            "metricFilterCount": len(filters),
            "arn": f"{arn}:*",
            "storedBytes": group["stored_bytes"],
            "kmsKeyId": group["kms_key"],
            "logGroupClass": group["class"],
            "logGroupArn": arn,
            "deletionProtectionEnabled": bool(group["protected"]),
        }
        return {name: value for name, value in shown.items() if value is not None}

    @staticmethod
    def _stream_description(call: Call, group: Row, stream: Row) -> dict[str, Any]:
        shown = {
            "logStreamName": stream["name"],
            "creationTime": stream["created_ms"],
            "firstEventTimestamp": stream["first_ms"],
            "lastEventTimestamp": stream["last_ms"] or None,
            "lastIngestionTime": stream["ingested_ms"],
            "uploadSequenceToken": str(stream["next_number"] + 1),
            "arn": f"{group_arn(call.caller, group['name'])}:log-stream:{stream['name']}",
            "storedBytes": 0,
        }
        return {name: value for name, value in shown.items() if value is not None}


def _refuse_linked_accounts(call: Call) -> None:
    if call.params.get("includeLinkedAccounts"):
        raise invalid("trainworks does not implement includeLinkedAccounts: the twin has one account; leave it out")
