"""TW27: more than an account may have before it asks for more, or than AWS ever gives."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.quota_usage import usages
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    for usage in usages(graph):
        quota = settings.quotas[usage.quota]
        if usage.used <= quota.limit:
            continue
        if quota.adjustable:
            yield Fault(
                usage.at,
                f"asks for more {quota.what} than a new account may have",
                f"{usage.used}, and the quota is {quota.limit}",
                f"ask Service Quotas for {usage.used}; if you have it already, write it as [{quota.name}] in a file "
                "for --quotas",
            )
        else:
            yield Fault(
                usage.at,
                f"more {quota.what} than AWS allows: the deploy fails",
                f"{usage.used}, and {quota.limit} is the limit",
                "divide it",
                Severity.ERROR,
            )


RULE = Rule(
    code="TW27",
    severity=Severity.WARNING,
    title="more than the quotas of a new account (error where AWS raises none)",
    origin="Jobs that stay RUNNABLE for ever because a new account has 5 vCPUs on spot and no GPU at all.",
    find=find,
)
