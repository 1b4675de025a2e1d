"""Tasks of Step Functions that are jobs: `batch:submitJob` and `sagemaker:createTrainingJob`, also with `.sync`.

A job is submitted, described and stopped by requests of the state machine's role. With `.sync` a task is done when its
job is; it is looked at after a fifth of a second and then ever less often, at most every two seconds. Who stops the
execution, or lets the task's time run out, stops the job. After "Integrating services with Step Functions" (AWS Step
Functions Developer Guide).
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.twin.emulator.step_functions.sdk_tasks import SdkTasks

_FIRST_SECONDS, _MOST_SECONDS, _GROWTH = 0.2, 2.0, 1.3


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: the calls for it, and how to read their answers."""

    submit: str
    describe: str
    stop: str
    described_by: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    stopped_by: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    found: Callable[[Mapping[str, Any]], dict[str, Any]]
    status: str
    succeeded: frozenset[str]
    failed: frozenset[str]


_BATCH = Job(
    "batch:submitJob",
    "batch:describeJobs",
    "batch:terminateJob",
    lambda _, made: {"Jobs": [made["JobId"]]},
    lambda _, made: {"JobId": made["JobId"], "Reason": "The execution of the state machine was stopped"},
    lambda answer: dict(answer["Jobs"][0]),
    "Status",
    frozenset({"SUCCEEDED"}),
    frozenset({"FAILED"}),
)
_TRAINING = Job(
    "sagemaker:createTrainingJob",
    "sagemaker:describeTrainingJob",
    "sagemaker:stopTrainingJob",
    lambda given, _: {"TrainingJobName": given["TrainingJobName"]},
    lambda given, _: {"TrainingJobName": given["TrainingJobName"]},
    dict,
    "TrainingJobStatus",
    frozenset({"Completed"}),
    frozenset({"Failed", "Stopped"}),
)


class JobTasks:
    """Adds the integrations to ministack's table of them."""

    def __init__(self, tasks: SdkTasks) -> None:
        self._tasks = tasks
        self._module: Any = None
        self._execution: contextvars.ContextVar[Any] = contextvars.ContextVar("execution", default=None)
        self._deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)

    def install(self, stepfunctions: Any) -> None:
        """Step Functions was loaded, and `SdkTasks` is installed."""
        self._module = stepfunctions
        for job in (_BATCH, _TRAINING):
            stepfunctions._SERVICE_DISPATCH[f"arn:aws:states:::{job.submit}"] = self._handler(job)
        stock_task, stock_timed = stepfunctions._execute_task, stepfunctions._invoke_resource_with_timeout

        def execute_task(state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
            token = self._execution.set(execution)
            try:
                return stock_task(state_def, raw_input, execution, ctx)
            finally:
                self._execution.reset(token)

        def with_timeout(resource: str, given: Any, timeout: Any) -> Any:
            token = self._deadline.set(time.monotonic() + float(timeout))
            try:
                return stock_timed(resource, given, timeout)
            finally:
                self._deadline.reset(token)

        stepfunctions._execute_task = execute_task
        stepfunctions._invoke_resource_with_timeout = with_timeout

    def _handler(self, job: Job) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
        def run(resource: str, given: Mapping[str, Any]) -> dict[str, Any]:
            made = self._call(job.submit, given)
            return self._wait(job, given, made) if resource.endswith(".sync") else made

        return run

    def _wait(self, job: Job, given: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
        pause = _FIRST_SECONDS
        while True:
            time.sleep(pause)
            pause = min(pause * _GROWTH, _MOST_SECONDS)
            if (ended := self._ended()) is not None:
                self._call(job.stop, job.stopped_by(given, made))
                raise self._module._ExecutionError(*ended)
            found = job.found(self._call(job.describe, job.described_by(given, made)))
            if found[job.status] in job.succeeded:
                return found
            if found[job.status] in job.failed:
                raise self._module._ExecutionError("States.TaskFailed", json.dumps(found))

    def _ended(self) -> tuple[str, str] | None:
        """Why nobody waits for the job any more, or None."""
        execution, deadline = self._execution.get(), self._deadline.get()
        if execution is not None and execution.get("status", "RUNNING") != "RUNNING":
            return "States.TaskFailed", "The execution was stopped"
        if deadline is not None and time.monotonic() > deadline:
            return "States.Timeout", "The task timed out"
        return None

    def _call(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._tasks.invoke(f"arn:aws:states:::aws-sdk:{operation}", given)
