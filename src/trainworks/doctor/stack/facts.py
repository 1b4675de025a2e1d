"""What is known of a stack. Statuses are CloudFormation's; the events are read by whoever asks for the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trainworks.doctor.looking import Look


@dataclass(frozen=True, slots=True)
class Stack:
    """`cloudformation:DescribeStacks`. `changed_at` is when its last operation began."""

    name: str
    status: str
    status_reason: str = ""
    changed_at: datetime | None = None
    termination_protection: bool = False
    drift_status: str = "NOT_CHECKED"


@dataclass(frozen=True, slots=True)
class Failure:
    """A resource that failed in the last operation. `place` is its construct; `hint` what usually fixes this reason."""

    place: str
    logical_id: str
    resource_type: str
    status: str
    reason: str
    at: datetime
    physical_id: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StackFacts:
    """`failures` of the last operation, the first cause first; `last_event_at` tells whether a running one moves.

    `environment` is the environment whose platform the stack is, empty for a stack of somebody else.
    `bootstrap_bucket` is absent if the bucket that templates go to is missing.
    """

    looked_at: datetime
    stack: Look[Stack]
    environment: str = ""
    failures: Look[tuple[Failure, ...]] | None = None
    last_event_at: datetime | None = None
    bootstrap_bucket: Look[str] | None = None
    account: Look[str] | None = None
    expected_account: str = ""
