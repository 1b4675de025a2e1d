"""Compute environments, queues and definitions as others read them: rows by name or ARN, and what follows from one."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from sqlite3 import Connection, Row

from trainworks.aws.batch_constraints import FARGATE_TYPES
from trainworks.aws.instance_types import FARGATE_FAMILY, expand_instance_types
from trainworks.twin.numerals import whole_number
from trainworks.twin.ports import ApiError, Caller, Market, PoolSpec
from trainworks.twin.services.batch.arns import scope_of
from trainworks.twin.services.batch.records import SQL

_NAME_AND_REVISION = re.compile(r"(?P<name>[^:]+)(?::(?P<revision>[0-9]+))?")


def environment_row(tx: Connection, arn: str) -> Row:
    """The row, or `ClientException`."""
    row: Row | None = tx.execute(SQL["environment_by_arn"], (arn,)).fetchone()
    if row is None:
        raise ApiError("ClientException", f"{arn} does not exist")
    return row


def pool_of(row: Row) -> PoolSpec:
    """The pool of the compute plane that stands for a compute environment."""
    return _pool(row["pool_id"], row["spec"])


@lru_cache(maxsize=256)
def _pool(pool_id: str, spec: str) -> PoolSpec:
    resources = json.loads(spec)["computeResources"]
    kind = resources["type"]
    is_fargate = kind in FARGATE_TYPES
    names = expand_instance_types((FARGATE_FAMILY,) if is_fargate else resources["instanceTypes"])
    return PoolSpec(
        pool_id=pool_id,
        instance_types=names,
        market=Market.SPOT if kind in ("SPOT", "FARGATE_SPOT") else Market.ON_DEMAND,
        max_vcpus=resources["maxvCpus"],
    )


def is_fargate_environment(tx: Connection, arn: str) -> bool:
    resources = json.loads(environment_row(tx, arn)["spec"])["computeResources"]
    return resources["type"] in FARGATE_TYPES


def queue_row(tx: Connection, arn: str) -> Row:
    """The row, or `ClientException`."""
    row: Row | None = tx.execute(SQL["queue_by_arn"], (arn,)).fetchone()
    if row is None:
        raise ApiError("ClientException", f"JobQueue {arn} not found.")
    return row


def environments_of(tx: Connection, queue: Row) -> list[Row]:
    """The queue's compute environments in its order."""
    order = json.loads(queue["spec"])["computeEnvironmentOrder"]
    arns = [entry["computeEnvironment"] for entry in sorted(order, key=lambda entry: entry["order"])]
    return [environment_row(tx, arn) for arn in arns]


def definition_row(tx: Connection, caller: Caller, reference: str) -> Row:
    """The definition that `name`, `name:revision` or an ARN stands for: ACTIVE, the newest where no revision is given.

    Raises `ClientException` if there is none.
    """
    scope = scope_of(caller)
    name, revision = parse_definition(reference)
    if revision is None:
        row: Row | None = tx.execute(SQL["definition_last_active"], (scope, name)).fetchone()
    else:
        row = tx.execute(SQL["definition_by_arn"], (f"{scope}:job-definition/{name}:{revision}",)).fetchone()
    if row is None or row["status"] != "ACTIVE":
        raise ApiError("ClientException", f"JobDefinition {reference} not found.")
    return row


def definition_bounds(scope: str, pattern: str) -> tuple[str, str]:
    """The half-open range of the lower-case ARNs of the definitions that `pattern` means: a name (of any revision),
    `name:revision` or ARN, with an asterisk at the end for anything."""
    prefix = f"{scope}:job-definition/".lower()
    if pattern.endswith("*"):
        start = prefix + pattern[:-1].rpartition("/")[2].lower()
        return start, start + "\x7f"
    name, revision = parse_definition(pattern)
    if revision is None:
        return f"{prefix}{name.lower()}:", f"{prefix}{name.lower()};"
    exact = f"{prefix}{name.lower()}:{revision}"
    return exact, exact + "\0"


def parse_definition(reference: str) -> tuple[str, int | None]:
    found = _NAME_AND_REVISION.fullmatch(reference.rpartition("/")[2])
    if found is None:
        raise ApiError("ClientException", f"JobDefinition '{reference}' is not valid: name, name:revision or ARN")
    return found["name"], whole_number(found["revision"]) if found["revision"] else None
