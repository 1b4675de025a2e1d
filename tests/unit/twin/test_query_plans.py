"""No statement of the twin reads a table whole that grows with history: SQLite's own plan of every one is looked at.

A statement is every query of a `.sql` file and every string in the source that is SQL. One that is put together at run
time cannot be seen, so it has to be made when its module is imported, and listed in `COMPOSED`.
"""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import trainworks.twin
from tests.unit.twin.recorded.earlier_home import EARLIER_TABLES
from trainworks.twin.recorded import listing as recorded_listing
from trainworks.twin.services.sagemaker.training import listing
from trainworks.twin.store.queries import Queries

SOURCE = Path(trainworks.twin.__file__).parent

BOUNDED_TABLES: Mapping[str, str] = {
    "batch_compute_environment": "as many as a user makes",
    "batch_job_queue": "as many as a user makes",
    "compute_devices": "at most the GPUs of this machine",
    "compute_instances": "instances that run",
    "compute_pools": "compute environments, and training jobs that run",
    "outbox_event": "emptied as it fills",
    "pending_event": "emptied as it fills",
    "event_delivery": "calls of rules and schedules that are not answered yet",
    "lambda_event": "events that functions have not run yet",
    "log_shipment": "tasks whose output is not in Logs yet",
    "training_metric_point": "emptied as it fills",
    "garbage": "emptied within a minute",
    "log_dead_stream": "emptied in the background",
    "emulator_meta": "one row for each service",
}
"""Tables that may be read whole, and why they do not grow with history."""

BOUNDED_INDEXES: Mapping[str, str] = {
    "batch_job_to_dispatch": "jobs that wait",
    "batch_job_blocked": "jobs that wait",
    "batch_job_to_stop": "jobs that are being stopped",
    "compute_tasks_queued": "tasks that wait",
    "compute_tasks_active": "tasks on instances",
    "compute_tasks_to_stop": "tasks that are being stopped",
    "log_group_kept_for_days": "as many as a user makes",
    "training_job_to_carry_on": "jobs that are not done with",
    "training_task_running": "tasks that run",
}
"""Partial indexes that may be read whole: what they hold is live."""

WHOLE: Mapping[str, str] = {
    "uses_folder": "tasks that wait or run; asked by a prune of an image that nobody has used for long",
    "named_blobs": "the sweep for what a crash left, once in a server's life, in the background",
    "earlier_notebooks": "once, for homes of earlier versions",
    "earlier_anomalies": "once, for homes of earlier versions",
    "earlier_stack_resources": "once, for homes of earlier versions",
    "earlier_tags": "once, for homes of earlier versions",
    "earlier_batch_tags": "once, for homes of earlier versions",
    "earlier_tables": "the schema, once in a server's life",
    "DELETE FROM compute_tasks WHERE state IN ('EXITED', 'LOST', 'CANCELLED')": "once, for homes of earlier versions",
}
"""Statements that may read everything, and why."""

COMPOSED = {
    **{f"list_training_jobs {key}": text for key, text in listing.STATEMENTS.items()},
    **{f"list_recorded {key}": text for key, text in recorded_listing.STATEMENTS.items()},
}

_SQL = re.compile(r"\s*(SELECT\s|INSERT (OR \w+ )?INTO\s|UPDATE \w+\s+SET\s|DELETE FROM\s|WITH \w+)")
_SCHEMA = re.compile(r"\s*(--[^\n]*\n\s*)*CREATE TABLE", re.IGNORECASE)
_ALIAS = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)\s+AS\s+(\w+)", re.IGNORECASE)
_STEP = re.compile(r"SCAN (?P<table>\w+)(?: USING (?:COVERING )?INDEX (?P<index>\w+))?")


def texts() -> Iterator[tuple[str, str]]:
    """`(where, text)` of every string of the source that is not part of another."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.value


def statements() -> dict[str, str]:
    """All statements by name or place."""
    found = {where: text for where, text in texts() if _SQL.match(text)}
    for path in sorted(SOURCE.rglob("queries.sql")):
        queries = Queries(path.read_text())
        found |= {f"{path.relative_to(SOURCE).parent} {name}": queries[name] for name in queries}
    return found | COMPOSED


def schemas() -> list[str]:
    return (
        [EARLIER_TABLES]
        + [path.read_text() for path in sorted(SOURCE.rglob("schema.sql"))]
        + [text for _, text in texts() if _SCHEMA.match(text)]
    )


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for schema in schemas():
        connection.executescript(schema)
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    count = max(numbered, default=statement.count("?"))
    named = dict.fromkeys(re.findall(r":(\w+)", statement))
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", named or [None] * count)]


def faults(database: sqlite3.Connection, name: str, statement: str) -> list[str]:
    """The steps of a statement's plan that read all of what grows."""
    aliases = {alias: table for table, alias in _ALIAS.findall(statement)}
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    found = []
    for step in plan(database, statement):
        if "AUTOMATIC" in step:
            found.append(step)
        if match := _STEP.match(step):
            table = aliases.get(match["table"], match["table"])
            if table in tables and table not in BOUNDED_TABLES and match["index"] not in BOUNDED_INDEXES:
                found.append(step)
    return [] if name.rsplit(maxsplit=1)[-1] in WHOLE or statement in WHOLE else found


def test_no_statement_reads_a_growing_table_whole(database: sqlite3.Connection) -> None:
    found = statements()
    assert len(found) > 150
    wrong = {name: steps for name, text in found.items() if (steps := faults(database, name, text))}
    assert not wrong, "\n".join(f"{name}: {steps}" for name, steps in wrong.items())


def test_a_scan_is_found(database: sqlite3.Connection) -> None:
    scan = "SELECT * FROM batch_job AS job WHERE job.instance_id = ?"
    assert faults(database, "scan", scan) == ["SCAN job"]
    assert faults(database, "search", "SELECT * FROM batch_job WHERE job_id = ?") == []


def test_a_page_of_training_jobs_is_read_in_order_and_jobs_of_one_status_alone(database: sqlite3.Connection) -> None:
    for (sort_by, _, one_status), text in listing.STATEMENTS.items():
        [step] = plan(database, text)  # no step that sorts
        assert ("status=?" in step) == one_status, (sort_by, step)


def test_a_page_of_recorded_resources_is_read_in_order_and_those_of_one_status_alone(
    database: sqlite3.Connection,
) -> None:
    for (sort_by, _, one_status), text in recorded_listing.STATEMENTS.items():
        [step] = plan(database, text)
        assert "kind=? AND scope=? AND parent=?" in step, (sort_by, step)
        assert ("status=?" in step) == one_status, (sort_by, step)


def test_what_is_declared_exists(database: sqlite3.Connection) -> None:
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_schema")}
    assert {*BOUNDED_TABLES, *BOUNDED_INDEXES} <= names


def test_no_statement_is_put_together_at_run_time() -> None:
    """An f-string that begins as SQL would escape the look at plans."""
    composed = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        and node.values
        and isinstance(node.values[0], ast.Constant)
        and _SQL.match(str(node.values[0].value))
    ]
    assert not composed
