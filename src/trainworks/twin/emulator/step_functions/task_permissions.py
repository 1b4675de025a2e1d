"""What a state machine's tasks may do is what its role may do, in every integration that ministack runs itself.

Stock runs functions, messages, events, items and nested executions as the account. Here the role of the machine is
asked first; tasks of the AWS SDK are requests of the role anyway (`sdk_tasks.py`). The names of errors are those that
the SDK for Java has for a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.step_functions.sdk_tasks import SdkTasks
from trainworks.twin.ports import ApiError

Needs = Callable[[Any], Iterator[tuple[str, str]]]
"""(action, resource) of each permission that a task's input asks for."""

_ERRORS = {
    "dynamodb": "DynamoDB.AmazonDynamoDBException",
    "events": "EventBridge.AWSEventBridgeException",
    "lambda": "Lambda.AWSLambdaException",
    "s3": "States.ItemReaderFailed",
    "sns": "SNS.AuthorizationErrorException",
    "sqs": "SQS.AmazonSQSException",
    "states": "StepFunctions.AWSStepFunctionsException",
}


class TaskPermissions:
    """Puts the question before each of ministack's integrations."""

    def __init__(self, authorization: Authorization, tasks: SdkTasks) -> None:
        self._authorization = authorization
        self._tasks = tasks
        self._module: Any = None

    def install(self, stepfunctions: Any) -> None:
        """Step Functions was loaded, and `SdkTasks` is installed."""
        self._module = stepfunctions
        table = stepfunctions._SERVICE_DISPATCH
        for prefix, needs in _INTEGRATIONS.items():
            if prefix in table:
                table[prefix] = self._asking(table[prefix], needs, argument=1)
        for name, needs in (
            ("_invoke_nested_start_execution", _nested),
            ("_invoke_nested_start_execution_sync", _nested),
        ):
            setattr(stepfunctions, name, self._asking(getattr(stepfunctions, name), needs, argument=1))
        stepfunctions._call_lambda = self._asking(stepfunctions._call_lambda, _function, argument=0)
        stock_read = stepfunctions._s3_object_text

        def object_text(bucket: str, key: str) -> Any:
            self._require([("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")])
            return stock_read(bucket, key)

        stepfunctions._s3_object_text = object_text

    def _asking(self, stock: Callable[..., Any], needs: Needs, argument: int) -> Callable[..., Any]:
        def asking(*arguments: Any) -> Any:
            self._require(needs(arguments[argument]))
            return stock(*arguments)

        return asking

    def _require(self, needs: Any) -> None:
        caller = self._tasks.caller()
        for action, resource in needs:
            try:
                self._authorization.authorize(caller, action, resource)
            except ApiError as error:
                service = action.partition(":")[0]
                cause = f"{error.message} (Service: {service}; Status Code: 403; Error Code: {error.code})"
                raise self._module._ExecutionError(_ERRORS[service], cause) from error


def _scope() -> str:
    account, region = engine.scope()
    return f"{region}:{account}"


def _function(reference: Any) -> Iterator[tuple[str, str]]:
    name = str(reference)
    if not name.startswith("arn:"):
        name = f"arn:aws:lambda:{_scope()}:function:{name.rsplit(':function:', 1)[-1]}"
    yield "lambda:InvokeFunction", name


def _queue(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "sqs:SendMessage", f"arn:aws:sqs:{_scope()}:{str(given.get('QueueUrl', '')).rsplit('/', 1)[-1]}"


def _topic(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "sns:Publish", str(given.get("TopicArn") or given.get("TargetArn") or "*")


def _bus(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = dict.fromkeys(str(entry.get("EventBusName") or "default") for entry in given.get("Entries") or ())
    for name in names:
        yield "events:PutEvents", name if name.startswith("arn:") else f"arn:aws:events:{_scope()}:event-bus/{name}"


def _item(action: str) -> Needs:
    def needs(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        name = str(given.get("TableName", ""))
        yield action, name if name.startswith("arn:") else f"arn:aws:dynamodb:{_scope()}:table/{name}"

    return needs


def _nested(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "states:StartExecution", str(given.get("StateMachineArn") or given.get("stateMachineArn") or "*")


_INTEGRATIONS: dict[str, Needs] = {
    "arn:aws:states:::sqs:sendMessage": _queue,
    "arn:aws:states:::sns:publish": _topic,
    "arn:aws:states:::events:putEvents": _bus,
    "arn:aws:states:::dynamodb:putItem": _item("dynamodb:PutItem"),
    "arn:aws:states:::dynamodb:getItem": _item("dynamodb:GetItem"),
    "arn:aws:states:::dynamodb:deleteItem": _item("dynamodb:DeleteItem"),
    "arn:aws:states:::dynamodb:updateItem": _item("dynamodb:UpdateItem"),
}
