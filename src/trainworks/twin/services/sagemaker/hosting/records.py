"""An endpoint as stored in the database: its record, the variants that it is to serve with, and its containers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from sqlite3 import Row
from typing import Any

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.ports import Caller, Credentials, TaskState
from trainworks.twin.recorded import Record
from trainworks.twin.services.sagemaker.role_sessions import restored, stored

TASK_PREFIX = "endpoint-"
DEFAULT_STARTUP_SECONDS = 480.0
"""Until its first good answer to /ping, in seconds: after "Custom Inference Code with Hosting Services"."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.

    `fleet` is the number of the fleet that serves, `next_fleet` that of the one that is being started to replace it; 0
    means none. `last_fleet` is the highest number given so far. `scaling_since` is when the counts of the fleet that
    serves were changed (seconds since the epoch), 0 once it has reached them.
    """

    arn: str
    name: str
    endpoint_id: str
    status: EndpointStatus
    fleet: int
    next_fleet: int
    last_fleet: int
    scaling_since: float = 0.0

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self.name}"

    @property
    def fleets(self) -> tuple[int, ...]:
        """The fleets that are wanted: the one that serves, and the next."""
        return tuple(each for each in (self.fleet, self.next_fleet) if each)


def endpoint_of(record: Record) -> Endpoint:
    spec = record.spec
    return Endpoint(
        record.id,
        record.name,
        spec["EndpointId"],
        EndpointStatus(record.status),
        spec["Fleet"],
        spec["NextFleet"],
        spec["LastFleet"],
        spec.get("ScalingSince", 0.0),
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """One production variant of a fleet. `config` is its ProductionVariant, `model` its CreateModel; `count` and
    `weight` are what is wanted now. `credentials` are of the model's role."""

    endpoint_arn: str
    fleet: int
    place: int
    name: str
    count: int
    weight: float
    config: Mapping[str, Any]
    model: Mapping[str, Any]
    credentials: Credentials

    @property
    def role(self) -> Caller:
        """The session of the model's role, as which its artefact is read and its logs are written."""
        return self.credentials.caller

    @property
    def instance_type(self) -> str:
        return str(self.config["InstanceType"])

    @property
    def startup_seconds(self) -> float:
        return float(self.config.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_SECONDS))

    @property
    def key(self) -> tuple[int, str]:
        """What its containers have in common."""
        return self.fleet, self.name

    def row(self) -> dict[str, Any]:
        """The record as the parameters of the SQL statements."""
        plain = {name: getattr(self, name) for name in ("endpoint_arn", "fleet", "place", "name", "count", "weight")}
        return plain | {
            "config": json.dumps(self.config),
            "model": json.dumps(self.model),
            "credentials": json.dumps(stored(self.credentials)),
        }


def variant_of(row: Row) -> Variant:
    """The record of a row of `hosting_variant`."""
    fields: dict[str, Any] = dict(row)
    fields["credentials"] = restored(json.loads(fields["credentials"]))
    fields["config"], fields["model"] = json.loads(fields["config"]), json.loads(fields["model"])
    return Variant(**fields)


class Phase(StrEnum):
    """STARTING until its first good answer to /ping; SERVING while it gets requests; DRAINING when it gets no
    more of them and is stopped as soon as those that it has are answered."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Container:
    """One container on one instance; times are seconds since the epoch."""

    task_id: str
    endpoint_arn: str
    fleet: int
    variant: str
    phase: Phase
    state: TaskState
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    has_served: bool = False
    stop_sent: bool = False
    drained_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    instance_id: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state.is_end

    @property
    def is_meant(self) -> bool:
        """Whether it counts towards the number that its variant is to have."""
        return not self.has_ended and self.phase is not Phase.DRAINING

    @property
    def takes_requests(self) -> bool:
        return self.phase is Phase.SERVING and self.state is TaskState.RUNNING

    @property
    def key(self) -> tuple[int, str]:
        return self.fleet, self.variant


def container_of_row(row: Row) -> Container:
    """The record of a row of `hosting_container`."""
    fields: dict[str, Any] = dict(row)
    fields |= {"phase": Phase(fields["phase"]), "state": TaskState(fields["state"])}
    fields |= {"has_served": bool(fields["has_served"]), "stop_sent": bool(fields["stop_sent"])}
    return Container(**fields)
