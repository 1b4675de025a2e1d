"""Policy documents as typed statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainworks.aws.iam.documents import VARIABLES_VERSION
from trainworks.aws.iam.partial.conditions import Context, Verdict, decide, stated, values_of
from trainworks.aws.iam.variables import widest
from trainworks.aws.unknown import Unknown
from trainworks.aws.wildcards import covers, covers_action

UNKNOWN = Unknown("nobody knows")


@dataclass(frozen=True)
class Statement:
    """One statement; `is_own` is False in a policy of AWS's, which its users cannot change.

    `variables`: whether `${...}` stands for a variable, as it does from version 2012-10-17 on.
    Exactly one of `actions` and `not_actions` is given, and of `resources` and `not_resources`, except in resource
    policies that say neither resource.
    """

    allows: bool
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    condition: Any = None
    principal: Any = None
    sid: str = ""
    is_own: bool = True
    not_principal: Any = None
    variables: bool = True

    @cached_property
    def _lower_actions(self) -> tuple[str, ...]:
        return tuple(action.lower() for action in self.actions)

    @cached_property
    def exact_actions(self) -> tuple[str, ...]:
        """The actions in lower case if all of them are names; empty if a pattern or an unknown one is among them."""
        if self.not_actions or any("*" in each or "?" in each or isinstance(each, Unknown) for each in self.actions):
            return ()
        return self._lower_actions

    def speaks_of(self, action: str) -> Verdict:
        """Whether `action`, a name or a pattern, falls under the statement."""
        if self.not_actions:
            return _verdict(not any(covers_action(pattern, action) for pattern in self.not_actions))
        lower = action.lower()
        if any(covers(pattern, lower) for pattern in self._lower_actions):
            return Verdict.TRUE
        unknown = any(isinstance(each, Unknown) for each in self.actions)
        return Verdict.UNDECIDED if unknown else Verdict.FALSE

    def reaches(self, resource: str, context: Context | None = None) -> Verdict:
        """Whether `resource`, an ARN or a pattern of ARNs, falls under the statement.

        `context` has what is known of the variables in its resources. A statement without resources, as in a trust
        policy, is about what it is attached to.
        """
        if self.not_resources:
            found = self._covered(self.not_resources, resource, context or {})
            if found is Verdict.FALSE and not all(self._is_settled(each, context or {}) for each in self.not_resources):
                return Verdict.UNDECIDED  # a statement whose variable has no value applies to nothing
            return {Verdict.TRUE: Verdict.FALSE, Verdict.FALSE: Verdict.TRUE}.get(found, found)
        return self._covered(self.resources, resource, context or {}) if self.resources else Verdict.TRUE

    def holds(self, context: Context) -> Verdict:
        """Whether its condition holds."""
        return decide(self.condition, context, self.variables)

    def _is_settled(self, pattern: str, context: Context) -> bool:
        """Whether the values of all variables of the pattern are known."""
        return not (self.variables and "${" in pattern) or widest(pattern, stated(context))[1]

    def _covered(self, patterns: tuple[str, ...], resource: str, context: Context) -> Verdict:
        undecided = isinstance(resource, Unknown)
        for pattern in patterns:
            if pattern == "*":
                return Verdict.TRUE
            if isinstance(pattern, Unknown):
                undecided = True
            elif self.variables and "${" in pattern:
                most, whole = widest(pattern, stated(context))
                fits = most.matches(resource)
                if fits and whole:
                    return Verdict.TRUE
                undecided = undecided or fits
            elif covers(pattern, resource):
                return Verdict.TRUE
        return Verdict.UNDECIDED if undecided else Verdict.FALSE


def _verdict(holds: bool) -> Verdict:
    return Verdict.TRUE if holds else Verdict.FALSE


def anything(allows: bool = True, is_own: bool = False) -> Statement:
    """What stands for a policy whose contents nobody here knows."""
    return Statement(allows, actions=("*",), resources=(UNKNOWN,), is_own=is_own)


def statements_of(document: Any, is_own: bool = True) -> Iterator[Statement]:
    """The statements of a policy document, resolved; unknown if it is not a policy document."""
    if not isinstance(document, Mapping):
        yield anything(is_own=is_own)
        return
    version = document.get("Version")
    variables = isinstance(version, Unknown) or str(version) == VARIABLES_VERSION
    statements = document.get("Statement", [])
    for body in statements if isinstance(statements, list) else [statements]:
        if not isinstance(body, Mapping):
            yield anything(is_own=is_own)
            continue
        yield Statement(
            allows=body.get("Effect") != "Deny",
            actions=_values(body, "Action"),
            not_actions=_values(body, "NotAction"),
            resources=_values(body, "Resource"),
            not_resources=_values(body, "NotResource"),
            condition=body.get("Condition"),
            principal=body.get("Principal"),
            sid=str(body.get("Sid", "")),
            is_own=is_own,
            not_principal=body.get("NotPrincipal"),
            variables=variables,
        )


def _values(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return values_of(body[name]) if name in body else ()


def service_principals(principal: Any) -> tuple[str, ...]:
    """The AWS services of a `Principal` element; `*` stands for anybody."""
    if principal == "*":
        return ("*",)
    if not isinstance(principal, Mapping):
        return ()
    anybody = ("*",) if "*" in values_of(principal.get("AWS", [])) else ()
    return (*anybody, *(values_of(principal["Service"]) if "Service" in principal else ()))
