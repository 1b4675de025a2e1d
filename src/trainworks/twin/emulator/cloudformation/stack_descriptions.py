"""What DescribeStacks says beyond stock: the role that a stack acts as, and the stacks that it is nested in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.stack_permissions import lineage, role_of


def install() -> None:
    """CloudFormation was loaded."""
    cloudformation = engine.service("cloudformation")
    table = cloudformation._ACTION_HANDLERS
    stock = table["DescribeStacks"]

    def describe_stacks(params: dict[str, Any]) -> Any:
        status, headers, body = stock(params)
        if status >= 400:
            return status, headers, body
        text = body.decode() if isinstance(body, bytes) else body
        for stack in list(cloudformation._stacks.values()):
            more = "".join(_elements(cloudformation._stacks, stack))
            if more:
                identity = f"<StackId>{escape(stack['StackId'])}</StackId>"
                text = text.replace(identity, identity + more, 1)
        return status, headers, text.encode() if isinstance(body, bytes) else text

    table["DescribeStacks"] = describe_stacks


def _elements(stacks: Any, stack: Mapping[str, Any]) -> Iterator[str]:
    above = lineage(stacks, stack)
    role_arn = role_of(above[-1])
    if role_arn:
        yield f"<RoleARN>{escape(role_arn)}</RoleARN>"
    if len(above) > 1:
        yield f"<ParentId>{escape(above[1]['StackId'])}</ParentId><RootId>{escape(above[-1]['StackId'])}</RootId>"
