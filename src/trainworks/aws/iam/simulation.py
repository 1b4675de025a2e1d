"""What policies say to a request that nobody makes: the rules of `SimulateCustomPolicy` and `SimulatePrincipalPolicy`.

`evaluate.decide` decides, as it does for every real call. This adds what a simulation tells besides: which statements
decided, and which condition keys the policies need that the request was not given. After "EvaluationResult" and
"ResourceSpecificResult" (IAM API Reference).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.documents import VARIABLES_VERSION, Policy, Statement, listed, policy_of
from trainworks.aws.iam.evaluate import (
    Decision,
    Grants,
    Request,
    ResourcePolicy,
    decide,
    decide_by_resource,
    statement_applies,
)
from trainworks.aws.iam.positions import Position, statement_positions
from trainworks.aws.iam.principals import Principal, PrincipalMatch
from trainworks.aws.iam.variables import Context, variable_names

IAM_POLICY, RESOURCE_POLICY = "IAM Policy", "Resource Policy"


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy that takes part. `name` is what answers call it, `text` its document, which was validated."""

    name: str
    text: str
    kind: str = IAM_POLICY


@dataclass(frozen=True, slots=True)
class Matched:
    """A statement that decided, and where it is in the text of its policy."""

    source: PolicySource
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What came out for one action on one resource. `within_boundary` is None if there is no boundary.

    `details` has the decision of each side where the resource belongs to another account.
    """

    action: str
    resource: str
    decision: str
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]
    within_boundary: bool | None
    details: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A statement with what is told about it. `needs` are the condition keys that it names, as it spells them.

    `asks_who` is set for a resource's policy: only a statement that names the caller counts.
    """

    statement: Statement
    needs: tuple[str, ...]
    resource_needs: frozenset[str]
    matched: Matched
    asks_who: bool


class Simulation:
    """Policies, a caller and condition keys, to be asked about actions on resources."""

    def __init__(
        self,
        principal: Principal,
        context: Context,
        identity: Sequence[PolicySource],
        boundary: PolicySource | None = None,
        resource: tuple[PolicySource, str] | None = None,
    ) -> None:
        """`resource`: the policy of every resource that is asked about, and the account that owns the resources."""
        self._principal, self._context = principal, context
        self._identity = [each for source in identity for each in _placed(source)]
        self._boundary = [] if boundary is None else _placed(boundary)
        self._resource = [] if resource is None else _placed(resource[0])
        self._owner = "" if resource is None else resource[1]
        self._grants = Grants([_policy(self._identity)], _policy(self._boundary) if boundary is not None else None)
        self._policy = None if resource is None else _policy(self._resource)

    @property
    def statements(self) -> int:
        """How many statements each question is put to."""
        return len(self._identity) + len(self._boundary) + len(self._resource)

    def ask(self, action: str, resource: str) -> EvaluationResult:
        """What would come out for `action` on `resource`."""
        request = Request(self._principal, action, resource, self._context)
        policy = self._resource_policy(action, resource)
        found = decide(request, self._grants, policy)
        return EvaluationResult(
            action,
            resource,
            _word(found),
            tuple(self._matched(request, found)),
            tuple(self._missing(request)),
            self._within_boundary(request),
            self._details(request, policy) if resource != "*" else None,
        )

    def _resource_policy(self, action: str, resource: str) -> ResourcePolicy | None:
        if self._policy is None:
            return None
        must_allow = action.partition(":")[0].lower() in ("kms", "sts")
        return ResourcePolicy(self._policy, parts_of_arn(resource).account or self._owner, must_allow)

    def _matched(self, request: Request, found: Decision) -> Iterable[Matched]:
        if not found.allowed and not found.explicit:
            return
        for each in [*self._identity, *self._resource, *(self._boundary if found.explicit else [])]:
            if each.statement.allows is found.allowed and self._applies(request, each):
                yield each.matched

    def _applies(self, request: Request, each: _Placed) -> bool:
        if each.asks_who and each.statement.naming(self._principal) is PrincipalMatch.NOT:
            return False
        return statement_applies(request, each.statement)

    def _missing(self, request: Request) -> Iterable[str]:
        """The keys that statements about the request need and that it lacks, each once."""
        told: set[str] = set()
        action = request.action.lower()
        for each in (*self._identity, *self._boundary, *self._resource):
            if not each.needs or not each.statement.names_action(action):
                continue
            lacks = [key for key in each.needs if self._context.get(key.lower()) is None]
            undecided = any(key in each.resource_needs for key in lacks)
            if not undecided and not each.statement.names_resource(request.resource, self._context):
                continue
            for key in lacks:
                if key.lower() not in told:
                    told.add(key.lower())
                    yield key

    def _within_boundary(self, request: Request) -> bool | None:
        boundary = self._grants.boundary
        return None if boundary is None else decide(request, Grants([boundary])).allowed

    def _details(self, request: Request, policy: ResourcePolicy | None) -> Mapping[str, str]:
        if policy is None or policy.account in ("", self._principal.account):
            return {}
        own = _word(decide(request, self._grants))
        return {IAM_POLICY: own, RESOURCE_POLICY: _word(decide_by_resource(request, policy.policy))}


def context_keys(texts: Iterable[str]) -> list[str]:
    """The condition keys that documents name, in conditions and in variables, each once as it is first spelled."""
    found: dict[str, str] = {}
    for text in texts:
        document = json.loads(text)
        for statement in listed(document.get("Statement")):
            for key in _needs(statement, document.get("Version") == VARIABLES_VERSION)[0]:
                found.setdefault(key.lower(), key)
    return list(found.values())


def _placed(source: PolicySource) -> list[_Placed]:
    document = json.loads(source.text)
    version = document.get("Version")
    placed = []
    for raw, (start, end) in zip(listed(document.get("Statement")), statement_positions(source.text), strict=True):
        needs, resource_needs = _needs(raw, version == VARIABLES_VERSION)
        (statement,) = policy_of({"Version": version, "Statement": raw}).statements
        asks_who = source.kind == RESOURCE_POLICY
        placed.append(_Placed(statement, tuple(needs), resource_needs, Matched(source, start, end), asks_who))
    return placed


def _needs(statement: Mapping[str, Any], variables: bool) -> tuple[list[str], frozenset[str]]:
    """The keys that a statement names, and those of them that its resources do."""
    in_resources = _in_variables([*listed(statement.get("Resource")), *listed(statement.get("NotResource"))])
    in_conditions: list[str] = []
    for keys in (statement.get("Condition") or {}).values():
        for key, values in keys.items():
            in_conditions += [key, *(_in_variables(listed(values)) if variables else [])]
    needed = in_resources if variables else []
    return list(dict.fromkeys([*in_conditions, *needed])), frozenset(needed)


def _in_variables(values: Iterable[Any]) -> list[str]:
    return [name for value in values if isinstance(value, str) and "${" in value for name in variable_names(value)]


def _policy(placed: Sequence[_Placed]) -> Policy:
    return Policy.of([each.statement for each in placed])


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.explicit else "implicitDeny"
