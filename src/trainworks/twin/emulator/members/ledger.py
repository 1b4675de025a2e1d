"""What of ministack's services is served, down to members: the generated table and what people know better.

A member is *used* (ministack or a correction of ours reads it), *recorded* (stored with what holds it and described
again, or without an effect that anybody could see) or *refused* by name, unless its value is the one that it has when
it is left out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from botocore.model import OperationModel

from trainworks.twin.emulator.members import exceptions, reading
from trainworks.twin.emulator.members.notes import (
    ADDED,
    AS_SERVED,
    KINDS,
    PRETENDED,
    RECORDED,
    RECORDED_EVERYWHERE,
    RECORDED_OPERATIONS,
    REFUSED,
    USED,
)
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES
from trainworks.twin.wire.members import Tree, first_refused, tree_of
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.validation import Problem

# What such an operation is given are instructions, and nothing is stored that could be described.
_READING = ("BatchGet", "Describe", "Filter", "Get", "List", "Search")
# Nested members arrive one by one in these protocols; in the others a document is stored as received.
_FLAT_PROTOCOLS = frozenset({"query", "ec2"})


class Ledger:
    """One service's part: the `Served` of its gate, and the source of its section of the fidelity page."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self._trees: dict[str, Tree] = {}

    def operations(self) -> Collection[str]:
        """The operations that are executed or recorded."""
        return served_operations(self.scope)

    def refused(self, operation: str, params: Mapping[str, Any]) -> str | None:
        """The path of the first member in `params` that would be ignored, or None."""
        tree = self._trees.get(operation)
        if tree is None:
            tree = self._trees[operation] = refused_tree(self.scope, operation)

        def allowed(path: str, value: object) -> bool:
            return value in AS_SERVED.get(f"{operation}.{path}", AS_SERVED.get(path, ()))

        found = first_refused(tree, params, allowed) if tree else None
        return found or _unreached(self.scope, operation, params)

    def tolerated(self, operation: str, problem: Problem) -> bool:
        """Whether AWS takes what its published model does not."""
        return exceptions.tolerated(self.scope, operation, problem)


def served_operations(scope: str) -> frozenset[str]:
    """The operations of a service that ministack handles and does not merely pretend to."""
    return frozenset(_unread()[scope]) - PRETENDED.get(scope, frozenset())


def recorded_operations(scope: str) -> frozenset[str]:
    """Those of the served operations that store and describe, and claim no behaviour."""
    names = served_operations(scope)
    if SERVICES[scope].startswith("recorded"):
        return names
    prefixes = RECORDED_OPERATIONS.get(scope, ())
    return frozenset(name for name in names if name.startswith(prefixes)) if prefixes else frozenset()


def classified(scope: str, operation: str) -> dict[str, str]:
    """`used`, `recorded` or `refused` for each member of a request, by its path."""
    model = service_model(BOTOCORE_NAMES.get(scope, scope))
    flat = model.metadata["protocol"] in _FLAT_PROTOCOLS
    unread = frozenset(_unread()[scope][operation])
    found: dict[str, str] = {}
    for path, _ in reading.paths(_operation(scope, operation)):
        parent = path.rpartition(".")[0]
        above = found.get(parent, "used")
        found[path] = above if above != "used" else _fidelity(scope, operation, path, path in unread, flat)
    return found


def refused_tree(scope: str, operation: str) -> Tree:
    """The members that are refused, without those below another one of them."""
    return tree_of(path for path, fidelity in classified(scope, operation).items() if fidelity == "refused")


def _unreached(scope: str, operation: str, params: Mapping[str, Any]) -> str | None:
    """The member, with its value, that names a target of a kind that nothing is delivered to."""
    for key, beginnings in KINDS.get(scope, {}).items():
        named, _, member = key.partition(".")
        given = params.get(member) if named == operation else None
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, str) and not value.startswith(beginnings):
                return f"{member}: {value}"
    return None


def _fidelity(scope: str, operation: str, path: str, unread: bool, flat: bool) -> str:
    for key in (f"{operation}.{path}", path):
        if key in REFUSED.get(scope, ()):
            return "refused"
        if key in USED.get(scope, ()):
            return "used"
        if key in RECORDED.get(scope, ()):
            return "recorded"
    if not unread:
        return "used"
    name = path.rpartition(".")[2]
    if name in RECORDED_EVERYWHERE or ("." in path and not flat and not operation.startswith(_READING)):
        return "recorded"
    return "refused"


def _operation(scope: str, operation: str) -> OperationModel:
    return service_model(BOTOCORE_NAMES.get(scope, scope)).operation_model(operation)


@cache
def _unread() -> dict[str, dict[str, list[str]]]:
    document: dict[str, dict[str, dict[str, list[str]]]] = json.loads(reading.TABLE.read_text(encoding="utf-8"))
    unread = document["unread"]
    for scope, names in ADDED.items():
        unread[scope] |= {name: [] for name in names}
    return unread
