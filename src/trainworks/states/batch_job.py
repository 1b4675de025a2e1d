"""The states of a Batch job and which may follow which.

Source: "Job states" in the AWS Batch user guide (botocore shape `JobStatus`).
"""

from collections.abc import Mapping
from enum import StrEnum


class JobStatus(StrEnum):
    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


_J = JobStatus

TERMINAL = frozenset({_J.SUCCEEDED, _J.FAILED})

NEXT: Mapping[str, frozenset[str]] = {
    _J.SUBMITTED: frozenset({_J.PENDING, _J.RUNNABLE, _J.FAILED}),
    _J.PENDING: frozenset({_J.RUNNABLE, _J.SUCCEEDED, _J.FAILED}),
    _J.RUNNABLE: frozenset({_J.STARTING, _J.FAILED}),
    _J.STARTING: frozenset({_J.RUNNING, _J.RUNNABLE, _J.FAILED}),
    _J.RUNNING: frozenset({_J.SUCCEEDED, _J.FAILED, _J.RUNNABLE}),
}
"""Which status may follow which, as text; RUNNING to RUNNABLE is a retry. An array parent waits in PENDING for its
children."""
