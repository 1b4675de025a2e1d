"""Calls of AWS APIs that rules and schedules make as the role of their target, in the background.

A call is an ordinary signed request to the twin's own endpoint, made in a thread, since the one that owns all state
waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator.iam.role_client import Assume, RoleSessions
from trainworks.twin.emulator.step_functions.sdk_tasks import api_parameters, served
from trainworks.twin.ports import ApiError


class RoleCalls:
    """`assume` makes a session of a role, `services` are the credential scopes that the twin serves."""

    def __init__(self, assume: Assume, endpoint_url: str, services: Iterable[str]) -> None:
        self._services = frozenset(services)
        self._roles = RoleSessions(assume, endpoint_url, {"total_max_attempts": 3, "mode": "standard"})

    def botocore_name(self, service: str) -> str | None:
        """What botocore calls a service by its name in an SDK's ARN, or None if the twin does not serve it."""
        return served(service, self._services)

    def call(  # noqa: PLR0917 - who calls what, for whom
        self, role_arn: str, principal: str, source_arn: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Make a call as a role that `principal` may assume. Raises `ApiError` for whatever prevents it."""
        region = parts_of_arn(source_arn).region
        session = self._roles.session(role_arn, principal, source_arn, source_arn.rsplit("/", 1)[-1])
        client = self._roles.client(service, region, session)
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
