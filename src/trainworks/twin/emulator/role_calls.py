"""Calls of AWS APIs that rules and schedules make as the role of their target, in the background.

A call is an ordinary signed request to the twin's own endpoint, made in a thread, since the one that owns all state
waits for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trainworks.twin.emulator.role_client import role_client
from trainworks.twin.emulator.sdk_tasks import SESSION_SECONDS, Assume, api_parameters, served
from trainworks.twin.ports import ApiError, Credentials

_FRESH_SECONDS = 300
_MAX_SESSIONS = 1000


class RoleCalls:
    """`assume` makes a session of a role, `services` are the credential scopes that the twin serves."""

    def __init__(self, assume: Assume, endpoint_url: str, services: Iterable[str]) -> None:
        self._assume = assume
        self._endpoint_url = endpoint_url
        self._services = frozenset(services)
        self._sessions: dict[tuple[str, str, str], Credentials] = {}
        self._client = lru_cache(maxsize=32)(self._new_client)

    def botocore_name(self, service: str) -> str | None:
        """What botocore calls a service by its name in an SDK's ARN, or None where the twin does not serve it."""
        return served(service, self._services)

    def call(  # noqa: PLR0917 - who calls what, for whom
        self, role_arn: str, principal: str, source_arn: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Make a call as a role that `principal` may assume. Raises `ApiError` for whatever prevents it."""
        region = source_arn.split(":")[3]
        session = self._session(role_arn, principal, source_arn)
        client = self._client(service, region, session)
        if operation not in client.meta.service_model.operation_names:
            raise ApiError("ValidationException", f"{service} has no operation {operation}")
        shape = client.meta.service_model.operation_model(operation).input_shape
        try:
            answer: Mapping[str, Any] = client._make_api_call(operation, api_parameters(params, shape))
        except ClientError as error:
            raise ApiError(error.response["Error"]["Code"], error.response["Error"].get("Message", "")) from error
        except BotoCoreError as error:
            raise ApiError("ValidationException", str(error)) from error
        return answer

    def _session(self, role_arn: str, principal: str, source_arn: str) -> Credentials:
        key = (role_arn, principal, source_arn)
        found = self._sessions.get(key)
        if found is not None and found.expiration - time.time() > _FRESH_SECONDS:
            return found
        name = source_arn.rsplit("/", 1)[-1][:64]
        session = self._assume(role_arn, principal, name, SESSION_SECONDS, source_arn)
        if len(self._sessions) >= _MAX_SESSIONS:
            self._sessions.clear()
        self._sessions[key] = session
        return session

    def _new_client(self, service: str, region: str, credentials: Credentials) -> Any:
        retries = {"total_max_attempts": 3, "mode": "standard"}
        return role_client(self._endpoint_url, service, region, credentials, retries=retries)
