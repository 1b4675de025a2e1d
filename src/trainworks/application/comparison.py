"""Jobs side by side: what each was given, what came out, how long it took, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainworks.application.job_costs import NoBill, bill_at_a_glance
from trainworks.cost.bill import JobBill
from trainworks.cost.price_files import load_prices
from trainworks.errors import RequestError
from trainworks.jobs.kinds import find_job

if TYPE_CHECKING:
    from trainworks.jobs.connection import Connection

ASKED = (
    "kind",
    "status",
    "image",
    "instance_type",
    "instance_count",
    "managed_spot",
    "vcpus",
    "memory_mib",
    "array_size",
)
"""Facts that are compared as they are, by their names."""

_SECONDS = {"training": "training_seconds", "batch": "run_seconds"}
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class ComparedJob:
    """One of the jobs: its facts by name, and its bill."""

    facts: Mapping[str, Any]
    bill: JobBill | NoBill


def compared_jobs(connection: Connection, names: Sequence[str]) -> tuple[ComparedJob, ...]:
    """The jobs of these names, in their order. Raises `RequestError` for a name that none has, or too many names."""
    if not 2 <= len(names) <= _MOST_JOBS:
        raise RequestError(f"{len(names)} jobs cannot be compared", fix=f"name 2 to {_MOST_JOBS} jobs")
    found = [(job, job.facts()) for job in [find_job(connection, name) for name in names]]
    prices = load_prices(connection.environment.region)
    return tuple(
        ComparedJob(_compared_facts(facts), bill_at_a_glance(job, facts, connection, prices)) for job, facts in found
    )


def _compared_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": facts["name"],
        **{key: facts[key] for key in ASKED if key in facts},
        "interruptions": facts.get("interruptions"),
        "hyperparameters": facts.get("hyperparameters") or {},
        "metrics": facts.get("metrics") or {},
        "seconds": facts.get(_SECONDS.get(facts["kind"], "")),
        "billable_seconds": facts.get("billable_seconds"),
        "spot_savings_percent": facts.get("spot_savings_percent"),
    }
