"""Array jobs and dependencies: examples, and a model that random histories are compared with."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.twin.services.batch.conftest import Batch
from trainworks.twin.ports import ApiError, TaskEvent, TaskState


def children(batch: Batch, job_id: str, size: int) -> list[str]:
    return [batch.status(f"{job_id}:{index}") for index in range(size)]


def test_children_know_their_index_and_the_parent_counts_them(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(arrayProperties={"size": 3})
    envs = [batch.compute.tasks[f"batch.{job_id}.{index}.1"].env for index in range(3)]
    assert [env["AWS_BATCH_JOB_ARRAY_INDEX"] for env in envs] == ["0", "1", "2"]
    assert {env["AWS_BATCH_JOB_ARRAY_SIZE"] for env in envs} == {"3"}
    assert batch.job(f"{job_id}:1")["arrayProperties"] == {"index": 1}
    batch.run(f"{job_id}:0")
    parent = batch.job(job_id)
    assert parent["status"] == "PENDING"
    assert parent["arrayProperties"]["size"] == 3
    counts = parent["arrayProperties"]["statusSummary"]
    assert {status: number for status, number in counts.items() if number} == {"SUCCEEDED": 1, "RUNNABLE": 2}
    batch.run(f"{job_id}:1")
    batch.run(f"{job_id}:2")
    assert batch.status(job_id) == "SUCCEEDED"


def test_one_failed_child_fails_the_array_when_the_others_are_done(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(arrayProperties={"size": 2})
    batch.run(f"{job_id}:0", 1)
    assert batch.status(job_id) == "PENDING"
    batch.run(f"{job_id}:1")
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")


def test_sequential_children_run_one_after_the_other_and_fail_in_a_row(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert list(batch.compute.tasks) == [f"batch.{job_id}.0.1"]
    batch.run(f"{job_id}:0")
    assert children(batch, job_id, 4) == ["SUCCEEDED", "RUNNABLE", "PENDING", "PENDING"]
    batch.run(f"{job_id}:1", 1)
    assert children(batch, job_id, 4) == ["SUCCEEDED", "FAILED", "FAILED", "FAILED"]
    assert batch.job(f"{job_id}:3")["statusReason"] == "Dependent Job failed"
    assert batch.status(job_id) == "FAILED"


def test_n_to_n_pairs_children_of_two_arrays(batch: Batch) -> None:
    batch.platform()
    first = batch.submit(arrayProperties={"size": 3})
    batch.run(f"{first}:0")
    batch.run(f"{first}:2", 1)
    second = batch.submit(arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    assert children(batch, second, 3) == ["RUNNABLE", "PENDING", "FAILED"]
    batch.run(f"{first}:1")
    assert children(batch, second, 3) == ["RUNNABLE", "RUNNABLE", "FAILED"]


def test_a_job_waits_for_a_whole_array(batch: Batch) -> None:
    batch.platform()
    first = batch.submit(arrayProperties={"size": 2})
    after = batch.submit(dependsOn=[{"jobId": first}], arrayProperties={"size": 2})
    batch.run(f"{first}:0")
    assert children(batch, after, 2) == ["PENDING", "PENDING"]
    batch.run(f"{first}:1")
    assert children(batch, after, 2) == ["RUNNABLE", "RUNNABLE"]


def test_terminating_an_array_ends_all_its_children(batch: Batch) -> None:
    batch.platform()
    first = batch.submit(arrayProperties={"size": 2})
    waiting = batch.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": first}])
    batch.call("TerminateJob", jobId=waiting, reason="enough")
    assert batch.status(waiting) == "FAILED"
    assert batch.job(waiting)["statusReason"] == "enough"
    batch.call("TerminateJob", jobId=first, reason="enough")
    assert sorted(batch.compute.stopped) == [f"batch.{first}.0.1", f"batch.{first}.1.1"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"arrayProperties": {"size": 1}}, "Array job size must be between 2 and 10,000"),
        ({"arrayProperties": {"size": 10_001}}, "Array job size must be between 2 and 10,000"),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "for array jobs only"),
        ({"dependsOn": [{"jobId": "nothing"}]}, "Job nothing of dependsOn does not exist"),
        ({"dependsOn": [{}]}, "jobId must be given"),
        ({"dependsOn": [{"jobId": "x"}] * 21}, "at most 20"),
        ({"jobQueue": "nowhere"}, "JobQueue .*job-queue/nowhere not found"),
        ({"jobDefinition": "nothing"}, "JobDefinition nothing not found"),
        ({"jobName": "a b"}, "jobName should match valid pattern"),
        ({"nodeOverrides": {"numNodes": 2}}, "does not implement the member 'nodeOverrides'"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": ""}]}}, "AWS_BATCH"),
    ],
)
def test_wrong_submissions_are_refused_and_leave_nothing(batch: Batch, params: dict[str, Any], message: str) -> None:
    batch.platform()
    with pytest.raises(ApiError, match=message) as error:
        batch.submit(**params)
    assert error.value.code == "ClientException"
    assert batch.database.read("SELECT * FROM batch_job") == []


def test_arrays_of_different_size_cannot_be_paired(batch: Batch) -> None:
    batch.platform()
    first = batch.submit(arrayProperties={"size": 3})
    with pytest.raises(ApiError, match="an array of the same size"):
        batch.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])


class History(RuleBasedStateMachine):
    """Random submissions, exits, retries and ends against a plain model of who waits for whom.

    The model decides a job's fate from the recorded exits alone, by recursion over its dependencies; the service does
    it by counters and events.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="batch-"))
        self.batch = Batch(self.folder)
        self.batch.platform()
        self.specs: dict[str, dict[str, Any]] = {}
        self.results: dict[str, str] = {}
        self.attempts: dict[str, int] = {}

    def teardown(self) -> None:
        self.batch.database.close()
        shutil.rmtree(self.folder)

    def leaves(self, job_id: str) -> list[str]:
        size = self.specs[job_id]["size"]
        return [f"{job_id}:{index}" for index in range(size)] if size else [job_id]

    def expected(self, leaf: str) -> str:
        """SUCCEEDED, FAILED, PENDING or RUNNABLE (which here includes everything between it and the end)."""
        if leaf in self.results:
            return self.results[leaf]
        job_id, _, index = leaf.partition(":")
        spec = self.specs[job_id]
        upstream = [self.expected_whole(each) for each in spec["plain"]]
        upstream += [self.expected(f"{each}:{index}") for each in spec["pairs"]]
        if spec["sequential"] and index not in ("", "0"):
            upstream.append(self.expected(f"{job_id}:{int(index) - 1}"))
        if "FAILED" in upstream:
            return "FAILED"
        return "RUNNABLE" if all(each == "SUCCEEDED" for each in upstream) else "PENDING"

    def expected_whole(self, job_id: str) -> str:
        fates = [self.expected(leaf) for leaf in self.leaves(job_id)]
        if not self.specs[job_id]["size"]:
            return fates[0]
        if all(fate in ("SUCCEEDED", "FAILED") for fate in fates):
            return "FAILED" if "FAILED" in fates else "SUCCEEDED"
        return "PENDING"

    @precondition(lambda self: len(self.specs) < 8)
    @rule(data=st.data(), size=st.sampled_from([0, 0, 2, 3]), attempts=st.integers(1, 2), sequential=st.booleans())
    def submit(self, data: st.DataObject, size: int, attempts: int, sequential: bool) -> None:
        known = list(self.specs)
        same_size = [job_id for job_id in known if size and self.specs[job_id]["size"] == size]
        plain = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
        pairs = data.draw(st.lists(st.sampled_from(same_size), unique=True, max_size=1)) if same_size else []
        depends = [{"jobId": job_id} for job_id in plain] + [{"jobId": job_id, "type": "N_TO_N"} for job_id in pairs]
        depends += [{"type": "SEQUENTIAL"}] if sequential and size else []
        array = {"arrayProperties": {"size": size}} if size else {}
        job_id = self.batch.submit(dependsOn=depends, retryStrategy={"attempts": attempts}, **array)
        self.specs[job_id] = {
            "size": size, "plain": plain, "pairs": pairs, "sequential": bool(sequential and size), "attempts": attempts,
        }  # fmt: skip

    def runnable(self) -> list[str]:
        return [leaf for job_id in self.specs for leaf in self.leaves(job_id) if self.expected(leaf) == "RUNNABLE"]

    @precondition(lambda self: self.runnable())
    @rule(data=st.data(), exit_code=st.sampled_from([0, 0, 1]))
    def exit(self, data: st.DataObject, exit_code: int) -> None:
        leaf = data.draw(st.sampled_from(self.runnable()))
        attempt = self.attempts.get(leaf, 0) + 1
        self.attempts[leaf] = attempt
        if exit_code == 0:
            self.results[leaf] = "SUCCEEDED"
        elif attempt == self.specs[leaf.partition(":")[0]]["attempts"]:
            self.results[leaf] = "FAILED"
        self.batch.run(leaf, exit_code, attempt=attempt)

    @precondition(lambda self: self.specs)
    @rule(data=st.data())
    def cancel_what_waits(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.specs)))
        waiting = [leaf for leaf in self.leaves(job_id) if self.expected(leaf) == "PENDING"]
        queued = [leaf for leaf in self.leaves(job_id) if self.expected(leaf) == "RUNNABLE"]
        self.batch.call("CancelJob", jobId=job_id, reason="not needed")
        for leaf in waiting + queued:
            self.results[leaf] = "FAILED"
        for leaf in queued:
            attempt = self.attempts.get(leaf, 0) + 1
            task_id = f"batch.{leaf.replace(':', '.')}.{attempt}"
            assert task_id in self.batch.compute.stopped
            self.batch.report(TaskEvent(task_id, TaskState.CANCELLED, 5.0))

    @invariant()
    def statuses_agree(self) -> None:
        for job_id in self.specs:
            for leaf in self.leaves(job_id):
                assert self.batch.status(leaf) == self.expected(leaf), leaf
            assert self.batch.status(job_id) == self.expected_whole(job_id)

    @invariant()
    def exactly_the_runnable_are_with_compute(self) -> None:
        handed_over = set(self.batch.compute.tasks)
        for leaf in self.runnable():
            assert f"batch.{leaf.replace(':', '.')}.{self.attempts.get(leaf, 0) + 1}" in handed_over


History.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHistory = History.TestCase
