"""The state machine under any order of events, requests, restarts and time: legal, finite, nothing done twice."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.twin.services.fakes import FakeControlPlane
from tests.unit.twin.services.sagemaker.doubles import ADA, ROLE
from trainworks.states.training_job import SecondaryStatus, may_follow
from trainworks.twin.ports import Credentials, TaskEvent, TaskState
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.sagemaker.training import decide as steps
from trainworks.twin.services.sagemaker.training.decide import decide
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.store import TrainingJobs
from trainworks.twin.store.database import Database

_S = SecondaryStatus
JOB_ID = "abc"


class StateMachine(RuleBasedStateMachine):
    """The worker's loop without its side effects, against a real database; a model of the instances beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tw-states-"))
        self.database = Database(self.folder / "twin.db")
        self.jobs = TrainingJobs(self.database, Outbox(self.database, FakeControlPlane()))
        self.now = 1000.0
        self.stopped: list[int] = []
        self.submitted: list[int] = []
        self.uploads = 0

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize(spot=st.booleans(), count=st.integers(1, 3), retries=st.integers(0, 2), wait=st.integers(20, 200))
    def create(self, spot: bool, count: int, retries: int, wait: int) -> None:
        request: dict[str, Any] = {
            "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count},
            "StoppingCondition": {"MaxRuntimeInSeconds": 20},
            "EnableManagedSpotTraining": spot,
        }
        if spot:
            request["StoppingCondition"]["MaxWaitTimeInSeconds"] = wait
        if retries:
            request["RetryStrategy"] = {"MaximumRetryAttempts": retries}
        credentials = Credentials("a", "b", "c", 0.0, ROLE)
        job = TrainingJob(
            JOB_ID, "arn", "job", "us-east-1", "0", request, ADA.arn, credentials, _S.STARTING, self.now, self.now
        )
        with self.database.transaction() as tx:
            self.jobs.insert(tx, job, {})

    def job(self) -> TrainingJob:
        with self.database.transaction() as tx:
            found = self.jobs.by_id(tx, JOB_ID)
        assert found is not None
        return found

    def tasks(self) -> list[Any]:
        with self.database.transaction() as tx:
            return self.jobs.tasks(tx, self.job())

    @rule()
    def work(self) -> None:
        """Carry on until there is nothing but to wait; it always comes to that."""
        for _ in range(40):
            job = self.job()
            action = decide(job, self.tasks() if job.submitted_at is not None else [], self.now)
            if isinstance(action, steps.Wait):
                return
            self.do(action, job)
        raise AssertionError(f"no end of work: {job}")

    def do(self, action: steps.Action, job: TrainingJob) -> None:
        with self.database.transaction() as tx:
            if isinstance(action, steps.Prepare):
                assert job.attempt not in self.submitted, "an attempt is submitted once"
                assert job.ending is None, "nothing new is started for a job that is to end"
                self.submitted.append(job.attempt)
                self.jobs.insert_tasks(tx, job, [(f"t-{job.attempt}-{host}", host) for host in job.hosts])
                self.jobs.update(tx, job, submitted_at=self.now, stop_sent=False)
            elif isinstance(action, steps.EnterState):
                self.jobs.transition(tx, job, action.following, action.at, **action.changes)
            elif isinstance(action, steps.PlanEnding):
                self.jobs.update(tx, job, ending=action.ending)
            elif isinstance(action, steps.StopTasks):
                assert job.attempt not in self.stopped, "tasks of an attempt are told to stop once"
                self.stopped.append(job.attempt)
                self.jobs.update(tx, job, stop_sent=True)
            elif isinstance(action, steps.SaveCheckpoints):
                self.jobs.transition(tx, job, action.then.following, action.then.at, **action.then.changes)
            elif isinstance(action, steps.Restart):
                self.jobs.transition(
                    tx, job, _S.RESTARTING, self.now, attempt=job.attempt + 1, submitted_at=None, stop_sent=False
                )
            elif isinstance(action, steps.Upload):
                self.uploads += 1
                self.jobs.transition(tx, job, action.ending, self.now)
            elif isinstance(action, steps.CleanUp):
                self.jobs.update(tx, job, cleaned=True)

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    def has_open_tasks(self) -> bool:
        return any(not task.has_ended for task in self.tasks())

    @precondition(has_open_tasks)
    @rule(data=st.data())
    def a_task_goes_on(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from([task for task in self.tasks() if not task.has_ended]))
        following = {
            TaskState.QUEUED: [TaskState.PLACED, TaskState.CANCELLED],
            TaskState.PLACED: [TaskState.RUNNING, TaskState.LOST, TaskState.EXITED],
            TaskState.RUNNING: [TaskState.EXITED, TaskState.LOST],
        }[task.state]
        if task.state is TaskState.QUEUED and self.job().attempt not in self.stopped:
            following = [TaskState.PLACED]
        state = data.draw(st.sampled_from(following))
        event = TaskEvent(task.task_id, state, self.now, "i-1")
        if state is TaskState.EXITED:
            reasons = [(0, ""), (0, ""), (1, ""), (143, "timeout"), (137, "out of memory")]
            chosen = (127, "cannot start: x") if task.state is TaskState.PLACED else data.draw(st.sampled_from(reasons))
            event = replace(event, exit_code=chosen[0], reason=chosen[1])
        elif state is TaskState.LOST:
            event = replace(event, reason=data.draw(st.sampled_from(["spot interruption", "instance failed"])))
        self.deliver(event)
        self.deliver(event)  # told twice, as after a restart: the second time changes nothing

    def deliver(self, event: TaskEvent) -> None:
        with self.database.transaction() as tx:
            self.jobs.apply_events(tx, [event])

    def can_stop(self) -> bool:
        job = self.job()
        return not job.is_terminal and job.ending is None

    @precondition(can_stop)
    @rule()
    def stop_requested(self) -> None:
        job = self.job()
        with self.database.transaction() as tx:
            if job.secondary_status is _S.UPLOADING:
                self.jobs.update(tx, job, ending=_S.STOPPED)
            else:
                self.jobs.transition(tx, job, _S.STOPPING, self.now, ending=_S.STOPPED)

    @rule()
    def server_restarts(self) -> None:
        self.database.close()
        self.database = Database(self.folder / "twin.db")
        self.jobs = TrainingJobs(self.database, Outbox(self.database, FakeControlPlane()))

    @invariant()
    def the_history_is_legal(self) -> None:
        if self.database.read_one("SELECT 1 FROM training_job") is None:
            return
        job = self.job()
        entries = self.jobs.transitions(JOB_ID)
        for before, after in pairwise(entries):
            assert may_follow(before.status, after.status)
            assert before.end_time == after.start_time >= before.start_time
        assert entries[-1].status is job.secondary_status
        assert (entries[-1].end_time is None) is True
        assert self.uploads <= 1
        assert job.retries <= job.max_retries
        assert job.idle_seconds >= 0
        if job.is_terminal:
            trained, billed = job.training_time_in_seconds(), job.billable_time_in_seconds()
            assert (trained is None) == (billed is None)
            if trained is not None and billed is not None:
                assert 1 <= billed <= trained


StateMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_states = StateMachine.TestCase
