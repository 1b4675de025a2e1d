"""A Step Functions state machine that EventBridge starts; it costs nothing while it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.policy import Statement, allow


class TriggeredStateMachine(Construct):
    """`definition` (Amazon States Language) run on what `trigger` names.

    `trigger` is either `{"event_pattern": {...}}` or `{"schedule_expression": "..."}`, as in `AWS::Events::Rule`.
    `statements` are what the machine's tasks may do.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        definition: Mapping[str, Any],
        statements: Sequence[Statement],
        trigger: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        role = ExecutionRole(self, "Role", service="states.amazonaws.com", statements=statements)
        self.resource = sfn.CfnStateMachine(
            self, "Resource", role_arn=role.role_arn, definition_string=stack.to_json_string(definition)
        )
        starter = ExecutionRole(
            self,
            "StarterRole",
            service="events.amazonaws.com",
            statements=[allow("Start", ["states:StartExecution"], [self.resource.attr_arn])],
        )
        events.CfnRule(
            self,
            "Rule",
            **trigger,
            targets=[
                events.CfnRule.TargetProperty(id="machine", arn=self.resource.attr_arn, role_arn=starter.role_arn)
            ],
        )
