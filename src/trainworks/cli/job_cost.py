"""What a job that ran cost: its description by the API, the hosts behind its queue, the prices of its region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from trainworks.cli.addressed import addressed
from trainworks.cli.job_cost_view import bill_record, saved_sentence
from trainworks.cli.output import Output
from trainworks.cost.bill import JobBill, batch_bill, training_bill
from trainworks.cost.hosts import children_of, hosts_of_queue
from trainworks.cost.price_files import load_prices
from trainworks.cost.prices import PriceTable

if TYPE_CHECKING:
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.job import Job

_MOST_CHILDREN = 1_000
"""Describing an array job reads no more children than these; `trainworks cost job` reads all."""
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})


def bill_of(job: Job, connection: Connection, prices: PriceTable) -> JobBill | None:
    """What a job cost so far; None before it has run, or of a kind that nobody prices."""
    priced = _BILLS.get(job.kind)
    return None if priced is None else priced(job, connection, prices)


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


def cost_facts(job: Job, connection: Connection, output: Output) -> dict[str, Any]:
    """What `describe` says of a job's cost: nothing where it has not run, or where the caller may not ask for it."""
    size = job.facts().get("array_size")
    if isinstance(size, int) and size > _MOST_CHILDREN:
        return {"cost": addressed(f"trainworks cost job {job.name}")} if output is Output.TEXT else {}
    try:
        bill = bill_of(job, connection, load_prices(connection.environment.region))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _FORBIDDEN:
            return {}
        raise
    if bill is None:
        return {}
    if output is Output.JSON:
        return {"cost": bill_record(bill)}
    return _sentences(bill, connection.environment.is_twin)


def _sentences(bill: JobBill, is_twin: bool) -> dict[str, Any]:
    if bill.total is None:
        return {}
    share = "its share of hosts, " if bill.is_attribution else ""
    where = f"list price in {bill.region}" + (", had it run on AWS" if is_twin else "")
    said = {"cost": f"{bill.total} ({share}{where})"}
    return said | ({"spot": saved_sentence(bill)} if bill.saved_percent else {})
