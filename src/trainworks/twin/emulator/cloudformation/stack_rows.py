"""Rows of resources that a stack had: after the roll-back of a creation and after a deletion they are still described.

Stock forgets a resource when it is gone. What became of each stands in the stack's events, so that the rows are read
from there: `DELETE_COMPLETE`, or `DELETE_SKIPPED` for what was retained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainworks.twin.emulator import engine

_READERS = ("ListStackResources", "DescribeStackResources", "DescribeStackResource")
_ENDED = ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")


def install() -> None:
    """CloudFormation was loaded: let its readers see what is gone."""
    table = engine.service("cloudformation")._ACTION_HANDLERS
    for action in _READERS:
        table[action] = _with_gone(table[action])


def _with_gone(stock: Callable[..., Any]) -> Callable[..., Any]:
    def read(params: dict[str, Any]) -> Any:
        name = engine.module("services.cloudformation.helpers")._p(params, "StackName")
        stack = engine.module("services.cloudformation.handlers")._resolve_stack(name)
        if stack is None or stack["StackStatus"] not in _ENDED:
            return stock(params)
        kept = stack["_resources"]
        stack["_resources"] = {**gone(stack), **kept}
        try:
            return stock(params)
        finally:
            stack["_resources"] = kept

    return read


def gone(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each resource of the stack came to, by logical id, in the order in which they were begun."""
    rows: dict[str, dict[str, Any]] = {}
    for event in engine.service("cloudformation")._stack_events.get(stack["StackId"], []):
        logical_id, status = event["LogicalResourceId"], event["ResourceStatus"]
        if logical_id == stack["StackName"]:
            continue
        row = rows.setdefault(logical_id, {"PhysicalResourceId": "", "ResourceType": event["ResourceType"]})
        row["PhysicalResourceId"] = event.get("PhysicalResourceId") or row["PhysicalResourceId"]
        row |= {"LogicalResourceId": logical_id, "Timestamp": event["Timestamp"], "Properties": {}, "Attributes": {}}
        # What could not be made needs no deletion, and counts as deleted by the roll-back.
        row["ResourceStatus"] = "DELETE_SKIPPED" if status == "DELETE_SKIPPED" else "DELETE_COMPLETE"
    return rows
