"""A stack as CloudFormation describes it, and what each of its states means for the next operation.

condition        stack statuses                                              what `up` does
ABSENT           no stack, DELETE_COMPLETE                                   creates it
STABLE           CREATE_, UPDATE_, UPDATE_ROLLBACK_, IMPORT_..._COMPLETE,    compares, then updates it
                 UPDATE_FAILED
IN_PROGRESS      every ..._IN_PROGRESS but REVIEW_IN_PROGRESS                follows it to its end, then looks again
IN_REVIEW        REVIEW_IN_PROGRESS                                          deletes the empty stack, then creates
NEVER_CREATED    ROLLBACK_COMPLETE                                           deletes what is left, then creates
BROKEN           CREATE_FAILED, ROLLBACK_FAILED, DELETE_FAILED               stops; `--recreate` deletes and creates
ROLLBACK_STUCK   UPDATE_ROLLBACK_FAILED                                      stops; `--continue-rollback`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class StackCondition(StrEnum):
    """What a stack's status means for the next operation; the table is in the module's docstring."""

    ABSENT = "ABSENT"
    STABLE = "STABLE"
    IN_PROGRESS = "IN_PROGRESS"
    IN_REVIEW = "IN_REVIEW"
    NEVER_CREATED = "NEVER_CREATED"
    BROKEN = "BROKEN"
    ROLLBACK_STUCK = "ROLLBACK_STUCK"


_CONDITIONS = {
    "DELETE_COMPLETE": StackCondition.ABSENT,
    "REVIEW_IN_PROGRESS": StackCondition.IN_REVIEW,
    "ROLLBACK_COMPLETE": StackCondition.NEVER_CREATED,
    "CREATE_FAILED": StackCondition.BROKEN,
    "ROLLBACK_FAILED": StackCondition.BROKEN,
    "DELETE_FAILED": StackCondition.BROKEN,
    "UPDATE_ROLLBACK_FAILED": StackCondition.ROLLBACK_STUCK,
}


def condition_of(status: str) -> StackCondition:
    """The condition of a stack in CloudFormation's `status`."""
    if status in _CONDITIONS:
        return _CONDITIONS[status]
    return StackCondition.IN_PROGRESS if status.endswith("_IN_PROGRESS") else StackCondition.STABLE


def succeeded(status: str) -> bool:
    """Whether an operation that ended in `status` did what was asked."""
    return status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"}


@dataclass(frozen=True, slots=True)
class StackState:
    """`cloudformation:DescribeStacks` of one stack. `stack_id` is its ARN."""

    stack_name: str
    stack_id: str
    status: str
    status_reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    termination_protection: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    drift_status: str = "NOT_CHECKED"

    @property
    def condition(self) -> StackCondition:
        return condition_of(self.status)


def describe_stack(client: CloudFormationClient, stack_name: str) -> StackState | None:
    """The state of a stack by name or ARN, or None if there is none.

    A name finds no deleted stack; an ARN does (`DELETE_COMPLETE`).
    """
    try:
        stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError as error:
        if is_missing_stack(error):
            return None
        raise
    return StackState(
        stack_name=stack["StackName"],
        stack_id=stack.get("StackId", ""),
        status=stack["StackStatus"],
        status_reason=stack.get("StackStatusReason", ""),
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])},
        tags={tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])},
        termination_protection=stack.get("EnableTerminationProtection", False),
        created_at=stack.get("CreationTime"),
        updated_at=stack.get("LastUpdatedTime"),
        drift_status=stack.get("DriftInformation", {}).get("StackDriftStatus", "NOT_CHECKED"),
    )


def is_missing_stack(error: ClientError) -> bool:
    """Whether CloudFormation refused because the stack is not there (it has no error code of its own for that)."""
    failure = error.response.get("Error", {})
    return failure.get("Code") == "ValidationError" and "does not exist" in failure.get("Message", "")


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of a deployed stack (`cloudformation:ListStackResources`)."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str


def list_resources(client: CloudFormationClient, stack_name: str) -> tuple[StackResource, ...]:
    """The resources of one stack; those of nested stacks are not among them."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return tuple(
        StackResource(
            resource["LogicalResourceId"],
            resource.get("PhysicalResourceId", ""),
            resource["ResourceType"],
            resource["ResourceStatus"],
        )
        for page in pages
        for resource in page["StackResourceSummaries"]
    )


def deployed_template(client: CloudFormationClient, stack_name: str) -> dict[str, Any]:
    """The template as it was submitted, parsed. Ours are JSON; another form comes back empty and compares unequal."""
    body: object = client.get_template(StackName=stack_name, TemplateStage="Original")["TemplateBody"]
    return dict(body) if isinstance(body, Mapping) else {}
