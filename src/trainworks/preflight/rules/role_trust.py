"""TW26: whom a role trusts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import tests_of
from trainworks.aws.iam.partial.statements import Statement, service_principals
from trainworks.aws.iam.partial.trust import may_assume, trusted_services
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.role_uses import RoleUse, role_uses_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_SENDS_SOURCE = frozenset(
    {
        "bedrock.amazonaws.com",
        "codebuild.amazonaws.com",
        "codepipeline.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "events.amazonaws.com",
        "pipes.amazonaws.com",
        "sagemaker.amazonaws.com",
        "scheduler.amazonaws.com",
        "states.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
    }
)
"""Services whose guides show `aws:SourceAccount` in the trust policy ("cross-service confused deputy prevention").

EC2, Lambda, API Gateway, Glue and Backup send no such key when they assume a role: bound to one, it is useless to them.
"""
_SENDS_NO_SOURCE = frozenset({"ec2.amazonaws.com"})
_SOURCE_KEYS = frozenset(
    {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner"}
)
_SERVICE = re.compile(
    r"\*|[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.(com|com\.cn|eu)|aws\.internal|amazon\.com|[a-z0-9.-]+\.(gov|uk))"
)


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for role in graph.of_type("AWS::IAM::Role"):
        statements = [each for each in permissions_of(graph).trust(role) if each.allows]
        yield from _misspelt(role, statements)
        yield from _unbound(role, statements)
    yield from _wrong_principals(graph)


def _misspelt(role: Resource, statements: Sequence[Statement]) -> Iterator[Fault]:
    for statement in statements:
        for service in service_principals(statement.principal):
            if not isinstance(service, Unknown) and not _SERVICE.fullmatch(service):
                yield Fault(
                    role,
                    f"trusts {service}, which is not a service of AWS: IAM refuses the role",
                    service,
                    "name the service as in sagemaker.amazonaws.com",
                )


def _unbound(role: Resource, statements: Sequence[Statement]) -> Iterator[Fault]:
    """All services of a role that nothing binds are one fault, in the same words for each role."""
    unbound: dict[str, None] = {}
    for statement in statements:
        if statement.condition and not isinstance(statement.condition, Mapping):
            continue  # what decides it is known at the deploy alone
        keys = {key for _, key, _ in tests_of(statement.condition or {})}
        for service in service_principals(statement.principal):
            if service in _SENDS_SOURCE and not keys & _SOURCE_KEYS:
                unbound[service] = None
            elif service in _SENDS_NO_SOURCE and keys & _SOURCE_KEYS:
                yield Fault(
                    role,
                    f"trusts {service} under a condition on {', '.join(sorted(keys & _SOURCE_KEYS))}, which that "
                    "service does not send: the role can never be assumed",
                    service,
                    "remove the condition: a role is passed to this service within the account only",
                )
    if unbound:
        yield Fault(
            role,
            "trusts a service without a condition on the account: only iam:PassRole, which works within this "
            "account, keeps resources of other accounts from using it",
            ", ".join(unbound),
            'add the condition {"StringEquals": {"aws:SourceAccount": "<this account>"}}',
            Severity.WARNING,
        )


def _wrong_principals(graph: Graph) -> Iterator[Fault]:
    told: set[tuple[Resource, str]] = set()
    for use in role_uses_of(graph):
        statements = permissions_of(graph).trust(use.role)
        if (use.role, use.service) in told or may_assume(
            statements, use.service, use.role.arn, graph.account, graph.region
        ):
            continue
        told.add((use.role, use.service))
        place = use.at if isinstance(use.at, str) else use.at.place
        yield Fault(
            use.role,
            f"does not trust {use.service}, which has to assume it for the {use.title} {place}",
            list(trusted_services(statements)),
            f"trust {use.service} in AssumeRolePolicyDocument",
            Severity.WARNING if _is_idle(graph, use) else None,
        )


def _is_idle(graph: Graph, use: RoleUse) -> bool:
    """Whether the use is a profile that nothing of the templates runs with."""
    return (
        isinstance(use.at, Resource)
        and use.at.type == "AWS::IAM::InstanceProfile"
        and not any(reference.source is not None for reference in graph.users_of(use.at))
    )


RULE = Rule(
    code="TW26",
    severity=Severity.ERROR,
    title="a role that its service cannot assume, or that no condition limits to the account",
    origin="The role exists and the deploy succeeds; the job is refused when it starts.",
    find=find,
)
