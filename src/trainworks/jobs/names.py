"""Names of jobs: `<base>-<UTC time>-<4 hex digits>`, within the 63 characters that SageMaker allows."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from trainworks.errors import RequestError

_TRAINING = re.compile(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")


def job_name(base: str, now: datetime | None = None, token: str | None = None) -> str:
    """A new name; two jobs of one second differ by the token."""
    moment = now or datetime.now(UTC)
    return f"{base}-{moment:%Y%m%d-%H%M%S}-{token or secrets.token_hex(2)}"


def checked_name(name: str) -> str:
    """`name` if a job may have it, else `RequestError`."""
    if not _TRAINING.fullmatch(name):
        raise RequestError(
            f"job name {name!r} is not allowed; allowed: 1 to 63 letters, digits and hyphens, "
            "with a letter or digit at either end",
            fix="choose another --name",
        )
    return name
