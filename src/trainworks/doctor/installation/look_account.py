"""Ask about the account behind an environment: who is asking, which roles and quotas it has, what may be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from trainworks.doctor.installation.facts import Account, Identity
from trainworks.doctor.looking import Look, Looker
from trainworks.doctor.quotas import look_at_quota, look_at_training_quota
from trainworks.doctor.stack.facts import StackFacts

SERVICE_LINKED_ROLES = {
    "batch.amazonaws.com": "AWSServiceRoleForBatch",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}
_SPOT_STANDARD = "L-34B43A08"


def look_at_account(
    looker: Looker,
    *,
    environment: str,
    is_twin: bool,
    region: str,
    expected_account: str,
    platform: StackFacts | None,
    training_types: Sequence[str] = (),
) -> Account:
    """Everything about the account that jobs and deployments need. On the twin roles, quotas and cost are nobody's."""
    identity = looker.ask("sts:GetCallerIdentity", lambda sts: _identity(sts, looker.now()))
    if is_twin or identity.value is None:
        return Account(environment, is_twin, region, expected_account, identity, platform=platform)
    quotas = [look_at_quota(looker, "ec2", _SPOT_STANDARD, "vCPUs")]
    quotas += [look_at_training_quota(looker, name, spot=True) for name in training_types]
    return Account(
        environment,
        is_twin,
        region,
        expected_account,
        identity,
        tuple((service, _service_linked_role(looker, role)) for service, role in SERVICE_LINKED_ROLES.items()),
        tuple(quotas),
        looker.ask("ce:GetCostAndUsage", lambda ce: _cost(ce, looker.now())),
        looker.ask("budgets:DescribeBudgets", lambda budgets: _budgets(budgets, identity.value)),
        platform,
    )


def _service_linked_role(looker: Looker, name: str) -> Look[str]:
    return looker.ask(
        "iam:GetRole",
        lambda iam: str(iam.get_role(RoleName=name)["Role"]["Arn"]),
        absent=("NoSuchEntity",),
        subject=name,
    )


def _identity(sts: Any, now: datetime) -> Identity:
    answer = sts.get_caller_identity()
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    skew = (now - parsedate_to_datetime(told).astimezone(UTC)).total_seconds() if told else 0.0
    return Identity(answer["Account"], answer["Arn"], skew)


def _cost(ce: Any, now: datetime) -> str:
    period = {"Start": f"{now - timedelta(days=1):%Y-%m-%d}", "End": f"{now:%Y-%m-%d}"}
    ce.get_cost_and_usage(TimePeriod=period, Granularity="DAILY", Metrics=["UnblendedCost"])
    return "readable"


def _budgets(budgets: Any, identity: Identity | None) -> str:
    account = identity.account if identity else ""
    budgets.describe_budgets(AccountId=account, MaxResults=1)
    return "readable"
