"""An update keeps the type of each resource: CloudFormation refuses a template that changes one, and says which.

Stock deletes what was there and makes the other. The request that updates a stack says which stack it is; the types are
looked at where its template is looked at (`template_gate`), of resources that are there and of those that are to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from trainworks.assembly.flaw import TYPE_CHANGED
from trainworks.twin.emulator import engine

Parameters = dict[str, Any]
Handler = Callable[[Parameters], Any]

_UPDATES = ("UpdateStack", "CreateChangeSet")
_GONE = "DELETE_COMPLETE"

_updated: ContextVar[Mapping[str, Any] | None] = ContextVar("the stack that the request updates", default=None)


def install(actions: dict[str, Handler]) -> None:
    """`actions` are CloudFormation's by name."""
    for action in _UPDATES:
        actions[action] = _knowing(actions[action])


def _knowing(stock: Handler) -> Handler:
    def handle(params: Parameters) -> Any:
        name = engine.module("services.cloudformation.helpers")._p(params, "StackName")
        with updating(engine.module("services.cloudformation.handlers")._resolve_stack(name) if name else None):
            return stock(params)

    return handle


@contextmanager
def updating(stack: Mapping[str, Any] | None) -> Iterator[None]:
    """Templates that are looked at within the block are for `stack`; None: for a stack that is being created."""
    token = _updated.set(stack)
    try:
        yield
    finally:
        _updated.reset(token)


def refusal(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> str:
    """What CloudFormation answers where a resource of the stack that is updated would get another type, or nothing."""
    stack = _updated.get()
    if stack is None or stack.get("StackStatus") == _GONE:
        return ""
    rows: Mapping[str, Mapping[str, Any]] = stack.get("_resources") or {}
    changed = [
        logical_id
        for logical_id, body in (template.get("Resources") or {}).items()
        if conditions.get(body.get("Condition", ""), True) and _differs(rows.get(logical_id), body["Type"])
    ]
    return f"{TYPE_CHANGED} [{', '.join(changed)}]" if changed else ""


def _differs(row: Mapping[str, Any] | None, type_name: str) -> bool:
    return row is not None and row.get("ResourceStatus") != _GONE and row.get("ResourceType") != type_name
