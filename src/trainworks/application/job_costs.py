"""What a job costs: at most, by its spec; or did cost, by its description, the hosts behind its queue, and prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trainworks.cost.bill import JobBill, batch_bill, training_bill
from trainworks.cost.hosts import children_of, hosts_of_queue
from trainworks.cost.prices import PriceTable
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.config.environment import Environment
    from trainworks.cost.job import JobEstimate
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.job import Job

_MOST_CHILDREN = 1_000
"""A bill at a glance reads no more children of an array job than these; `bill_of` reads all."""
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})


class NoBill(Enum):
    """Why a job has no bill, in a few words."""

    NOT_RUN = auto()
    NOT_ALLOWED = auto()
    TOO_MANY_CHILDREN = auto()


def bill_of(job: Job, connection: Connection, prices: PriceTable) -> JobBill | None:
    """What a job cost so far; None before it has run, or of a kind that nobody prices."""
    priced = _BILLS.get(job.kind)
    return None if priced is None else priced(job, connection, prices)


def bill_at_a_glance(
    job: Job, facts: Mapping[str, object], connection: Connection, prices: PriceTable
) -> JobBill | NoBill:
    """What a job cost, where a few calls tell it and the caller may make them. `facts` are the job's own."""
    size = facts.get("array_size")
    if isinstance(size, int) and size > _MOST_CHILDREN:
        return NoBill.TOO_MANY_CHILDREN
    try:
        bill = bill_of(job, connection, prices)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _FORBIDDEN:
            return NoBill.NOT_ALLOWED
        raise
    return NoBill.NOT_RUN if bill is None else bill


def bill_of_named(environment: Environment, name: str, prices: PriceTable) -> JobBill:
    """What the job of that name cost. Raises `RequestError` if there is none, or it has not run."""
    from trainworks.jobs.connection import Connection  # noqa: PLC0415 - an estimate asks nobody
    from trainworks.jobs.kinds import find_job  # noqa: PLC0415

    connection = Connection(environment)
    bill = bill_of(find_job(connection, name), connection, prices)
    if bill is None:
        raise RequestError(f"{name} has not run yet", fix=f"trainworks logs -f {name}")
    return bill


def estimate_of(environment: Environment, spec_path: Path, prices: PriceTable) -> JobEstimate:
    """The most that a job of this spec can cost. Raises `ConfigurationError`, and `RequestError` without a queue."""
    from trainworks.config.job import TrainingJobSpec, load_spec  # noqa: PLC0415 - a bill needs no spec
    from trainworks.cost.job import batch_estimate, training_estimate  # noqa: PLC0415

    spec = load_spec(spec_path)
    if isinstance(spec, TrainingJobSpec):
        return training_estimate(spec, environment.profile.training, prices)
    if environment.profile.batch is None:
        raise RequestError(f"environment {environment.name!r} has no batch", fix="choose another with --env")
    return batch_estimate(spec, environment.profile.batch, prices)


def _bill_of_training(job: Job, connection: Connection, prices: PriceTable) -> JobBill | None:
    del connection
    return training_bill(job.describe(), prices)


def _bill_of_batch(job: Job, connection: Connection, prices: PriceTable) -> JobBill | None:
    described = job.describe()
    batch = connection.client("batch")
    size = described.get("arrayProperties", {}).get("size")
    containers = children_of(batch, described["jobId"], size) if size else [described]
    return batch_bill(job.name, containers, hosts_of_queue(batch, described["jobQueue"]), prices)


_BILLS: Mapping[str, Callable[[Job, Connection, PriceTable], JobBill | None]] = {
    "training": _bill_of_training,
    "batch": _bill_of_batch,
}
