"""Which properties of a resource cannot be changed without replacing it, for types that stock does not know.

From "Update requires: Replacement" of the CloudFormation resource reference, repeated in the registry as
`createOnlyProperties`. A change set reports them as `RequiresRecreation`; without an entry it says `Conditionally` of
every property, so that a new tag on a bucket would look like the loss of the bucket.
"""

from __future__ import annotations

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


def install() -> None:
    """Add the rules to ministack's tables; an entry of its own stays as it is."""
    provisioners = engine.module("services.cloudformation.provisioners")
    for resource_type, properties in REPLACING.items():
        provisioners._REPLACING_PROPERTIES.setdefault(resource_type, properties)
    for resource_type, properties in CONDITIONALLY_REPLACING.items():
        provisioners._CONDITIONALLY_REPLACING_PROPERTIES.setdefault(resource_type, properties)
