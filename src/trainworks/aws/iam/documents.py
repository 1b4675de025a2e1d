"""A policy document as records, parsed once for each text.

`parse` is for documents that were validated when they were stored: of one that cannot be read nothing is left, so it
allows nothing. `validation.py` says what is wrong with a document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from trainworks.aws.iam.conditions import Condition, parse_conditions
from trainworks.aws.iam.principals import Principal, PrincipalMatch, Principals, parse_principals
from trainworks.aws.iam.variables import Context, Template, template
from trainworks.aws.wildcards import Pattern, compiled

_MOST_KNOWN = 1024
VARIABLES_VERSION = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    An element and its `not_` form are never both there; None means that the element is not written.
    """

    sid: str
    allows: bool
    actions: tuple[Pattern, ...] | None
    not_actions: tuple[Pattern, ...] | None
    resources: tuple[Template, ...] | None
    not_resources: tuple[Template, ...] | None
    principals: Principals | None
    not_principals: Principals | None
    conditions: tuple[Condition, ...]
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def names_action(self, action: str) -> bool:
        """Whether the statement is about `action`, given in lower case. Actions are few, so answers are kept."""
        known = self._known.get(action)
        if known is None:
            known = self._names_action(action)
            if len(self._known) < _MOST_KNOWN:
                self._known[action] = known
        return known

    def _names_action(self, action: str) -> bool:
        if self.actions is not None:
            return any(pattern.matches(action) for pattern in self.actions)
        return self.not_actions is not None and not any(pattern.matches(action) for pattern in self.not_actions)

    def names_resource(self, resource: str, context: Context) -> bool:
        """Whether the statement is about `resource`. A statement without resources (a trust policy's) is about all.

        If a variable in a NotResource has no value, a Deny excludes nothing and an Allow allows nothing.
        """
        if self.resources is not None:
            for each in self.resources:  # noqa: SIM110 - as in `evaluate`
                if each.matches(resource, context):
                    return True
            return False
        if self.not_resources is None:
            return True
        patterns = [each.pattern(context) for each in self.not_resources]
        if self.allows and None in patterns:
            return False
        return not any(pattern is not None and pattern.matches(resource) for pattern in patterns)

    def holds(self, context: Context) -> bool:
        """Whether all its conditions hold."""
        return not self.conditions or all(condition.holds(context) for condition in self.conditions)

    def naming(self, principal: Principal) -> PrincipalMatch:
        """How the statement of a resource's policy names `principal`."""
        if self.principals is not None:
            return self.principals.naming(principal)
        if self.not_principals is None or self.not_principals.exempts(principal):
            return PrincipalMatch.NOT
        return PrincipalMatch.NAMED


@dataclass(frozen=True, slots=True)
class Policy:
    """A document's statements, Deny and Allow apart."""

    denies: tuple[Statement, ...]
    allows: tuple[Statement, ...]

    @classmethod
    def of(cls, statements: Sequence[Statement]) -> Policy:
        """The policy that has these statements."""
        return cls(
            tuple(each for each in statements if not each.allows), tuple(each for each in statements if each.allows)
        )

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.denies + self.allows


NOTHING = Policy((), ())


def parse(document: str | Mapping[str, Any] | None) -> Policy:
    """The policy of a document's text (or of the object that the text stands for)."""
    if not document:
        return NOTHING
    return _parsed(document if isinstance(document, str) else json.dumps(document))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Policy:
    try:
        return policy_of(json.loads(text))
    except (ValueError, RecursionError):
        return NOTHING


def policy_of(document: object) -> Policy:
    """The policy of a document that was read from JSON. Raises `ValueError` if it cannot be read."""
    if not isinstance(document, Mapping):
        raise ValueError("a policy is a JSON object")
    variables = document.get("Version") == VARIABLES_VERSION
    return Policy.of([_statement(each, variables) for each in listed(document.get("Statement"))])


def listed(value: object) -> Sequence[Any]:
    """An element's values: a list, or the single value that stands for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _statement(statement: object, variables: bool) -> Statement:
    if not isinstance(statement, Mapping):
        raise ValueError("a statement is a JSON object")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise ValueError(f"Invalid effect: {effect}")

    def actions(name: str) -> tuple[Pattern, ...] | None:
        texts = _texts(statement, name)
        return None if texts is None else tuple(compiled(text.lower()) for text in texts)

    def resources(name: str) -> tuple[Template, ...] | None:
        texts = _texts(statement, name)
        return None if texts is None else tuple(template(text, variables, True) for text in texts)

    def principals(name: str) -> Principals | None:
        return parse_principals(statement[name]) if name in statement else None

    return Statement(
        str(statement.get("Sid", "")),
        effect == "Allow",
        actions("Action"),
        actions("NotAction"),
        resources("Resource"),
        resources("NotResource"),
        principals("Principal"),
        principals("NotPrincipal"),
        parse_conditions(statement.get("Condition") or {}, variables=variables),
    )


def _texts(statement: Mapping[str, Any], name: str) -> list[str] | None:
    if name not in statement:
        return None
    texts = listed(statement[name])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} takes strings")
    return [str(text) for text in texts]
