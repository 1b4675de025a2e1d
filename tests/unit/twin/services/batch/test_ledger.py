"""The ledger: job rows change there alone, with their events or not at all, and what may run is handed over."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import trainworks.twin.services.batch
from tests.patience import until
from tests.unit.twin.services.batch.conftest import Batch
from trainworks.twin.ports import ApiError, TaskEvent, TaskState
from trainworks.twin.services.batch.records import SQL

PACKAGE = Path(trainworks.twin.services.batch.__file__).parent
WRITES = re.compile(r"\b(INSERT|REPLACE|UPDATE|DELETE)\b[^;]*\b(batch_job|batch_dependency)\b(?! AS)")


def test_job_rows_change_in_the_ledger_alone() -> None:
    writing = {name for name in re.findall(r"^-- name: (\w+)", (PACKAGE / "queries.sql").read_text(), re.M)
               if WRITES.match(_statement(SQL[name]))}  # fmt: skip
    assert {"job_insert", "job_update", "job_delete", "dependency_insert", "unblock_queue"} <= writing
    for module in PACKAGE.glob("*.py"):
        text = module.read_text()
        used = set(re.findall(r'SQL\["(\w+)"\]', text)) & writing
        assert module.name == "ledger.py" or not used, f"{module.name} writes job rows by {', '.join(sorted(used))}"
        assert not WRITES.search(text), f"{module.name} has SQL of its own that writes job rows"


def _statement(text: str) -> str:
    return re.sub(r"--[^\n]*\n", "", text).strip()


CHANGES: dict[str, Callable[[Batch, str], Any]] = {
    "SubmitJob": lambda batch, _: batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d"),
    "SubmitJob of an array": lambda batch, _: batch.call(
        "SubmitJob", jobName="j", jobQueue="q", jobDefinition="d", arrayProperties={"size": 3}
    ),
    "TerminateJob": lambda batch, waiting: batch.call("TerminateJob", jobId=waiting, reason="enough"),
    "DeleteJobQueue": lambda batch, _: batch.call("DeleteJobQueue", jobQueue="gone"),
    "a container that cannot be made": lambda batch, _: batch.service.dispatcher.dispatch(),
    "a task that ends": lambda batch, _: batch.compute.run(next(iter(batch.compute.tasks))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_jobs_change_with_their_events_or_not_at_all(batch: Batch, change: str) -> None:
    """What a crash between the two would leave, by an outbox that cannot be written."""
    batch.platform()
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.call("CreateJobQueue", jobQueueName="gone", priority=1, computeEnvironmentOrder=order)
    upstream = batch.submit()
    waiting = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.submit(jobQueue="gone", dependsOn=[{"jobId": upstream}])
    batch.call("UpdateJobQueue", jobQueue="gone", state="DISABLED")
    batch.define("missing", container={"image": "missing:1"})
    batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="missing")
    batch.control_plane.patterns = [{}]
    before = _rows(batch)

    with batch.database.transaction() as tx:
        tx.execute("CREATE TRIGGER full BEFORE INSERT ON outbox_event BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        CHANGES[change](batch, waiting)
    assert _rows(batch) == before
    with batch.database.transaction() as tx:
        tx.execute("DROP TRIGGER full")

    CHANGES[change](batch, waiting)
    assert _rows(batch) != before
    batch.outbox.drain()
    told = [(detail["jobId"], detail["status"]) for _, _, detail in batch.control_plane.events]
    assert told
    assert len(told) == len(set(told)), "each change is told once"
    last = dict(told)
    assert last == {job_id: status for job_id, status in _statuses(batch).items() if job_id in last}


def _rows(batch: Batch) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in batch.database.read("SELECT * FROM batch_job ORDER BY seq")]


def _statuses(batch: Batch) -> dict[str, str]:
    return {row["job_id"]: row["status"] for row in batch.database.read("SELECT * FROM batch_job")}


def test_what_is_submitted_at_a_time_is_handed_over_once_each(batch: Batch) -> None:
    """With the dispatcher's own thread, which the ledger wakes: of jobs that share a commit none is left lying."""
    batch.platform()
    batch.service.start()
    try:
        with ThreadPoolExecutor(8) as clients:
            submitted = list(clients.map(lambda number: _submit_one(batch, number), range(120)))
        wanted = {f"batch.{job_id}{child}.1" for job_id, children in submitted for child in children}
        until(lambda: set(batch.compute.tasks) >= wanted, "the task of each job")
    finally:
        batch.service.stop()
    assert set(batch.compute.tasks) == wanted


def _submit_one(batch: Batch, number: int) -> tuple[str, list[str]]:
    """A job, or an array of two; its id and what the ids of its tasks have behind that."""
    array = {} if number % 3 else {"arrayProperties": {"size": 2}}
    answer = batch.call("SubmitJob", jobName=f"j{number}", jobQueue="q", jobDefinition="d", **array)
    return str(answer["jobId"]), [".0", ".1"] if array else [""]


