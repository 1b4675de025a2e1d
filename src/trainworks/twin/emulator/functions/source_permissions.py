"""An event source mapping reads its source as the role of its function: when it is created, and at each poll.

After "Lambda execution role permissions" of each source (Lambda Developer Guide); the words are those of
`CreateEventSourceMapping`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.ports import ApiError

_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
}
_NAMES = {"sqs": "SQS", "dynamodb": "DynamoDB"}
_PRINCIPAL = "lambda.amazonaws.com"
_PROBLEM = "PROBLEM: Function call failed: the execution role may not read the source"


def install(lambda_svc: Any, authorization: Authorization) -> None:
    """Lambda was loaded."""
    stock_create, stock_all = lambda_svc._create_esm, lambda_svc._iter_all_esms

    def refused(function_name: str, source_arn: str) -> str | None:
        """The action that the function's role lacks, or None."""
        service = parts_of_arn(source_arn).service
        record = lambda_svc._functions.get(function_name)
        if service not in _ACTIONS or record is None:
            return None
        config = record["config"]
        for action in _ACTIONS[service]:
            try:
                authorization.require_service_role(
                    str(config["Role"]), _PRINCIPAL, action, source_arn, str(config["FunctionArn"])
                )
            except ApiError:
                return action
        return None

    def create_esm(data: dict[str, Any]) -> Any:
        source_arn = str(data.get("EventSourceArn", ""))
        name = str(data.get("FunctionName", "")).rpartition(":function:")[2].partition(":")[0]
        action = refused(name, source_arn)
        if action is None:
            return stock_create(data)
        service, _, operation = action.partition(":")
        return engine.module("core.responses").error_response_json(
            "InvalidParameterValueException",
            f"The provided execution role does not have permissions to call {operation} on {_NAMES[service]}",
            400,
        )

    def iter_all_esms() -> Iterator[tuple[str, str, dict[str, Any]]]:
        scope = engine.module("core.responses").request_scope
        for account, region, mapping in stock_all():
            with scope(account, region):
                action = refused(str(mapping.get("FunctionName", "")), str(mapping.get("EventSourceArn", "")))
            if action is None:
                yield account, region, mapping
            elif mapping.get("LastProcessingResult") != _PROBLEM:
                mapping["LastProcessingResult"] = _PROBLEM

    lambda_svc._create_esm = create_esm
    lambda_svc._iter_all_esms = iter_all_esms
