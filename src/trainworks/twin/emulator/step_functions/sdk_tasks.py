"""Tasks of Step Functions that call an AWS API: `arn:aws:states:::aws-sdk:<service>:<action>`.

Stock knows two dozen services and calls them as root. Here a task is an ordinary signed request to the twin's own
endpoint, with a session of the state machine's role: it reaches every service that the twin serves, ours included, and
may do what that role may do. After "Calling other AWS services with Step Functions" (Step Functions Developer Guide):
names of services, members and exceptions are those of the AWS SDK for Java 2.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.role_client import Assume, RoleSessions
from trainworks.twin.emulator.services import BOTOCORE_NAMES
from trainworks.twin.ports import ApiError, Caller, Credentials

_PRINCIPAL = "states.amazonaws.com"

# The service of the credential scope by its name in a resource, where the two differ.
_SCOPES = {
    "cloudwatch": "monitoring",
    "cloudwatchlogs": "logs",
    "costexplorer": "ce",
    "eventbridge": "events",
    "resourcegroups": "resource-groups",
    "resourcegroupstaggingapi": "tagging",
    "sfn": "states",
}
_ONLY_SCOPES = frozenset(_SCOPES.values()) - frozenset(_SCOPES)


class SdkTasks:
    """Replaces how ministack runs `aws-sdk` tasks.

    `assume` makes a session of a role, `services` are the credential scopes that the twin serves.
    """

    def __init__(self, assume: Assume, endpoint_url: str, services: Iterable[str]) -> None:
        self._services = frozenset(services)
        self._roles = RoleSessions(assume, endpoint_url, {"total_max_attempts": 1})
        self._machine: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("machine", default=None)
        self._module: Any = None

    def install(self, stepfunctions: Any) -> None:
        """Step Functions was loaded."""
        self._module = stepfunctions
        stock_task, stock_test = stepfunctions._execute_task, stepfunctions._test_state

        def execute_task(state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
            arn = execution["stateMachineArn"]
            machine = stepfunctions._state_machines.get(arn) or {}
            return self._as_machine((arn, machine.get("roleArn", "")), stock_task, state_def, raw_input, execution, ctx)

        def test_state(data: Any) -> Any:
            region, account = self._scope()
            arn = f"arn:aws:states:{region}:{account}:stateMachine:TestState"
            return self._as_machine((arn, data.get("roleArn", "")), stock_test, data)

        stepfunctions._execute_task = execute_task
        stepfunctions._test_state = test_state
        stepfunctions._invoke_aws_sdk_integration = self.invoke

    def serves(self, service: str) -> bool:
        """Whether a resource may name a service so."""
        return served(service.lower(), self._services) is not None

    def invoke(self, resource: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """Call the API that `resource` names and give its result as a task does. Runs in an execution's thread."""
        parts = resource.replace(".waitForTaskToken", "").split(":")
        service = served(parts[6].lower(), self._services) if len(parts) == 8 else None
        if service is None:
            raise self._error("States.Runtime", f"{resource}: trainworks serves no such AWS SDK integration")
        region, _ = self._scope()
        client = self._roles.client(service, region, self._credentials(region))
        operation = parts[7][:1].upper() + parts[7][1:]
        if operation not in client.meta.service_model.operation_names:
            raise self._error("States.Runtime", f"{resource}: {service} has no operation {operation}")
        model = client.meta.service_model.operation_model(operation)
        try:
            answer = client._make_api_call(operation, api_parameters(parameters or {}, model.input_shape))
        except ClientError as error:
            raise self._api_error(client.meta.service_model, error) from error
        except BotoCoreError as error:
            raise self._error("States.Runtime", str(error)) from error
        answer.pop("ResponseMetadata", None)
        result: dict[str, Any] = _result(answer, model.output_shape)
        return result

    def caller(self) -> Caller:
        """The session of the running machine's role, for what is done for it without a request."""
        return self._credentials(self._scope()[0]).caller

    def _as_machine(self, machine: tuple[str, str], work: Callable[..., Any], *arguments: Any) -> Any:
        token = self._machine.set(machine)
        try:
            return work(*arguments)
        finally:
            self._machine.reset(token)

    def _credentials(self, region: str) -> Credentials:
        """A session of the running machine's role, used again while it is fresh."""
        machine = self._machine.get()
        if machine is None:
            raise self._error("States.Runtime", "An AWS SDK integration was called outside a state machine")
        arn, role_arn = machine
        try:
            return self._roles.session(role_arn, _PRINCIPAL, arn, arn.rsplit(":", 1)[-1])
        except ApiError as error:
            raise self._error("States.Permissions", error.message) from error

    def _api_error(self, model: Any, error: ClientError) -> Exception:
        """Exceptions that the service's model names keep their name, all others are the service's own."""
        code, prefix = error.response["Error"]["Code"], sdk_name(str(model.service_id).replace(" ", ""))
        named = {code: shape.name for shape in model.error_shapes for code in (shape.name, shape.error_code)}
        name = sdk_name(named[code]) if code in named else prefix
        name = f"{name.removesuffix('Exception').removesuffix('Fault')}Exception"
        return self._error(f"{prefix}.{name}", f"{error.response['Error'].get('Message', '')} (Service: {prefix})")

    def _error(self, error: str, cause: str) -> Exception:
        raised: Exception = self._module._ExecutionError(error, cause)
        return raised

    @staticmethod
    def _scope() -> tuple[str, str]:
        account, region = engine.scope()
        return region, account


def sdk_name(name: str) -> str:
    """A name of an API model as the SDK for Java spells it: `DBClusterArn` is `DbClusterArn`, `SSEKMS` is `Ssekms`."""
    spelled: list[str] = []
    for position, letter in enumerate(name):
        follows = position > 0 and name[position - 1].isupper()
        starts = position + 1 < len(name) and name[position + 1].islower()
        spelled.append(letter.lower() if letter.isupper() and follows and not starts else letter)
    return name[:1].upper() + "".join(spelled)[1:]


def served(name: str, scopes: Collection[str]) -> str | None:
    """What botocore calls the service that a resource calls `name`, or None if the twin does not serve it."""
    scope = _SCOPES.get(name, name)
    return BOTOCORE_NAMES.get(scope, scope) if scope in scopes and name not in _ONLY_SCOPES else None


def api_parameters(value: Any, shape: Shape | None) -> Any:
    """Members by the names that the API has for them; what the API does not know stays, to be refused there."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        names = {sdk_name(name): str(name) for name in shape.members}
        renamed = {names.get(str(key)) or str(key): item for key, item in value.items()}
        return {key: api_parameters(item, shape.members.get(key)) for key, item in renamed.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [api_parameters(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: api_parameters(item, shape.value) for key, item in value.items()}
    if shape is not None and shape.type_name == "string" and isinstance(value, (dict, list)):
        # A document as an object, where the API wants its text: a policy, say.
        return json.dumps(value)
    return value


def _result(value: Any, shape: Shape | None) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {sdk_name(key): _result(item, shape.members.get(key)) for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_result(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _result(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
