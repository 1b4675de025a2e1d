"""The pages of ListJobs, each read from the index that its filter has: a page costs what is on it.

Source: `ListJobs` in the AWS Batch API reference. Jobs of a queue are listed newest first, children by their index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from sqlite3 import Connection
from typing import Any

from trainworks.states.batch_job import JobStatus
from trainworks.twin.ports import ApiError
from trainworks.twin.services.batch.arns import arn_of, scope_of
from trainworks.twin.services.batch.records import SQL, Job, Specs, job_of
from trainworks.twin.services.batch.resources import definition_bounds, queue_row
from trainworks.twin.wire import Call, read_page

_PAGE_SIZE = 100
_END = 1 << 62
"""Above every sequence number and every time."""
_BEHIND_NAMES = "\x7f"
"""Sorts behind every character that a name or an ARN may have."""
_STEP = 500
_BY_SEQ = ("seq",)

Read = Callable[[list[Any] | None, int], Sequence[Job]]


def list_jobs(tx: Connection, call: Call, specs: Specs) -> tuple[list[Job], str | None]:
    """The page that a ListJobs call asks for, and the token of the next. Raises `ClientException`."""
    params = call.params
    read, columns = _reader(tx, call, specs)
    return read_page(
        read,
        key=lambda job: [getattr(job, column) for column in columns],
        like=[0 for _ in columns],
        limit=params.get("maxResults", _PAGE_SIZE),
        token=params.get("nextToken"),
        request=params,
        error_code="ClientException",
    )


def _reader(tx: Connection, call: Call, specs: Specs) -> tuple[Read, tuple[str, ...]]:
    """How pages of what is asked for are read, and the members of a job that they are ordered by.

    With a filter the status is ignored (except for SHARE_IDENTIFIER); without a filter and a status, RUNNING is meant.
    """
    params = call.params
    if "multiNodeJobId" in params:
        raise ApiError("ClientException", "trainworks does not implement multi-node parallel jobs")
    if len([member for member in ("jobQueue", "arrayJobId") if member in params]) != 1:
        raise ApiError("ClientException", "Exactly one of jobQueue, arrayJobId or multiNodeJobId must be given")
    status = params.get("jobStatus", JobStatus.RUNNING)
    if "arrayJobId" in params:
        named = {"parent": params["arrayJobId"], "status": status}
        return _statement(tx, "children_page", named, first=-1), ("array_index",)
    queue_arn = arn_of(call.caller, "job-queue", params["jobQueue"])
    queue_row(tx, queue_arn)
    filters: Sequence[Mapping[str, Any]] = params.get("filters", [])
    if not filters:
        return _statement(tx, "jobs_of_queue_by_status", {"queue": queue_arn, "status": status}), _BY_SEQ
    if len(filters) > 1 or len(filters[0].get("values", [])) != 1:
        raise ApiError("ClientException", "ListJobs takes one filter with one value at a time")
    name, value = filters[0].get("name", ""), filters[0]["values"][0]
    if name in ("BEFORE_CREATED_AT", "AFTER_CREATED_AT"):
        return _created(tx, queue_arn, name, value), ("created_at", "seq")
    if name == "JOB_NAME":
        low, high = _bounds(value)
        return _statement(tx, "jobs_of_queue_by_name", {"queue": queue_arn, "low": low, "high": high}), _BY_SEQ
    if name == "JOB_DEFINITION":
        low, high = definition_bounds(scope_of(call.caller), value)
        return _statement(tx, "jobs_of_queue_by_definition", {"queue": queue_arn, "low": low, "high": high}), _BY_SEQ
    if name == "SHARE_IDENTIFIER":
        return _shared(tx, queue_arn, value, params.get("jobStatus"), specs), _BY_SEQ
    raise ApiError("ClientException", f"ListJobs has no filter '{name}'")


def _statement(tx: Connection, name: str, parameters: Mapping[str, Any], first: int = _END) -> Read:
    """`first` stands before every number that the statement compares with `:after`."""

    def read(after: list[Any] | None, limit: int) -> list[Job]:
        position = {"after": after[0] if after else first, "limit": limit}
        return [job_of(row) for row in tx.execute(SQL[name], {**parameters, **position})]

    return read


def _created(tx: Connection, queue_arn: str, name: str, value: str) -> Read:
    try:
        moment = max(-1, min(int(value), _END))
    except ValueError:
        raise ApiError("ClientException", f"{name} takes milliseconds since the epoch, not '{value}'") from None
    low, high = (-1, moment) if name == "BEFORE_CREATED_AT" else (moment, _END)

    def read(after: list[Any] | None, limit: int) -> list[Job]:
        at, seq = after or (_END, _END)
        parameters = {"queue": queue_arn, "low": low, "high": high, "at": at, "after": seq, "limit": limit}
        return [job_of(row) for row in tx.execute(SQL["jobs_of_queue_by_creation"], parameters)]

    return read


def _shared(tx: Connection, queue_arn: str, value: str, status: str | None, specs: Specs) -> Read:
    """Fair-share identifiers are recorded only, and have no index: this walks along the queue."""
    walk = _statement(
        tx, "jobs_of_queue_by_status" if status else "jobs_of_queue", {"queue": queue_arn, "status": status}
    )
    low, high = _bounds(value)

    def matching(after: list[Any] | None) -> Iterator[Job]:
        while found := walk(after, _STEP):
            yield from (
                job for job in found if low <= (specs.of(tx, job.spec_id).share_identifier or "").lower() < high
            )
            after = [found[-1].seq]

    return lambda after, limit: list(islice(matching(after), limit))


def _bounds(pattern: str) -> tuple[str, str]:
    """The half-open range of what `pattern` matches: without case, with an asterisk at the end for anything."""
    low = pattern.lower()
    return (low[:-1], low[:-1] + _BEHIND_NAMES) if low.endswith("*") else (low, low + "\0")
