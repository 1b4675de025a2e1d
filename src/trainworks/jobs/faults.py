"""AWS's errors as ours: what a user did wrong, with the value and the fix. What is not known here passes unchanged."""

from __future__ import annotations

from botocore.exceptions import ClientError


def code_of(error: ClientError) -> str:
    """The error's code as the service sent it; for a HEAD request the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """The error's message as the service sent it."""
    return str(error.response.get("Error", {}).get("Message", error))
