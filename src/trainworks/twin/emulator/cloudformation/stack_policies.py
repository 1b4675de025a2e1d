"""Policies of resources in stacks that stock drops: those of buses and tables, kept as their operations keep them.

`AWS::Events::EventBusPolicy` is not there; the `Policy` of a bus and the `ResourcePolicy` of a table are ignored.
After the types' reference (CloudFormation), PutPermission (EventBridge) and PutResourcePolicy (DynamoDB).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.aws.iam.documents import VARIABLES_VERSION
from trainworks.aws.iam.policy_places import BUS, documents_at
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.events.bus_policies import with_statement
from trainworks.twin.emulator.iam import policy_documents
from trainworks.twin.emulator.stock import StockResource

Properties = Mapping[str, Any]


def install(table: dict[str, dict[str, Any]]) -> None:
    """CloudFormation was loaded; `table` has its handlers by type."""
    for type_name, path in (
        ("AWS::Events::EventBus", ("Policy",)),
        ("AWS::DynamoDB::Table", ("ResourcePolicy", "PolicyDocument")),
    ):
        table[type_name] = _keeping(table[type_name], path)
    table["AWS::Events::EventBusPolicy"] = {
        "create": lambda logical_id, properties, stack_name: _put_statement(properties),
        "update": lambda physical_id, old, new, *rest, **named: _put_statement(new),
        "delete": lambda physical_id, properties: _remove_statement(physical_id),
    }


def _keeping(stock: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The handlers of a type with the policy at `path`, which is kept for the ARN that the resource got."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> StockResource:
        answer: StockResource = stock["create"](logical_id, properties, stack_name)
        _keep(answer[1]["Arn"], _at(properties, path), "")
        return answer

    def update(physical_id: str, old: Properties, new: Properties, *rest: Any, **named: Any) -> StockResource:
        answer: StockResource = stock["update"](physical_id, old, new, *rest, **named)
        replaced = answer[0] != physical_id
        _keep(answer[1]["Arn"], _at(new, path), "" if replaced else _at(old, path))
        return answer

    return {**stock, "create": create, "update": update}


def _at(properties: Properties, path: tuple[str, ...]) -> str:
    """The policy's text, or ""."""
    found = next(documents_at(properties, path), "")
    return found if isinstance(found, str) else json.dumps(found)


def _keep(arn: str, policy: str, before: str) -> None:
    """Give what `arn` names its policy, or take the one that the stack gave it away."""
    if not policy and not before:
        return
    if ":event-bus/" in arn:
        events, bus = engine.service("eventbridge"), arn.rpartition("/")[2]
        removed = {"EventBusName": bus, "RemoveAllPermissions": True}
        _did(
            events._put_permission({"EventBusName": bus, "Policy": policy})
            if policy
            else events._remove_permission(removed)
        )
    else:
        dynamodb = engine.service("dynamodb")
        given = {"ResourceArn": arn, "Policy": policy}
        _did(dynamodb._put_resource_policy(given) if policy else dynamodb._delete_resource_policy({"ResourceArn": arn}))


def _put_statement(properties: Properties) -> StockResource:
    """One statement, whole or in its parts. Ref is the name of the bus and the statement's id."""
    bus, statement_id = str(properties.get("EventBusName") or "default"), str(properties["StatementId"])
    events = engine.service("eventbridge")
    parts = {name: properties[name] for name in ("Action", "Principal", "Condition") if properties.get(name)}
    if "Statement" not in properties:
        _did(events._put_permission({"EventBusName": bus, "StatementId": statement_id, **parts}))
        return f"{bus}|{statement_id}", {}
    if parts:
        raise ValueError(f"Statement takes the place of {', '.join(parts)}; give one of the two.")
    whole = properties["Statement"]
    statement = {**(json.loads(whole) if isinstance(whole, str) else whole), "Sid": statement_id}
    refusal = policy_documents.refused({"Version": VARIABLES_VERSION, "Statement": [statement]}, BUS)
    if refusal is not None:
        raise ValueError(f"{refusal.message} ({refusal.code})")
    policy = with_statement(events._event_bus_policies.get(bus), statement)
    _did(events._put_permission({"EventBusName": bus, "Policy": json.dumps(policy)}))
    return f"{bus}|{statement_id}", {}


def _remove_statement(physical_id: str) -> None:
    bus, _, statement_id = physical_id.rpartition("|")
    _did(engine.service("eventbridge")._remove_permission({"EventBusName": bus, "StatementId": statement_id}))


def _did(answer: tuple[int, Any, bytes]) -> None:
    """Raise `ValueError` with what an operation refused."""
    status, _, body = answer
    if status >= 400:
        error = json.loads(body)
        raise ValueError(f"{error.get('message') or error.get('Message')} ({error.get('__type')})")
