"""An IAM role that one AWS service assumes."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from trainworks.infra.constructs.policy import Statement, document, trust


class ExecutionRole(Construct):
    """A role with one inline policy, so that no job can start between the role and its permissions.

    `service` is the principal, such as `sagemaker.amazonaws.com`. Its trust is bound to this account and, with
    `source_arn` (a pattern), to the resources that may use it. EC2 gives neither key when it assumes a role:
    `bound=False` leaves the condition out.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: str,
        statements: Sequence[Statement],
        source_arn: str | None = None,
        bound: bool = True,
    ) -> None:
        super().__init__(scope, id)
        condition: dict[str, dict[str, str]] = {}
        if bound:
            condition["StringEquals"] = {"aws:SourceAccount": Stack.of(self).account}
        if source_arn:
            condition["ArnLike"] = {"aws:SourceArn": source_arn}
        self.resource = iam.CfnRole(
            self,
            "Resource",
            assume_role_policy_document=trust(service, condition),
            policies=[
                iam.CfnRole.PolicyProperty(policy_name="LeastPrivilege", policy_document=document(statements)),
            ],
        )
        self.role_arn = self.resource.attr_arn
        self.role_name = self.resource.ref
