"""Whether a service may assume a role, by the role's trust policy.

A service is known by its name (`logs.amazonaws.com`), by its name in a region (`logs.us-east-1.amazonaws.com`) and, in
China, by its name there. After "Principals for services" (IAM JSON policy elements: Principal).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainworks.aws.iam.evaluate import Request, decide_by_resource
from trainworks.aws.iam.partial.conditions import Context
from trainworks.aws.iam.partial.evaluation import PartialDecision, judge_own
from trainworks.aws.iam.partial.statements import Statement, service_principals
from trainworks.aws.iam.principals import Principal, PrincipalKind

_ASSUME = "sts:AssumeRole"
_SUFFIX = ".amazonaws.com"


def may_assume(
    statements: Sequence[Statement], service: str, role_arn: str, account: str, region: str = ""
) -> PartialDecision:
    """How surely the statements of a trust policy let `service` assume the role for something of the account.

    A condition on what will use the role is not decided: nobody knows that yet.
    """
    context: Context = {"aws:sourceaccount": account}
    return max(_one(statements, name, role_arn, context) for name in _names(service, region))


def trusted_services(statements: Iterable[Statement]) -> tuple[str, ...]:
    """The services that a trust policy names, whatever its conditions say; `*` if it trusts anybody."""
    return tuple(service for each in statements if each.allows for service in service_principals(each.principal))


def _one(statements: Sequence[Statement], service: str, role_arn: str, context: Context) -> PartialDecision:
    principal = Principal(service.lower(), "", PrincipalKind.SERVICE)
    request = Request(principal, _ASSUME, role_arn, {})
    judgement = judge_own(statements, _ASSUME, role_arn, context, principal)
    for least in (PartialDecision.YES, PartialDecision.CONDITIONAL, PartialDecision.UNKNOWN):
        if decide_by_resource(request, judgement.at(least)).allowed:
            return least
    return PartialDecision.NO


def _names(service: str, region: str) -> tuple[str, ...]:
    name = service.removesuffix(_SUFFIX)
    regional = (f"{name}.{region}{_SUFFIX}",) if region else ()
    return (service, *regional, f"{name}{_SUFFIX}.cn")
