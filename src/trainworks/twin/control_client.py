"""Asking a running twin, as its account's root, for what only a twin can do: `control.py`'s other side."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from trainworks.errors import TwinError
from trainworks.twin.home import DEFAULT_REGION
from trainworks.twin.lifecycle import RunningServer

_TIMEOUT_SECONDS = 120.0


def ask(server: RunningServer, action: str, body: Mapping[str, object]) -> dict[str, Any]:
    """The answer to a signed `POST /_trainworks/<action>`. Raises `TwinError` with what the twin says."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - botocore costs a tenth of a second
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    request = AWSRequest("POST", f"{server.endpoint_url}/_trainworks/{action}", data=json.dumps(body).encode())
    request.headers["Content-Type"] = "application/json"
    keys = server.credentials
    SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key), "trainworks", DEFAULT_REGION).add_auth(request)
    prepared = urllib.request.Request(  # noqa: S310 - the twin's own loopback address
        str(request.url), data=request.data, headers=dict(request.headers.items()), method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(prepared, timeout=_TIMEOUT_SECONDS) as response:
            answer: dict[str, Any] = json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            problem, _, fix = _message_in(error.read().decode(errors="replace")).partition("\nFix: ")
            raise TwinError(f"the twin refuses: {problem}", fix=fix) from error
    except OSError as error:
        raise TwinError(f"the twin does not answer: {error}", fix="trainworks twin status") from error
    return answer


def _message_in(body: str) -> str:
    """What an error of the json protocol says; all of what is none."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        return body
    return str(said)
