"""What the statements of a role's policies say about one action on one resource, as far as it can be known beforehand.

A statement with a condition decides only at the time of the call: then the verdict is UNDECIDED, and nobody is blamed.
Source: "Policy evaluation logic" in the IAM User Guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trainworks.aws.wildcards import matches


class Verdict(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `actions` and `resources` are patterns, inverted for NotAction and NotResource."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    inverted_actions: bool = False
    inverted_resources: bool = False
    has_condition: bool = False

    def covers(self, action: str, resource: str) -> bool:
        """Whether the statement is about this action on this resource, its condition aside."""
        named = any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
        meant = any(matches(pattern, resource) for pattern in self.resources)
        return named != self.inverted_actions and meant != self.inverted_resources


def verdict_of(statements: Iterable[Statement], action: str, resource: str) -> Verdict:
    """An explicit deny wins, then an allow; a condition leaves it open; without a statement it is denied."""
    covering = [statement for statement in statements if statement.covers(action, resource)]
    denials = [statement for statement in covering if statement.effect == "Deny"]
    allowances = [statement for statement in covering if statement.effect == "Allow"]
    if any(not statement.has_condition for statement in denials) or not allowances:
        return Verdict.DENIED
    if denials or all(statement.has_condition for statement in allowances):
        return Verdict.UNDECIDED
    return Verdict.ALLOWED


def mentions(statements: Iterable[Statement], action: str) -> bool:
    """Whether any statement allows the action at all, on whatever resource and under whatever condition."""
    return any(
        s.effect == "Allow" and any(matches(p.lower(), action.lower()) for p in s.actions) != s.inverted_actions
        for s in statements
    )


def statements_of(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a policy document as IAM gives it (already decoded)."""
    return tuple(_statement(each) for each in _listed(document.get("Statement", [])))


def _statement(body: Mapping[str, Any]) -> Statement:
    return Statement(
        effect=str(body.get("Effect", "")),
        actions=_texts(body.get("Action", body.get("NotAction", []))),
        resources=_texts(body.get("Resource", body.get("NotResource", []))),
        inverted_actions="NotAction" in body,
        inverted_resources="NotResource" in body,
        has_condition=bool(body.get("Condition")),
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in _listed(value))
