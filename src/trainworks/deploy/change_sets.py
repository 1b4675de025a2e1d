"""A change set from its creation to its end: created, described, executed or deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

from trainworks.aws.partition import url_suffix_of
from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.causes import hint_for
from trainworks.deploy.clients import Clients
from trainworks.deploy.deployment import MAX_TEMPLATE_BODY_BYTES, Deployment
from trainworks.deploy.faults import error_code
from trainworks.deploy.follow import StackMonitor
from trainworks.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CapabilityType, ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import CreateChangeSetInputTypeDef, DescribeChangeSetOutputTypeDef

_NO_CHANGES = re.compile(r"didn't contain changes|No updates are to be performed", re.IGNORECASE)
_NESTED_CHANGE_SET = re.compile(r"arn:[\w-]+:cloudformation:[^\s,;]+:changeSet/[\w/-]+")
_CAPABILITIES: tuple[CapabilityType, ...] = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


class ChangeSet:
    """One change set by its ARN; `stack_id` is the ARN of its stack, which CREATE puts into REVIEW_IN_PROGRESS."""

    def __init__(self, clients: Clients, change_set_id: str, stack_id: str) -> None:
        self._clients = clients
        self.change_set_id = change_set_id
        self.stack_id = stack_id

    @classmethod
    def create(cls, clients: Clients, deployment: Deployment, change_set_type: ChangeSetTypeType) -> ChangeSet:
        """`cloudformation:CreateChangeSet` with the template in the request or, when it is too long for that, in S3."""
        request: CreateChangeSetInputTypeDef = {
            "StackName": deployment.stack_name,
            "ChangeSetName": f"trainworks-{uuid4().hex[:16]}",
            "ChangeSetType": change_set_type,
            "Capabilities": list(_CAPABILITIES),
            "Tags": [{"Key": key, "Value": value} for key, value in deployment.tags.items()],
            # A creation adds everything; only for an update is the inside of nested stacks worth the wait.
            "IncludeNestedStacks": change_set_type == "UPDATE",
        }
        body = deployment.template_body
        if len(body.encode()) <= MAX_TEMPLATE_BODY_BYTES:
            request["TemplateBody"] = body
        else:
            request["TemplateURL"] = _template_url(deployment.template_asset, clients.region)
        created = clients.cloudformation.create_change_set(**request)
        return cls(clients, created["Id"], created["StackId"])

    def wait_until_created(self, monitor: StackMonitor) -> bool:
        """Wait for the end of its creation; False if it has no changes.

        Raises `DeployError` with the reason, a nested change set's where that is the one that failed.
        """
        wait = monitor.pacing.first_seconds
        described = self._describe(self.change_set_id)
        while described["Status"] in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            monitor.sleep(wait)
            wait = monitor.pacing.longer(wait)
            described = self._describe(self.change_set_id)
        reason = described.get("StatusReason", "")
        if described["Status"] == "CREATE_COMPLETE":
            return True
        if _NO_CHANGES.search(reason):
            return False
        reason = self._deepest_reason(reason)
        raise DeployError(f"CloudFormation refuses the change set: {reason}", fix=hint_for(reason))

    def execute(self) -> None:
        """`cloudformation:ExecuteChangeSet`; the operation goes on by itself."""
        self._clients.cloudformation.execute_change_set(
            ChangeSetName=self.change_set_id, ClientRequestToken=f"trainworks-{uuid4().hex}"
        )

    def delete(self) -> None:
        """`cloudformation:DeleteChangeSet`; one that is gone already is fine."""
        try:
            self._clients.cloudformation.delete_change_set(ChangeSetName=self.change_set_id)
        except ClientError as error:
            if error_code(error) not in {"ChangeSetNotFound", "ChangeSetNotFoundException"}:
                raise

    def _describe(self, change_set_id: str) -> DescribeChangeSetOutputTypeDef:
        return self._clients.cloudformation.describe_change_set(ChangeSetName=change_set_id)

    def _deepest_reason(self, reason: str) -> str:
        """The parent only says which nested change set failed; that one says why."""
        nested = _NESTED_CHANGE_SET.search(reason)
        if nested is None or nested.group() == self.change_set_id:
            return reason
        return self._deepest_reason(self._describe(nested.group()).get("StatusReason", "") or reason.replace(":", " "))


def _template_url(asset: AssetUpload, region: str) -> str:
    suffix = url_suffix_of(region)
    return f"https://s3.{region}.{suffix}/{asset.bucket_name}/{asset.object_key}"
