"""Service quotas: the value that an account has, by code or by the quota's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.doctor.finding import Finding, Outcome
from trainworks.doctor.looking import NOT_OFFERED, Look, Looker, not_asked

_STANDARD, _GRAPHICS, _PARALLEL = "acdhimrtz", "g", "p"
# (first letters of the family, spot) -> code. Source: "Amazon EC2 service quotas", AWS General Reference.
_EC2_CODES = {
    (_STANDARD, False): "L-1216C47A",
    (_STANDARD, True): "L-34B43A08",
    (_GRAPHICS, False): "L-DB2E81BA",
    (_GRAPHICS, True): "L-3819A6DF",
    (_PARALLEL, False): "L-417A185B",
    (_PARALLEL, True): "L-7212CCBC",
}
FARGATE_CODES = {False: "L-3032A538", True: "L-36FBB829"}


@dataclass(frozen=True, slots=True)
class Quota:
    """`servicequotas:GetServiceQuota`. `unit` completes "5 ..."."""

    name: str
    value: float
    unit: str


def ec2_quota_code(instance_types: tuple[str, ...], *, spot: bool) -> str:
    """The code of the vCPU quota that all these types count against; empty if they count against several."""
    letters = {match[0] for name in instance_types if (match := re.match(r"[a-z]", name))}
    for (family, is_spot), code in _EC2_CODES.items():
        if is_spot == spot and letters and letters <= set(family):
            return code
    return ""


def look_at_quota(looker: Looker, service_code: str, quota_code: str, unit: str) -> Look[Quota]:
    """The account's value, or AWS's default where the account's was never touched."""

    def read(quotas: Any) -> Quota:
        body = quotas.get_service_quota(ServiceCode=service_code, QuotaCode=quota_code)["Quota"]
        return Quota(body["QuotaName"], float(body["Value"]), unit)

    return _where_offered(looker.ask("servicequotas:GetServiceQuota", read, subject=f"{service_code} {quota_code}"))


def look_at_training_quota(looker: Looker, instance_type: str, *, spot: bool) -> Look[Quota]:
    """The quota that SageMaker counts a training job's instances against; absent if it has none of that name."""
    wanted = f"{instance_type} for {'spot ' if spot else ''}training job usage"

    def read(quotas: Any) -> Quota | None:
        pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        for body in (each for page in pages for each in page["Quotas"]):
            if body["QuotaName"] == wanted:
                return Quota(wanted, float(body["Value"]), "instances")
        return None

    return _where_offered(looker.ask("servicequotas:ListServiceQuotas", read, subject=f"sagemaker {wanted!r}"))


def _where_offered(look: Look[Quota]) -> Look[Quota]:
    """An endpoint without Service Quotas, as the twin is, has no quota that a job could wait for."""
    return not_asked(look.call, look.at) if look.why_not == NOT_OFFERED else look


def quota_findings(quota: Look[Quota] | None, needed: float, *, used_by: str) -> Iterator[Finding]:
    """The account's quota is below what this alone needs."""
    if quota is None or quota.value is None or quota.value.value >= needed:
        return
    found = quota.value
    yield Finding(
        "quota-exceeded",
        Outcome.PROBLEM,
        f"{used_by} needs {needed:g} {found.unit}; the account's quota {found.name!r} is {found.value:g}",
        (quota.evidence(f"{found.name} = {found.value:g}"),),
        "ask for more: aws service-quotas request-service-quota-increase, or use another instance type",
    )
