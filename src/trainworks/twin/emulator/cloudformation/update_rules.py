"""Which properties of a resource cannot be changed without replacing it, for types that stock does not know.

From "Update requires: Replacement" of the CloudFormation resource reference, repeated in the registry as
`createOnlyProperties`; what replaces under conditions is in its `conditionalCreateOnlyProperties`. A change set reports
them as `RequiresRecreation`; without an entry it says `Conditionally` of every property, so that a new tag on a bucket
would look like the loss of the bucket.
"""

from __future__ import annotations

from typing import Any

from trainworks.twin.emulator import engine

REPLACING: dict[str, tuple[str, ...]] = {
    "AWS::Batch::ComputeEnvironment": ("ComputeEnvironmentName", "Tags", "Type"),
    "AWS::Batch::JobDefinition": ("JobDefinitionName",),
    "AWS::Batch::JobQueue": ("JobQueueName", "JobQueueType"),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::EC2::InternetGateway": (),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateName",),
    "AWS::EC2::Route": ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "RouteTableId"),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::EC2::SubnetRouteTableAssociation": ("RouteTableId", "SubnetId"),
    "AWS::EC2::VPCGatewayAttachment": ("VpcId",),
    "AWS::Events::Rule": ("Name",),
    "AWS::KMS::Key": (),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SageMaker::NotebookInstance": (
        "DirectInternetAccess",
        "KmsKeyId",
        "NotebookInstanceName",
        "PlatformIdentifier",
        "SecurityGroupIds",
        "SubnetId",
    ),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": ("NotebookInstanceLifecycleConfigName",),
}
CONDITIONALLY_REPLACING: dict[str, tuple[str, ...]] = {
    "AWS::Batch::ComputeEnvironment": ("ComputeResources", "EksConfiguration"),
}


# Types whose rules are those of their schemas: the recorded ones.
BY_SCHEMA: set[str] = set()


def install() -> None:
    """Add the rules to ministack's tables; an entry of its own stays as it is."""
    provisioners = engine.module("services.cloudformation.provisioners")
    always, sometimes = provisioners._REPLACING_PROPERTIES, provisioners._CONDITIONALLY_REPLACING_PROPERTIES
    provisioners._REPLACING_PROPERTIES = _Rules({**REPLACING, **always}, whole=True)
    provisioners._CONDITIONALLY_REPLACING_PROPERTIES = _Rules({**CONDITIONALLY_REPLACING, **sometimes}, whole=False)


class _Rules(dict[str, tuple[str, ...]]):
    """The table of one kind. What a schema says is read when its type is asked for.

    A create-only property replaces (`whole`). One of which a part is create-only may, and so may, of every type, one
    that replaces under conditions.
    """

    def __init__(self, known: dict[str, tuple[str, ...]], *, whole: bool) -> None:
        super().__init__(known)
        self._whole = whole

    def get(self, resource_type: str, default: Any = None) -> Any:
        known = super().get(resource_type)
        if self._whole and resource_type not in BY_SCHEMA:
            return default if known is None else known
        from trainworks.assembly.schemas import schema  # noqa: PLC0415 - read with the first template

        found = schema(resource_type)
        if found is None:
            return default if known is None else known
        if self._whole:
            return tuple(dict.fromkeys(path[0] for path in found.create_only if len(path) == 1))
        parts = [path for path in found.create_only if len(path) > 1] if resource_type in BY_SCHEMA else []
        return tuple(dict.fromkeys([*(known or ()), *(path[0] for path in (*parts, *found.may_replace))]))
