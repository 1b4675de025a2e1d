"""A signed request to a running twin for what only a twin can do: the other side of `twin/control.py`.

Its path belongs to no AWS service. The SDK sends it as a session's user, the commands of the twin as its root user.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from trainworks.errors import TwinError, TwinRefusedError

_TIMEOUT_SECONDS = 120.0


def ask_twin(endpoint_url: str, credentials: Any, region: str, action: str, body: Mapping[str, object]) -> Any:
    """The answer to a signed `POST /_trainworks/<action>`; `credentials` are botocore's.

    Raises `TwinRefusedError` with what the twin says, and `TwinError` if it does not answer.
    """
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - botocore costs a tenth of a second
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    request = AWSRequest("POST", f"{endpoint_url}/_trainworks/{action}", data=json.dumps(body).encode())
    request.headers["Content-Type"] = "application/json"
    SigV4Auth(credentials, "trainworks", region).add_auth(request)
    prepared = urllib.request.Request(  # noqa: S310 - the twin's own loopback address
        str(request.url), data=request.data, headers=dict(request.headers.items()), method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(prepared, timeout=_TIMEOUT_SECONDS) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            problem, _, fix = _message_in(error.read().decode(errors="replace")).partition("\nFix: ")
            raise TwinRefusedError(problem, fix=fix) from error
    except OSError as error:
        raise TwinError(f"the twin does not answer: {error}", fix="trainworks twin status") from error


def _message_in(body: str) -> str:
    """The message of an error of the json protocol; the whole body if it is no such error."""
    try:
        said = json.loads(body)
        return str(said.get("message") or said["Message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body
