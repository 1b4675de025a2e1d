"""How services act as the role that they were given: a session of it, and a client of the twin's own API with that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.config import Config

from trainworks.twin.ports import Credentials

Assume = Callable[[str, str, str, int, str], Credentials]
"""`ControlPlane.assume_for_service`."""

_SESSION_SECONDS, _FRESH_SECONDS = 3600, 300
_MOST_SESSIONS, _MOST_CLIENTS = 1000, 32


class RoleSessions:
    """Sessions of roles, each used again while it is fresh, and clients with them; a bounded number of both.

    `retries` is that member of botocore's `Config`.
    """

    def __init__(self, assume: Assume, endpoint_url: str, retries: Any) -> None:
        self._assume = assume
        self._endpoint_url = endpoint_url
        self._retries = retries
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str, str], Credentials] = {}
        self.client: Callable[[str, str, Credentials], Any] = lru_cache(maxsize=_MOST_CLIENTS)(self._new_client)

    def session(self, role_arn: str, principal: str, source_arn: str, name: str) -> Credentials:
        """A session of the role for what `source_arn` names. Raises `ApiError` if `principal` may not assume it."""
        key = (role_arn, principal, source_arn)
        found = self._sessions.get(key)
        if found is not None and found.expiration - time.time() > _FRESH_SECONDS:
            return found
        session = self._assume(role_arn, principal, name[:64], _SESSION_SECONDS, source_arn)
        with self._lock:
            self._sessions.pop(key, None)
            if len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]  # the oldest
            self._sessions[key] = session
        return session

    def _new_client(self, service: str, region: str, credentials: Credentials) -> Any:
        return botocore.session.Session().create_client(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(retries=self._retries, s3={"addressing_style": "path"}),
        )
