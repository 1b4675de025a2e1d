"""CloudFormation tells EventBridge when the status of a stack changes; stock keeps it to itself.

Shape after "Stack Status Change event detail" (CloudFormation User Guide). Nested stacks are told as their parents are.
Changes of resources inside a stack are not published.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.emulator import engine

_STACK_TYPE = "AWS::CloudFormation::Stack"


def install() -> None:
    """CloudFormation was loaded: every event that a stack records about itself is published as well."""
    stacks = engine.module("services.cloudformation.stacks")
    stock = stacks._add_event

    def add_event(  # noqa: PLR0917 - the signature that is called
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        stock(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)
        if resource_type == _STACK_TYPE and logical_id == stack_name:
            _publish(stack_id, status, reason, stacks.CLIENT_REQUEST_TOKEN.get())

    for name in ("stacks", "handlers", "changesets"):
        engine.module(f"services.cloudformation.{name}")._add_event = add_event


def _publish(stack_id: str, status: str, reason: str, token: str) -> None:
    region, account = stack_id.split(":")[3:5]
    detail: dict[str, Any] = {
        "stack-id": stack_id,
        "status-details": {"status": status, "status-reason": reason or ""},
        "client-request-token": token or "",
    }
    entry = {
        "Source": "aws.cloudformation",
        "DetailType": "CloudFormation Stack Status Change",
        "Detail": json.dumps(detail),
        "Resources": [stack_id],
        "Time": datetime.now(UTC).isoformat(),
    }
    with engine.module("core.responses").request_scope(account, region):
        engine.service("eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True)
