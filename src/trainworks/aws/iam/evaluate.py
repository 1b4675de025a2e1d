"""The decision on one request, after "Policy evaluation logic" (IAM User Guide).

A Deny anywhere decides. Else what the resource's own policy gives to the user or session by its ARN is given; what it
gives to a role or to everyone, boundary and session policies still narrow; what it gives to the account only lets the
account's own policies speak. Between accounts both sides must allow. A key's policy and a role's trust policy must
speak in any case: nothing is allowed past them. What is allowed so has to pass the VPC endpoint that it comes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from trainworks.aws.iam.principals import Principal, PrincipalMatch
from trainworks.aws.iam.variables import Context


class Layer(StrEnum):
    """Which policies decided, in the words of AWS's messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    ENDPOINT = "VPC endpoint policy"


class Rule(Protocol):
    """What the decision needs of a statement: `documents.Statement` has it, and what `check` knows of one."""

    def names_action(self, action: str, /) -> bool: ...

    def names_resource(self, resource: str, context: Context, /) -> bool: ...

    def holds(self, context: Context, /) -> bool: ...

    def naming(self, principal: Principal, /) -> PrincipalMatch: ...


class Rules(Protocol):
    """What the decision needs of a policy: `documents.Policy` has it, and what `check` knows of one."""

    @property
    def denies(self) -> Sequence[Rule]: ...

    @property
    def allows(self) -> Sequence[Rule]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `action` as `service:Operation`, `resource` an ARN or `*`."""

    principal: Principal
    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """The policy of the resource itself. `must_allow`: nothing is allowed that it does not allow (keys, roles)."""

    policy: Rules
    account: str
    must_allow: bool = False


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """The policy of the VPC endpoint that a request comes through.

    `is_gateway`: what a gateway's policy gives to an account it gives to the root user of it alone.
    """

    policy: Rules
    is_gateway: bool = False


@dataclass(frozen=True, slots=True)
class Grants:
    """The policies of the caller's side. None for a boundary or session policies: there are none."""

    identity: Sequence[Rules] = ()
    boundary: Rules | None = None
    session: Sequence[Rules] | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not; if not, whether by a Deny (`explicit`), and which policies decided."""

    allowed: bool
    explicit: bool = False
    layer: Layer = Layer.IDENTITY

    @property
    def reason(self) -> str:
        """Why not, as AWS says it; `{action}` is filled in later."""
        article = "an" if self.layer is Layer.IDENTITY else "a"
        if self.explicit:
            return f"with an explicit deny in {article} {self.layer}"
        return f"because no {self.layer} allows the {{action}} action"


ALLOWED = Decision(True)


def decide(
    request: Request,
    grants: Grants,
    resource: ResourcePolicy | None = None,
    endpoints: Sequence[EndpointPolicy] = (),
) -> Decision:
    """Whether the request is allowed, through all of `endpoints`."""
    asked = _Asked(request)
    found = _by_grants(asked, grants, resource)
    for endpoint in endpoints:
        if found.allowed:
            found = _through(asked, endpoint)
    return found


def _through(asked: _Asked, endpoint: EndpointPolicy) -> Decision:
    if asked.any_denies_named(endpoint.policy):
        return Decision(False, True, Layer.ENDPOINT)
    naming = asked.naming(endpoint.policy.allows)
    nobody = (PrincipalMatch.NOT, PrincipalMatch.ACCOUNT) if endpoint.is_gateway else (PrincipalMatch.NOT,)
    return Decision(False, False, Layer.ENDPOINT) if naming in nobody else ALLOWED


def _by_grants(asked: _Asked, grants: Grants, resource: ResourcePolicy | None) -> Decision:
    request = asked.request
    denied = _denied(asked, grants, resource)
    if denied is not None:
        return Decision(False, True, denied)
    identity = grants.everything or asked.any_allows(grants.identity)
    limit = _limit(asked, grants)
    naming = asked.naming(resource.policy.allows) if resource is not None else PrincipalMatch.NOT
    foreign = resource is not None and resource.account not in ("", request.principal.account)
    if naming is PrincipalMatch.DIRECT and not foreign:
        return ALLOWED
    if naming is PrincipalMatch.NOT and resource is not None and (foreign or resource.must_allow):
        return Decision(False, False, Layer.RESOURCE)
    if not identity and (foreign or naming is not PrincipalMatch.NAMED):
        return Decision(False, False, Layer.IDENTITY)
    return ALLOWED if limit is None else Decision(False, False, limit)


def decide_by_resource(request: Request, policy: Rules) -> Decision:
    """What a resource's policy alone says: to a service, which has no policies of its own."""
    asked = _Asked(request)
    if asked.any_denies_named(policy):
        return Decision(False, True, Layer.RESOURCE)
    return Decision(asked.naming(policy.allows) is not PrincipalMatch.NOT, False, Layer.RESOURCE)


def statement_applies(request: Request, statement: Rule) -> bool:
    """Whether a statement is about the request and its conditions hold, whomever it names."""
    return _Asked(request).applies(statement)


def _denied(asked: _Asked, grants: Grants, resource: ResourcePolicy | None) -> Layer | None:
    if asked.any_denies(grants.identity):
        return Layer.IDENTITY
    if resource is not None and asked.any_denies_named(resource.policy):
        return Layer.RESOURCE
    if grants.boundary is not None and asked.any_denies([grants.boundary]):
        return Layer.BOUNDARY
    return Layer.SESSION if grants.session and asked.any_denies(grants.session) else None


def _limit(asked: _Asked, grants: Grants) -> Layer | None:
    """Which limit does not allow what is asked."""
    if grants.boundary is not None and not asked.any_allows([grants.boundary]):
        return Layer.BOUNDARY
    if grants.session is not None and not asked.any_allows(grants.session):
        return Layer.SESSION
    return None


@dataclass(slots=True)
class _Asked:
    """A request, with its action as patterns of actions compare it."""

    request: Request
    action: str = field(init=False)

    def __post_init__(self) -> None:
        self.action = self.request.action.lower()

    def applies(self, statement: Rule) -> bool:
        request = self.request
        return (
            statement.names_action(self.action)
            and statement.names_resource(request.resource, request.context)
            and statement.holds(request.context)
        )

    def any_allows(self, policies: Iterable[Rules]) -> bool:
        return any(self._any(policy.allows) for policy in policies)

    def any_denies(self, policies: Iterable[Rules]) -> bool:
        return any(self._any(policy.denies) for policy in policies)

    def _any(self, statements: Iterable[Rule]) -> bool:
        for statement in statements:  # noqa: SIM110 - every request comes by here; a generator costs twice as much
            if self.applies(statement):
                return True
        return False

    def any_denies_named(self, policy: Rules) -> bool:
        principal = self.request.principal
        return any(each.naming(principal) is not PrincipalMatch.NOT and self.applies(each) for each in policy.denies)

    def naming(self, statements: Iterable[Rule]) -> PrincipalMatch:
        """The nearest way in which an applying statement names the caller."""
        nearest = PrincipalMatch.NOT
        for statement in statements:
            naming = statement.naming(self.request.principal)
            if _NEARNESS[naming] > _NEARNESS[nearest] and self.applies(statement):
                nearest = naming
        return nearest


_NEARNESS = {PrincipalMatch.NOT: 0, PrincipalMatch.ACCOUNT: 1, PrincipalMatch.NAMED: 2, PrincipalMatch.DIRECT: 3}
