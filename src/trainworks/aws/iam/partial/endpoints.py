"""How surely the policy of a VPC endpoint lets a request through, as far as both are known.

An endpoint's policy grants nothing: it is the most that anybody may do through the endpoint. `aws.iam.evaluate` decides
by it as by every other policy.

Source: "Control access to VPC endpoints using endpoint policies" (AWS PrivateLink).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainworks.aws.iam.evaluate import EndpointPolicy, Grants, Request, decide
from trainworks.aws.iam.partial.conditions import Context, Verdict, values_of
from trainworks.aws.iam.partial.evaluation import NOBODY, Judged, Judgement, PartialDecision, judge, judge_own
from trainworks.aws.iam.partial.statements import Statement
from trainworks.aws.iam.principals import Principal
from trainworks.aws.unknown import Unknown


def lets_through(  # noqa: PLR0917 - an endpoint's policy, and what a request consists of
    policy: Sequence[Statement] | None,
    is_gateway: bool,
    caller: Principal | None,
    action: str,
    resource: str,
    context: Context,
) -> PartialDecision:
    """How surely the endpoint lets `caller` (None: unknown) do `action` on `resource`.

    `policy` None is full access. `resource` is an ARN, or with `*` at its end all ARNs that begin so. If the policy
    allows only some of these the answer is UNKNOWN, as the request may be about any of them.
    """
    if policy is None:
        return PartialDecision.YES
    found = max(_one(policy, is_gateway, caller, action, each, context) for each in _forms(resource))
    if (
        found is PartialDecision.NO
        and resource.endswith("*")
        and _names_part(policy, action, resource.removesuffix("*"))
    ):
        return PartialDecision.UNKNOWN
    return found


def _one(  # noqa: PLR0917 - as above
    policy: Sequence[Statement],
    is_gateway: bool,
    caller: Principal | None,
    action: str,
    resource: str,
    context: Context,
) -> PartialDecision:
    judgement = _of_anybody(policy, action, resource, context)
    if caller is not None:
        judgement = judge_own(policy, action, resource, context, caller)
    request = Request(caller or NOBODY, "", "", {})
    for least in (PartialDecision.YES, PartialDecision.CONDITIONAL, PartialDecision.UNKNOWN):
        endpoint = EndpointPolicy(judgement.at(least), is_gateway)
        if decide(request, Grants(everything=True), endpoints=[endpoint]).allowed:
            return least
    return PartialDecision.NO


def _forms(resource: str) -> Iterable[str]:
    return (resource, resource.removesuffix("*")) if resource.endswith("*") else (resource,)


def _names_part(policy: Sequence[Statement], action: str, beginning: str) -> bool:
    """Whether an Allow is about a resource that begins so."""
    return any(
        statement.allows
        and statement.speaks_of(action) is not Verdict.FALSE
        and any(isinstance(each, Unknown) or each.startswith(beginning) for each in statement.resources)
        for statement in policy
    )


def _of_anybody(policy: Sequence[Statement], action: str, resource: str, context: Context) -> Judgement:
    """A statement for certain principals may name the caller."""
    judged = judge(policy, action, resource, context).statements
    return Judgement([each if _is_everyone(each.statement) else _perhaps(each) for each in judged])


def _is_everyone(statement: Statement) -> bool:
    element = statement.principal
    return element == "*" or (isinstance(element, dict) and "*" in values_of(element.get("AWS", [])))


def _perhaps(judged: Judged) -> Judged:
    return Judged(judged.statement, min(judged.strength, PartialDecision.UNKNOWN), judged.names)
