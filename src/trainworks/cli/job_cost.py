"""What `jobs --cost` and `describe` say about a job's cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainworks.application.job_costs import NoBill, bill_at_a_glance
from trainworks.cli.addressed import addressed
from trainworks.cli.job_cost_view import bill_record, saved_sentence
from trainworks.cli.output import Output

if TYPE_CHECKING:
    from trainworks.cost.bill import JobBill
    from trainworks.cost.prices import PriceTable
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.job import Job


def cost_facts(
    job: Job, facts: Mapping[str, object], connection: Connection, prices: PriceTable, output: Output
) -> dict[str, Any]:
    """Nothing if a job has not run, or if the caller may not ask for it. `facts` are the job's own."""
    return facts_of_bill(job.name, bill_at_a_glance(job, facts, connection, prices), connection, output)


def facts_of_bill(name: str, bill: JobBill | NoBill, connection: Connection, output: Output) -> dict[str, Any]:
    """The same of a bill that is there already."""
    match bill:
        case NoBill.TOO_MANY_CHILDREN:
            return {"cost": addressed(f"trainworks cost job {name}")} if output is Output.TEXT else {}
        case NoBill():
            return {}
        case _ if output is Output.JSON:
            return {"cost": bill_record(bill)}
        case _:
            return _sentences(bill, connection.environment.is_twin)


def _sentences(bill: JobBill, is_twin: bool) -> dict[str, Any]:
    if bill.total is None:
        return {}
    share = "its share of hosts, " if bill.is_attribution else ""
    where = f"list price in {bill.region}" + (", had it run on AWS" if is_twin else "")
    said = {"cost": f"{bill.total} ({share}{where})"}
    return said | ({"spot": saved_sentence(bill)} if bill.saved_percent else {})