def test_an_event_of_a_task_that_was_stopped_meanwhile_ends_its_array(batch: Batch) -> None:
    """An array of which one child runs and others wait is terminated: its tasks are stopped once, its parent ends."""
    batch.platform()
    upstream = batch.submit()
    array = batch.submit(arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}])
    after = batch.submit(dependsOn=[{"jobId": array}, {"jobId": upstream}])
    batch.report(TaskEvent(f"batch.{array}.0.1", TaskState.RUNNING, 2.0, "i-1"))
    batch.call("TerminateJob", jobId=array, reason="enough")
    assert batch.compute.stopped == [f"batch.{array}.0.1"]
    assert [batch.status(f"{array}:{index}") for index in range(3)] == ["RUNNING", "FAILED", "FAILED"]
    assert batch.status(array) == "PENDING"
    batch.report(TaskEvent(f"batch.{array}.0.1", TaskState.EXITED, 3.0, "i-1", exit_code=143, reason="stopped"))
    assert (batch.status(array), batch.job(array)["statusReason"]) == ("FAILED", "enough")
    assert (batch.status(after), batch.job(after)["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_a_queue_that_is_deleted_meanwhile_holds_up_no_other(batch: Batch) -> None:
    """While the first part of a crowd is made ready: the jobs of the next parts are looked at without their queue."""
    batch.platform()
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.call("CreateJobQueue", jobQueueName="gone", priority=1, computeEnvironmentOrder=order)
    going = batch.call("SubmitJob", jobName="j", jobQueue="gone", jobDefinition="d")["jobId"]
    staying = [batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d")["jobId"] for _ in range(150)]

    def delete() -> None:
        batch.images.meanwhile = lambda: None
        batch.call("UpdateJobQueue", jobQueue="gone", state="DISABLED")
        batch.call("DeleteJobQueue", jobQueue="gone")

    batch.call("UpdateJobQueue", jobQueue="q", priority=2)
    batch.images.meanwhile = delete
    batch.service.dispatcher.dispatch()
    assert list(batch.compute.tasks) == [f"batch.{job_id}.1" for job_id in staying]
    assert (batch.status(going), batch.job(going)["statusReason"]) == ("FAILED", "JobQueue deleted")


@pytest.mark.parametrize("program", ["python train.py " * 40, "/a\0b", "a\0b", "/x" * 3000, ""])
def test_a_program_that_no_file_can_be_called_fails_its_own_job(batch: Batch, program: str) -> None:
    """A whole command line in one text is such a name too. All other jobs waited for ever."""
    batch.platform()
    batch.define("odd", container={"command": [program]})
    odd = batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="odd")["jobId"]
    good = batch.submit()
    assert (batch.status(odd), batch.job(odd)["statusReason"]) == ("FAILED", "Task failed to start")
    assert list(batch.compute.tasks) == [f"batch.{good}.1"]


def test_what_is_no_text_is_refused(batch: Batch) -> None:
    batch.platform()
    for override in ({"command": ["/\udcff"]}, {"environment": [{"name": "A", "value": "\udcff"}]}):
        with pytest.raises(ApiError, match="not a character of Unicode"):
            batch.submit(containerOverrides=override)


def test_a_fault_while_one_is_made_ready_holds_up_no_other(batch: Batch) -> None:
    """It is no job's fault, so its job stays and is tried again; whoever asked for the round is told."""
    batch.platform()
    batch.define("other", container={"command": ["true", "other"]})

    def fail() -> None:
        batch.images.meanwhile = lambda: None
        raise OSError("no space left on device")

    first, second = (
        batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition=name)["jobId"] for name in ("d", "other")
    )
    batch.images.meanwhile = fail
    with pytest.raises(OSError, match="no space left"):
        batch.service.dispatcher.dispatch()
    assert len(batch.compute.tasks) == 1
    batch.service.dispatcher.dispatch()
    assert set(batch.compute.tasks) == {f"batch.{first}.1", f"batch.{second}.1"}


def test_a_thousand_jobs_that_cannot_start_hold_up_none_behind_them(batch: Batch) -> None:
    """They may be retried; the one that can start does before any of them is."""
    batch.platform()
    batch.define("faulty", container={"command": ["no-such-program"]}, retryStrategy={"attempts": 3})
    faulty = batch.call(
        "SubmitJob", jobName="j", jobQueue="q", jobDefinition="faulty", arrayProperties={"size": 1_000}
    )["jobId"]
    good = batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d")["jobId"]
    looked_at: list[list[str]] = []
    batch.images.meanwhile = lambda: looked_at.append(list(batch.compute.tasks))
    batch.service.dispatcher.dispatch()
    assert list(batch.compute.tasks) == [f"batch.{good}.1"]
    assert looked_at.count([]) < len(looked_at) / 2, "the retries come behind it"
    assert batch.status(faulty) == "FAILED"
    child = batch.job(f"{faulty}:999")
    assert (len(child["attempts"]), child["statusReason"]) == (3, "Task failed to start")


def test_a_thousand_jobs_that_the_twin_cannot_prepare_hold_up_none_behind_them(batch: Batch) -> None:
    """They say why they wait, and start when the fault is gone."""
    batch.platform()
    batch.define("faulty", container={"command": ["true", "faulty"]})
    faulty = batch.call(
        "SubmitJob", jobName="j", jobQueue="q", jobDefinition="faulty", arrayProperties={"size": 1_000}
    )["jobId"]
    good = batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d")["jobId"]
    calls = iter(range(100))

    def fail() -> None:
        if next(calls) < 8:  # each of the parts of the array
            raise OSError("no space left on device")

    batch.images.meanwhile = fail
    with pytest.raises(OSError, match="no space left"):
        batch.service.dispatcher.dispatch()
    assert f"batch.{good}.1" in batch.compute.tasks
    waiting = [batch.job(f"{faulty}:{index}") for index in (0, 999)]
    assert {job["status"] for job in waiting} == {"RUNNABLE"}
    assert any("no space left on device" in job.get("statusReason", "") for job in waiting)
    batch.service.dispatcher.dispatch()
    assert len(batch.compute.tasks) == 1_001


def test_an_environment_that_is_deleted_meanwhile_gets_no_jobs(batch: Batch) -> None:
    """Its queue goes on with another one, where the jobs then run: none waits in a pool that is gone."""
    batch.platform()
    batch.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="next",
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "maxvCpus": 8,
            "subnets": ["subnet-1"],
            "instanceRole": "r",
            "instanceTypes": ["optimal"],
        },
    )
    job_id = batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="d")["jobId"]

    def delete() -> None:
        batch.images.meanwhile = lambda: None
        order = [{"order": 1, "computeEnvironment": "next"}]
        batch.call("UpdateJobQueue", jobQueue="q", computeEnvironmentOrder=order)
        batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
        batch.call("DeleteComputeEnvironment", computeEnvironment="ce")

    batch.images.meanwhile = delete
    batch.service.dispatcher.dispatch()
    assert not batch.compute.tasks
    assert batch.status(job_id) == "RUNNABLE"
    batch.service.dispatcher.dispatch()
    [task] = batch.compute.tasks.values()
    assert task.pool_id in batch.compute.pools
    batch.run(job_id)
    assert batch.status(job_id) == "SUCCEEDED"


