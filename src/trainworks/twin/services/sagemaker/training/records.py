"""A training job as it stands in the database, and what follows from its request."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Row
from typing import Any

from trainworks.states.training_job import TERMINAL, SecondaryStatus, TrainingJobStatus, status_of
from trainworks.twin.ports import Caller, Credentials, TaskState
from trainworks.twin.services.sagemaker.role_sessions import restored, stored

DEFAULT_MAX_RUNTIME_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One job. `request` is its CreateTrainingJob; times are seconds since the epoch.

    `inside` are the credentials that its containers have and its data is moved with, where its requests are held to its
    VPC; `credentials` are those of what SageMaker does from its own network, and of all else.
    `ending` is the terminal status that the job heads for once its tasks have ended. `idle_seconds` were spent without
    an instance between attempts; `idle_since` is set while that lasts. `submitted_at` is set once the tasks of the
    current `attempt` (0, 1, ...) are queued. `cleaned`: nothing is left to do for it.
    """

    job_id: str
    arn: str
    name: str
    region: str
    account_id: str
    request: Mapping[str, Any]
    creator: str
    credentials: Credentials
    secondary_status: SecondaryStatus
    creation_time: float
    last_modified_time: float
    training_start_time: float | None = None
    training_end_time: float | None = None
    attempt: int = 0
    submitted_at: float | None = None
    stop_sent: bool = False
    ending: SecondaryStatus | None = None
    failure_reason: str | None = None
    model_artifacts: str | None = None
    idle_seconds: float = 0.0
    idle_since: float | None = None
    retries: int = 0
    cleaned: bool = False
    inside: Credentials | None = None

    @property
    def status(self) -> TrainingJobStatus:
        return status_of(self.secondary_status)

    @property
    def is_terminal(self) -> bool:
        return self.secondary_status in TERMINAL

    @property
    def role(self) -> Caller:
        """The session of the execution role, as which the job's data is read and written."""
        return self.own_credentials.caller

    @property
    def own_credentials(self) -> Credentials:
        """Those that its containers have."""
        return self.inside or self.credentials

    @property
    def service_role(self) -> Caller:
        """The session of the execution role, as which SageMaker itself pulls its image and writes its log."""
        return self.credentials.caller

    @property
    def pool_id(self) -> str:
        return f"sagemaker-{self.job_id}"

    @property
    def is_spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining", False))

    @property
    def instance_type(self) -> str:
        return str(self.request["ResourceConfig"]["InstanceType"])

    @property
    def instance_count(self) -> int:
        return int(self.request["ResourceConfig"].get("InstanceCount", 1))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(f"algo-{number}" for number in range(1, self.instance_count + 1))

    @property
    def max_runtime_seconds(self) -> int:
        condition = self.request.get("StoppingCondition", {})
        return int(condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS))

    @property
    def max_wait_until(self) -> float | None:
        """When a spot job's wait and run together end; None for others."""
        wait = self.request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
        return self.creation_time + float(wait) if wait and self.is_spot else None

    @property
    def max_retries(self) -> int:
        return int(self.request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0))

    def seconds_on_instances(self, now: float) -> float:
        """How long the job has held instances, waiting between attempts left out."""
        if self.training_start_time is None:
            return 0.0
        end = self.training_end_time or now
        idle = self.idle_seconds + (end - self.idle_since if self.idle_since is not None else 0.0)
        return max(0.0, end - self.training_start_time - idle)

    def training_time_in_seconds(self) -> int | None:
        """`TrainingTimeInSeconds`: wall clock from the first instance to the end, interruptions included."""
        if self.training_start_time is None or self.training_end_time is None:
            return None
        return max(1, math.ceil(self.training_end_time - self.training_start_time))

    def billable_time_in_seconds(self) -> int | None:
        """`BillableTimeInSeconds`: the time on instances. AWS discounts it by the spot price too; the twin has none."""
        if self.training_end_time is None or self.training_start_time is None:
            return None
        return max(1, math.ceil(self.seconds_on_instances(self.training_end_time)))

    def row(self) -> dict[str, Any]:
        """The record as the parameters of the SQL statements."""
        fields = {
            name: getattr(self, name) for name in self.__slots__ if name not in ("request", "credentials", "inside")
        }
        return {
            **fields,
            "status": self.status.value,
            "secondary_status": self.secondary_status.value,
            "ending": self.ending.value if self.ending else None,
            "request": json.dumps(self.request),
            "credentials": json.dumps(
                {**stored(self.credentials), "inside": None if self.inside is None else stored(self.inside)}
            ),
        }


def job_of_row(row: Row) -> TrainingJob:
    """The record of a row of `training_job`."""
    fields: dict[str, Any] = dict(row)
    fields.pop("status")
    credentials = json.loads(fields["credentials"])
    inside = credentials.pop("inside", None)
    fields["credentials"], fields["inside"] = restored(credentials), None if inside is None else restored(inside)
    fields["request"] = json.loads(fields["request"])
    fields["secondary_status"] = SecondaryStatus(fields["secondary_status"])
    fields["ending"] = SecondaryStatus(fields["ending"]) if fields["ending"] else None
    fields["stop_sent"] = bool(fields["stop_sent"])
    fields["cleaned"] = bool(fields["cleaned"])
    return TrainingJob(**fields)


@dataclass(frozen=True, slots=True)
class Task:
    """One instance's task in an attempt; times are those of its events."""

    task_id: str
    job_id: str
    attempt: int
    host: str
    state: TaskState
    placed_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    instance_id: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state.is_end


def task_of_row(row: Row) -> Task:
    """The record of a row of `training_task`."""
    return Task(**{**dict(row), "state": TaskState(row["state"])})


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of `SecondaryStatusTransitions`."""

    status: SecondaryStatus
    start_time: float
    end_time: float | None
    message: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of `FinalMetricDataList`."""

    name: str
    value: float
    timestamp: float
