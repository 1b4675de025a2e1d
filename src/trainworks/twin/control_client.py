"""Asking a running twin, as its account's root, for what only a twin can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.errors import TwinError, TwinRefusedError
from trainworks.twin.home import DEFAULT_REGION
from trainworks.twin.lifecycle import RunningServer
from trainworks.twin_request import ask_twin


def ask(server: RunningServer, action: str, body: Mapping[str, object]) -> dict[str, Any]:
    """The answer to `POST /_trainworks/<action>`. Raises `TwinError` with what the twin says."""
    from botocore.credentials import Credentials  # noqa: PLC0415 - botocore costs a tenth of a second

    keys = Credentials(server.credentials.access_key_id, server.credentials.secret_access_key)
    try:
        answer: dict[str, Any] = ask_twin(server.endpoint_url, keys, DEFAULT_REGION, action, body)
    except TwinRefusedError as error:
        raise TwinError(f"the twin refuses: {error.message}", fix=error.fix) from error
    return answer
