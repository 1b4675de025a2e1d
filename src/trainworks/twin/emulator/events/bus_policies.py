"""The policy of an event bus: PutPermission adds one statement or replaces the whole document.

Stock takes no document, keeps principals and conditions in a form that no policy has, and gives permissions to buses
that are not there. After PutPermission in the API reference of EventBridge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.aws.iam.documents import VARIABLES_VERSION
from trainworks.twin.ports import ApiError

_OF_A_STATEMENT = ("StatementId", "Action", "Principal")
_LONGEST = 10_240


def install(eventbridge: Any) -> None:
    """EventBridge was loaded."""

    def put_permission(data: Mapping[str, Any]) -> Any:
        try:
            name = str(data.get("EventBusName") or "default")
            if name not in eventbridge._event_buses:
                raise ApiError("ResourceNotFoundException", f"Event bus {name} does not exist.")
            arn = eventbridge._event_buses[name]["Arn"]
            policy = _with(eventbridge._event_bus_policies.get(name), data, arn)
            if len(json.dumps(policy, separators=(",", ":"))) > _LONGEST:
                raise ApiError("PolicyLengthExceededException", f"The policy of a bus has {_LONGEST} bytes at most.")
            eventbridge._event_bus_policies[name] = policy
        except ApiError as error:
            return eventbridge.error_response_json(error.code, error.message, error.status)
        return eventbridge.json_response({})

    eventbridge._put_permission = put_permission


def with_statement(policy: Mapping[str, Any] | None, statement: Mapping[str, Any]) -> dict[str, Any]:
    """The policy with a statement, in the place of the one that has its id."""
    kept = (policy or {}).get("Statement", [])
    others = [each for each in (kept if isinstance(kept, list) else [kept]) if each.get("Sid") != statement["Sid"]]
    return {"Version": VARIABLES_VERSION, **(policy or {}), "Statement": [*others, statement]}


def _with(policy: Mapping[str, Any] | None, data: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """The policy after the request."""
    if data.get("Policy"):
        given = [name for name in (*_OF_A_STATEMENT, "Condition") if data.get(name)]
        if given:
            raise ApiError("ValidationException", f"Policy takes the place of {', '.join(given)}; give one of the two.")
        document: dict[str, Any] = json.loads(data["Policy"])
        return document
    missing = [name for name in _OF_A_STATEMENT if not data.get(name)]
    if missing:
        raise ApiError("ValidationException", f"Without Policy, {', '.join(missing)} must be given.")
    principal = str(data["Principal"])
    statement: dict[str, Any] = {
        "Sid": data["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": data["Action"],
        "Resource": arn,
    }
    condition = data.get("Condition")
    if condition:
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return with_statement(policy, statement)
