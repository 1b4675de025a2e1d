"""Ids, names and ARNs that resources will have: explicit names are kept, everything else is made up, the same in each
run.

A made-up id contains `tw` and ten hexadecimal digits of the resource's own, so that it can be found inside of any text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

TOKEN = re.compile(r"tw[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class Naming:
    """How one resource type is named.

    `name_property` is the property with the explicit name. `prefix` starts an id that AWS chooses (`subnet-`). `arn` is
    a pattern over {partition}, {region}, {account} and {name}. `ref_is_arn` says that `Ref` gives the ARN.
    `attributes` are patterns of other attributes; `arn_attributes` those that give the ARN.
    """

    name_property: str = ""
    prefix: str = ""
    arn: str = ""
    ref_is_arn: bool = False
    arn_attributes: tuple[str, ...] = ("Arn",)
    attributes: Mapping[str, str] | None = None
    properties: Mapping[str, str] | None = None
    """Attributes that are a property's value."""


def _regional(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


def _global(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}::{{account}}:{resource}"


def _ec2(prefix: str, kind: str, **attributes: str) -> Naming:
    return Naming(prefix=prefix, arn=_regional("ec2", f"{kind}/{{name}}"), attributes=attributes)


NAMINGS: Mapping[str, Naming] = {
    "AWS::S3::Bucket": Naming(
        "BucketName",
        arn="arn:{partition}:s3:::{name}",
        attributes={
            "DomainName": "{name}.s3.amazonaws.com",
            "RegionalDomainName": "{name}.s3.{region}.amazonaws.com",
            "WebsiteURL": "http://{name}.s3-website-{region}.amazonaws.com",
        },
    ),
    "AWS::IAM::Role": Naming("RoleName", arn=_global("iam", "role/{name}"), attributes={"RoleId": "AROA-{name}"}),
    "AWS::IAM::User": Naming("UserName", arn=_global("iam", "user/{name}")),
    "AWS::IAM::Group": Naming("GroupName", arn=_global("iam", "group/{name}")),
    "AWS::IAM::InstanceProfile": Naming("InstanceProfileName", arn=_global("iam", "instance-profile/{name}")),
    "AWS::IAM::ManagedPolicy": Naming(
        "ManagedPolicyName", arn=_global("iam", "policy/{name}"), ref_is_arn=True, arn_attributes=("PolicyArn",)
    ),
    "AWS::KMS::Key": Naming(arn=_regional("kms", "key/{name}"), attributes={"KeyId": "{name}"}),
    "AWS::KMS::Alias": Naming("AliasName", arn=_regional("kms", "{name}")),
    "AWS::SNS::Topic": Naming(
        "TopicName",
        arn=_regional("sns", "{name}"),
        ref_is_arn=True,
        arn_attributes=("TopicArn",),
        attributes={"TopicName": "{name}"},
    ),
    "AWS::SQS::Queue": Naming(
        "QueueName",
        arn=_regional("sqs", "{name}"),
        attributes={"QueueName": "{name}", "QueueUrl": "https://sqs.{region}.amazonaws.com/{account}/{name}"},
    ),
    "AWS::Lambda::Function": Naming("FunctionName", arn=_regional("lambda", "function:{name}")),
    "AWS::DynamoDB::Table": Naming("TableName", arn=_regional("dynamodb", "table/{name}")),
    "AWS::Logs::LogGroup": Naming("LogGroupName", arn=_regional("logs", "log-group:{name}:*")),
    "AWS::Events::Rule": Naming("Name", arn=_regional("events", "rule/{name}")),
    "AWS::Events::EventBus": Naming("Name", arn=_regional("events", "event-bus/{name}"), attributes={"Name": "{name}"}),
    "AWS::StepFunctions::StateMachine": Naming(
        "StateMachineName",
        arn=_regional("states", "stateMachine:{name}"),
        ref_is_arn=True,
        attributes={"Name": "{name}"},
    ),
    "AWS::ECR::Repository": Naming(
        "RepositoryName",
        arn=_regional("ecr", "repository/{name}"),
        attributes={"RepositoryUri": "{account}.dkr.ecr.{region}.amazonaws.com/{name}"},
    ),
    "AWS::CloudWatch::Alarm": Naming("AlarmName", arn=_regional("cloudwatch", "alarm:{name}")),
    "AWS::CloudWatch::CompositeAlarm": Naming("AlarmName", arn=_regional("cloudwatch", "alarm:{name}")),
    "AWS::CloudWatch::Dashboard": Naming("DashboardName", arn=_global("cloudwatch", "dashboard/{name}")),
    "AWS::SecretsManager::Secret": Naming("Name", arn=_regional("secretsmanager", "secret:{name}"), ref_is_arn=True),
    "AWS::SSM::Parameter": Naming(
        "Name", arn=_regional("ssm", "parameter/{name}"), properties={"Value": "Value", "Type": "Type"}
    ),
    "AWS::Batch::ComputeEnvironment": Naming(
        "ComputeEnvironmentName",
        arn=_regional("batch", "compute-environment/{name}"),
        ref_is_arn=True,
        arn_attributes=("ComputeEnvironmentArn",),
    ),
    "AWS::Batch::JobQueue": Naming(
        "JobQueueName", arn=_regional("batch", "job-queue/{name}"), ref_is_arn=True, arn_attributes=("JobQueueArn",)
    ),
    "AWS::Batch::JobDefinition": Naming(
        "JobDefinitionName",
        arn=_regional("batch", "job-definition/{name}:1"),
        ref_is_arn=True,
        arn_attributes=("JobDefinitionArn",),
    ),
    "AWS::SageMaker::NotebookInstance": Naming(
        "NotebookInstanceName",
        arn=_regional("sagemaker", "notebook-instance/{name}"),
        ref_is_arn=True,
        arn_attributes=("Id",),
        attributes={"NotebookInstanceName": "{name}"},
    ),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": Naming(
        "NotebookInstanceLifecycleConfigName",
        arn=_regional("sagemaker", "notebook-instance-lifecycle-config/{name}"),
        ref_is_arn=True,
        arn_attributes=("Id",),
        attributes={"NotebookInstanceLifecycleConfigName": "{name}"},
    ),
    "AWS::SageMaker::Model": Naming(
        "ModelName", arn=_regional("sagemaker", "model/{name}"), ref_is_arn=True, attributes={"ModelName": "{name}"}
    ),
    "AWS::SageMaker::EndpointConfig": Naming(
        "EndpointConfigName",
        arn=_regional("sagemaker", "endpoint-config/{name}"),
        ref_is_arn=True,
        attributes={"EndpointConfigName": "{name}"},
    ),
    "AWS::SageMaker::Endpoint": Naming(
        "EndpointName",
        arn=_regional("sagemaker", "endpoint/{name}"),
        ref_is_arn=True,
        attributes={"EndpointName": "{name}"},
    ),
    "AWS::SageMaker::Pipeline": Naming("PipelineName", arn=_regional("sagemaker", "pipeline/{name}")),
    "AWS::ECS::Cluster": Naming("ClusterName", arn=_regional("ecs", "cluster/{name}")),
    "AWS::ECS::TaskDefinition": Naming(
        "Family",
        arn=_regional("ecs", "task-definition/{name}:1"),
        ref_is_arn=True,
        arn_attributes=("TaskDefinitionArn",),
    ),
    "AWS::ECS::Service": Naming(
        "ServiceName",
        arn=_regional("ecs", "service/{name}"),
        ref_is_arn=True,
        arn_attributes=("ServiceArn",),
        attributes={"Name": "{name}"},
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Naming(
        "Name", arn=_regional("elasticloadbalancing", "loadbalancer/app/{name}/1"), ref_is_arn=True
    ),
    "AWS::ElasticLoadBalancingV2::Listener": Naming(
        arn=_regional("elasticloadbalancing", "listener/app/{name}/1/1"),
        ref_is_arn=True,
        arn_attributes=("ListenerArn",),
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Naming(
        "Name", arn=_regional("elasticloadbalancing", "targetgroup/{name}/1"), ref_is_arn=True
    ),
    "AWS::CodeBuild::Project": Naming("Name", arn=_regional("codebuild", "project/{name}")),
    "AWS::EC2::VPC": Naming(
        prefix="vpc-",
        arn=_regional("ec2", "vpc/{name}"),
        attributes={"VpcId": "{name}", "DefaultSecurityGroup": "sg-default-{name}", "DefaultNetworkAcl": "acl-{name}"},
        properties={"CidrBlock": "CidrBlock"},
    ),
    "AWS::EC2::Subnet": Naming(
        prefix="subnet-",
        arn=_regional("ec2", "subnet/{name}"),
        attributes={"SubnetId": "{name}"},
        properties={"AvailabilityZone": "AvailabilityZone", "CidrBlock": "CidrBlock", "VpcId": "VpcId"},
    ),
    "AWS::EC2::SecurityGroup": Naming(
        prefix="sg-",
        arn=_regional("ec2", "security-group/{name}"),
        attributes={"GroupId": "{name}", "Id": "{name}"},
        properties={"VpcId": "VpcId"},
    ),
    "AWS::EC2::RouteTable": _ec2("rtb-", "route-table", RouteTableId="{name}"),
    "AWS::EC2::InternetGateway": _ec2("igw-", "internet-gateway", InternetGatewayId="{name}"),
    "AWS::EC2::NatGateway": _ec2("nat-", "natgateway", NatGatewayId="{name}"),
    "AWS::EC2::VPCEndpoint": _ec2("vpce-", "vpc-endpoint", Id="{name}"),
    "AWS::EC2::LaunchTemplate": _ec2("lt-", "launch-template", LaunchTemplateId="{name}"),
    "AWS::EC2::Instance": _ec2("i-", "instance", InstanceId="{name}"),
    "AWS::EC2::NetworkInterface": _ec2("eni-", "network-interface", Id="{name}"),
    "AWS::EC2::Volume": _ec2("vol-", "volume", VolumeId="{name}"),
    "AWS::EC2::EIP": _ec2("", "elastic-ip", AllocationId="eipalloc-{name}", PublicIp="{name}"),
    "AWS::EC2::FlowLog": _ec2("fl-", "vpc-flow-log", Id="{name}"),
    "AWS::EC2::PrefixList": _ec2("pl-", "prefix-list", PrefixListId="{name}"),
}
"""Types that the rules look at by name or ARN; all others follow `Naming()`."""

_PLAIN = Naming()


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """The ids of one resource. `name` is explicit or made up."""

    resource_type: str
    name: str
    token: str
    partition: str
    region: str
    account: str

    @property
    def naming(self) -> Naming:
        return NAMINGS.get(self.resource_type, _PLAIN)

    @property
    def arn(self) -> str:
        """Its ARN; for a type whose pattern is not known, one that is at least unique."""
        return self._filled(self.naming.arn) if self.naming.arn else self._guessed("arn")

    @property
    def ref(self) -> str:
        return self.arn if self.naming.ref_is_arn else self.name

    def attribute(self, name: str) -> str:
        """What `Fn::GetAtt` of `name` gives, unless it is a property's value."""
        naming = self.naming
        if naming.attributes and name in naming.attributes:
            return self._filled(naming.attributes[name])
        if name in naming.arn_attributes:
            return self.arn
        return self._guessed(name)

    def _filled(self, pattern: str) -> str:
        return pattern.format(partition=self.partition, region=self.region, account=self.account, name=self.name)

    def _guessed(self, attribute: str) -> str:
        service, _, kind = self.resource_type.removeprefix("AWS::").lower().partition("::")
        if attribute.lower().endswith("arn"):
            middle = "" if attribute.lower() == "arn" else f"{attribute.lower()}/"
            return (
                f"arn:{self.partition}:{service}:{self.region}:{self.account}:{middle}{kind}/{self.name}-{self.token}"
            )
        return f"{attribute.replace('.', '-').lower()}-{self.token}"


def identity(
    resource_type: str,
    address: str,
    explicit_name: str | None = None,
    *,
    partition: str,
    region: str,
    account: str,
) -> ResourceIdentity:
    """The identity of the resource at `address` (stack/stack path/logical id); `explicit_name` wins."""
    token = "tw" + hashlib.blake2s(address.encode(), digest_size=5).hexdigest()
    naming = NAMINGS.get(resource_type, _PLAIN)
    logical_id = address.rpartition("/")[2]
    made_up = f"{naming.prefix}{token}" if naming.prefix else f"{_slug(logical_id)}-{token}"
    return ResourceIdentity(resource_type, explicit_name or made_up, token, partition, region, account)


def stack_id(partition: str, region: str, account: str, own: str) -> str:
    """The ARN of a stack, which ends with an id of five parts that is made up, too."""
    digest = hashlib.blake2s(own.encode(), digest_size=15).hexdigest()
    parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], f"tw{digest[20:30]}")
    return f"arn:{partition}:cloudformation:{region}:{account}:stack/{own}/{'-'.join(parts)}"


def _slug(logical_id: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", logical_id.lower())[:24].strip("-") or "x"
