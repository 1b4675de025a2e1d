"""Why an endpoint failed, in SageMaker's words, and with what its container said last."""

from __future__ import annotations

from pathlib import Path

from trainworks.twin.ports import ApiError
from trainworks.twin.services.sagemaker.failure_reasons import MAX_REASON, FailureReasonError, end_of, log_tail
from trainworks.twin.services.sagemaker.hosting.records import Container

_LINES = 12


class HostingError(FailureReasonError):
    """A container cannot be made; `reason` is the endpoint's FailureReason."""


def artefact_failure(uri: str, role_arn: str, error: ApiError) -> HostingError:
    return HostingError(
        f'Failed to download model data for container "container_1" from URL: "{uri}" as the role "{role_arn}". Please '
        f"ensure that there is an object located at the URL and that the role has permissions to access it. "
        f"{error.code}: {error.message}"
    )


def container_failure(container: Container, log: Path, *, is_late: bool) -> str:
    """The FailureReason for a container that ended or did not answer in time: its last lines are part of it."""
    start = (
        f"The primary container for production variant {container.variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    how = " It did not answer to /ping in time." if is_late else f" It ended{_ending(container)}."
    said = "\n".join(log_tail(log).strip().splitlines()[-_LINES:])
    room = MAX_REASON - len(start) - len(how) - 20
    shown = end_of(said, room)
    return f"{start}{how}{' Its last lines: ' if shown else ''}{shown}"


def _ending(container: Container) -> str:
    if container.reason:
        return f": {container.reason}"
    return f" with exit code {container.exit_code}" if container.exit_code is not None else ""