def test_a_queue_that_is_being_deleted_takes_no_more_jobs(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was enabled again while its tasks are stopped got jobs, which then waited for ever without their queue."""
    batch.platform()
    job_id = batch.submit()
    batch.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    stopped: list[str] = []

    def stop(task_ids: Sequence[str], grace_seconds: float) -> None:
        stopped.extend(task_ids)
        with pytest.raises(ApiError, match="not found"):
            batch.call("UpdateJobQueue", jobQueue="q", state="ENABLED")

    monkeypatch.setattr(batch.compute, "stop", stop)
    batch.call("DeleteJobQueue", jobQueue="q")
    assert stopped == [f"batch.{job_id}.1"]
    batch.report(TaskEvent(stopped[0], TaskState.EXITED, 3.0, "i-1", exit_code=143, reason="stopped"))
    assert (batch.status(job_id), batch.job(job_id)["statusReason"]) == ("FAILED", "JobQueue deleted")


def test_what_waits_in_an_environment_that_is_deleted_goes_on_the_next(batch: Batch) -> None:
    """It had no host yet. It failed where it had one attempt, and waited for ever, untold of, where it had more."""
    resources = {"type": "EC2", "maxvCpus": 8, "subnets": ["subnet-1"], "instanceRole": "r"}
    batch.platform()
    batch.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="next",
        type="MANAGED",
        computeResources={**resources, "instanceTypes": ["optimal"]},
    )
    once, twice = batch.submit(), batch.submit(retryStrategy={"attempts": 2})
    order = [{"order": 1, "computeEnvironment": "next"}]
    batch.call("UpdateJobQueue", jobQueue="q", computeEnvironmentOrder=order)
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    cancelled = list(batch.compute.tasks)
    batch.compute.tasks.clear()
    batch.service.dispatcher.start()  # as a server does: nobody asks for a pass, but who has work for it
    try:
        batch.report(*(TaskEvent(each, TaskState.CANCELLED, 2.0, reason="instance terminated") for each in cancelled))
        until(lambda: list(batch.compute.tasks) == cancelled)
    finally:
        batch.service.dispatcher.stop()
    assert {task.pool_id for task in batch.compute.tasks.values()} == set(batch.compute.pools)
    assert [batch.status(job_id) for job_id in (once, twice)] == ["RUNNABLE", "RUNNABLE"]
    assert [batch.job(job_id)["attempts"] for job_id in (once, twice)] == [[], []]


def test_an_environment_goes_with_its_pool_or_not_at_all(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash between the two would leave, by a compute plane that fails: a pool that nobody can delete."""
    batch.platform()
    batch.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    batch.call("DeleteJobQueue", jobQueue="q")
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")

    def fail(pool_id: str) -> None:
        raise KeyError(pool_id)

    with monkeypatch.context() as patch:
        patch.setattr(batch.compute, "delete_pool", fail)
        with pytest.raises(KeyError):
            batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    assert len(batch.call("DescribeComputeEnvironments")["computeEnvironments"]) == 1
    batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    assert not batch.call("DescribeComputeEnvironments")["computeEnvironments"]
    assert not batch.compute.pools
