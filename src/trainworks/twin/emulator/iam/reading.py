"""What ministack reads inside itself for somebody's request, that one has to be allowed to read.

A template or a function's code in S3, the parameters and secrets that a template refers to: AWS reads them with the
permissions of the caller, or of who a stack acts as. Background work has nobody and reads as before.
"""

from __future__ import annotations

from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.stack_permissions import StackPermissions
from trainworks.twin.emulator.iam.actors import Actor
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.ports import ApiError

READ_BY_OTHERS = ("s3", "secretsmanager", "ssm")


class Reading:
    """Puts the question before ministack's own ways to objects, parameters and secrets."""

    def __init__(self, authorization: Authorization, stacks: StackPermissions) -> None:
        self._authorization = authorization
        self._stacks = stacks

    def install(self, name: str, module: Any) -> None:
        """A service was loaded whose data others read; `EmulatorBuckets` is installed before."""
        if name == "s3":
            stock_object = module._get_object_data

            def get_object_data(bucket_name: str, key: str, version_id: str | None = None) -> Any:
                self._require("s3:GetObject", f"arn:aws:s3:::{bucket_name}/{key}")
                return stock_object(bucket_name, key, version_id)

            module._get_object_data = get_object_data
        elif name == "ssm":
            stock_parameter = module.resolve_parameter_value

            def resolve_parameter_value(name_or_arn: str, version: Any = None, decrypt: bool = False) -> Any:
                self._require_named("ssm:GetParameters", "ssm", "parameter/", name_or_arn.lstrip("/"))
                return stock_parameter(name_or_arn, version, decrypt)

            module.resolve_parameter_value = resolve_parameter_value
        elif name == "secretsmanager":
            stock_secret = module.resolve_secret_string

            def resolve_secret_string(
                secret_id: str, version_stage: str = "AWSCURRENT", version_id: str | None = None
            ) -> Any:
                self._require("secretsmanager:GetSecretValue", _secret_arn(module, secret_id))
                return stock_secret(secret_id, version_stage, version_id)

            module.resolve_secret_string = resolve_secret_string

    def _require_named(self, action: str, service: str, prefix: str, name: str) -> None:
        responses = engine.module("core.responses")
        arn = f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}:{prefix}{name}"
        self._require(action, name if name.startswith("arn:") else arn)

    def _require(self, action: str, resource: str) -> None:
        """Raise `ValueError` with the denial: those who read take it as the reason why it cannot be read."""
        try:
            actor = self._reader()
            if actor is not None:
                self._authorization.require(actor, action, resource, engine.module("core.responses").get_region())
        except ApiError as error:
            raise ValueError(error.message) from error

    def _reader(self) -> Actor | None:
        deploying = self._stacks.acting()
        if deploying is not None:
            return deploying
        key = self._authorization.caller_key()
        account = engine.module("core.responses").get_account_id()
        return self._authorization.actors.of_key(key, account) if key else None


def _secret_arn(secretsmanager: Any, secret_id: str) -> str:
    """The ARN of a secret by its name, with the six characters that it has behind."""
    if secret_id.startswith("arn:"):
        return secret_id
    found = secretsmanager._secrets.get(secret_id)
    responses = engine.module("core.responses")
    missing = f"arn:aws:secretsmanager:{responses.get_region()}:{responses.get_account_id()}:secret:{secret_id}"
    return str(found["ARN"]) if isinstance(found, dict) and "ARN" in found else missing
