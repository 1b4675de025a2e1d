"""The twin's decision (`aws.iam.evaluate`) on policies that are not fully known before the deploy.

Each statement applies to a request surely, under a condition on what is not known, perhaps, or not at all. The decision
is asked for each degree of certainty in turn, from the strictest on: what is allowed when a statement counts only if it
surely applies, and a Deny if it may, is allowed whatever the unknown values turn out to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from trainworks.aws.iam.evaluate import Grants, Request, ResourcePolicy, decide
from trainworks.aws.iam.partial.conditions import Context, Verdict, values_of
from trainworks.aws.iam.partial.statements import Statement
from trainworks.aws.iam.principals import Principal, PrincipalKind, PrincipalMatch, Principals, parse_principals
from trainworks.aws.unknown import Unknown


class PartialDecision(IntEnum):
    """From least to most: a rule reports `NO` alone. `CONDITIONAL`: under a condition on what is not known."""

    NO = 0
    UNKNOWN = 1
    CONDITIONAL = 2
    YES = 3


_LEFT_BY_DENY = {
    PartialDecision.YES: PartialDecision.NO,
    PartialDecision.CONDITIONAL: PartialDecision.CONDITIONAL,
    PartialDecision.UNKNOWN: PartialDecision.UNKNOWN,
    PartialDecision.NO: PartialDecision.YES,
}
"""What is left at most where a Deny certainly, under a condition, or perhaps applies."""

NOBODY = Principal("", "", PrincipalKind.SESSION)
"""The caller if only identity policies are looked at: they do not say who has them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement with how surely it applies to the request that is asked about, and how it names the caller."""

    statement: Statement
    strength: PartialDecision
    names: PrincipalMatch = PrincipalMatch.NAMED


@dataclass(frozen=True, slots=True)
class Judgement:
    """Statements of one policy, judged."""

    statements: Sequence[Judged]

    def at(self, least: PartialDecision) -> _Policy:
        """The policy of those that count where `least` is asked for."""
        return _Policy(
            tuple(_Rule(each) for each in self.statements if not each.statement.allows and _denies(each, least)),
            tuple(_Rule(each) for each in self.statements if each.statement.allows and each.strength >= least),
        )


@dataclass(frozen=True, slots=True)
class OwnPolicy:
    """The judged policy of the resource itself; see `aws.iam.evaluate.ResourcePolicy`."""

    judgement: Judgement
    account: str
    must_allow: bool


def evaluate(
    identity: Judgement, boundary: Judgement | None, own: OwnPolicy | None = None, principal: Principal = NOBODY
) -> PartialDecision:
    """How surely what the statements were judged for is allowed."""
    request = Request(principal, "", "", {})
    for least in (PartialDecision.YES, PartialDecision.CONDITIONAL, PartialDecision.UNKNOWN):
        grants = Grants([identity.at(least)], None if boundary is None else boundary.at(least))
        policy = None if own is None else ResourcePolicy(own.judgement.at(least), own.account, own.must_allow)
        if decide(request, grants, policy).allowed:
            return least
    return PartialDecision.NO


def judge(statements: Iterable[Statement], action: str, resource: str, context: Context) -> Judgement:
    """How surely each statement applies to `action` on `resource`; what surely does not is left out."""
    judged = (Judged(each, strength(each, action, resource, context)) for each in statements)
    return Judgement([each for each in judged if each.strength is not PartialDecision.NO])


def judge_own(
    statements: Iterable[Statement], action: str, resource: str, context: Context, principal: Principal
) -> Judgement:
    """As `judge`, for the policy of a resource: one that names an unknown principal perhaps names this one."""
    judged = []
    for each in judge(statements, action, resource, context).statements:
        names, certain = naming(each.statement, principal)
        judged.append(
            Judged(each.statement, each.strength if certain else min(each.strength, PartialDecision.UNKNOWN), names)
        )
    return Judgement(judged)


def strength(statement: Statement, action: str, resource: str, context: Context) -> PartialDecision:
    """How surely a statement applies to a request."""
    spoken = statement.speaks_of(action)
    if spoken is Verdict.FALSE:
        return PartialDecision.NO
    reached = statement.reaches(resource, context)
    if reached is Verdict.FALSE:
        return PartialDecision.NO
    held = statement.holds(context)
    if held is Verdict.FALSE:
        return PartialDecision.NO
    if Verdict.UNDECIDED in (spoken, reached):
        return PartialDecision.UNKNOWN
    return PartialDecision.CONDITIONAL if held is Verdict.UNDECIDED else PartialDecision.YES


def naming(statement: Statement, principal: Principal) -> tuple[PrincipalMatch, bool]:
    """How a statement of a resource's policy names `principal`, and whether that is sure."""
    negated = statement.principal is None
    element = statement.not_principal if negated else statement.principal
    known, whole = _principals(element)
    if known is None:
        return (PrincipalMatch.NAMED, False) if not whole else (PrincipalMatch.NOT, True)
    if negated:
        exempt = known.exempts(principal)
        # An unknown name besides the known ones may exempt the caller.
        return (PrincipalMatch.NOT, True) if exempt else (PrincipalMatch.NAMED, whole)
    found = known.naming(principal)
    return (
        (found, True)
        if whole or found in (PrincipalMatch.NAMED, PrincipalMatch.DIRECT)
        else (PrincipalMatch.NAMED, False)
    )


def _principals(element: object) -> tuple[Principals | None, bool]:
    """The known names of a Principal element, and whether these are all. None, True: it names nobody that AWS knows."""
    if element is None or isinstance(element, Unknown):
        return None, False
    names: dict[str, list[str]] = {}
    whole = True
    if isinstance(element, dict):
        for kind, given in element.items():
            values = values_of(given)
            names[str(kind)] = [each for each in values if not isinstance(each, Unknown)]
            whole = whole and len(names[str(kind)]) == len(values)
    key = "*" if element == "*" else tuple((kind, tuple(each)) for kind, each in names.items())
    return (_parsed(key), whole) if key else (None, True)


@lru_cache(maxsize=1024)
def _parsed(key: str | tuple[tuple[str, tuple[str, ...]], ...]) -> Principals | None:
    try:
        return parse_principals(key if isinstance(key, str) else {kind: list(names) for kind, names in key})
    except ValueError:
        return None


def _denies(judged: Judged, least: PartialDecision) -> bool:
    return _LEFT_BY_DENY[judged.strength] < least


@dataclass(frozen=True, slots=True)
class _Rule:
    """A judged statement that counts, as the decision asks it."""

    judged: Judged

    def names_action(self, action: str) -> bool:
        del action
        return True

    def names_resource(self, resource: str, context: object) -> bool:
        del resource, context
        return True

    def holds(self, context: object) -> bool:
        del context
        return True

    def naming(self, principal: Principal) -> PrincipalMatch:
        del principal
        return self.judged.names


@dataclass(frozen=True, slots=True)
class _Policy:
    denies: tuple[_Rule, ...]
    allows: tuple[_Rule, ...]
