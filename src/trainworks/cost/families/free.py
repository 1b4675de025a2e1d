"""Types that cost nothing by themselves, each with the reason. A type is here because AWS has no meter for it."""

from __future__ import annotations

from collections.abc import Iterable

_NETWORK = "a rule of the network: nothing is metered"
_IAM = "IAM is free"
_PLAN = "a description: what is made from it is metered"
_FORWARDER = "matches and forwards: AWS's own events are free, what it starts is metered there"
_POLICY = "a policy of another resource"
_CONFIG = "settings of another resource"

FREE_BY_REASON: dict[str, Iterable[str]] = {
    _NETWORK: (
        "AWS::EC2::DHCPOptions",
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NetworkAcl",
        "AWS::EC2::NetworkAclEntry",
        "AWS::EC2::PrefixList",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetNetworkAclAssociation",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCCidrBlock",
        "AWS::EC2::VPCDHCPOptionsAssociation",
        "AWS::EC2::VPCGatewayAttachment",
    ),
    _IAM: (
        "AWS::IAM::Group",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::OIDCProvider",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::ServiceLinkedRole",
        "AWS::IAM::User",
        "AWS::IAM::UserPolicy",
    ),
    _PLAN: (
        "AWS::Batch::JobDefinition",
        "AWS::Batch::JobQueue",
        "AWS::Batch::SchedulingPolicy",
        "AWS::EC2::LaunchTemplate",
        "AWS::ECS::Cluster",
        "AWS::ECS::TaskDefinition",
        "AWS::Lambda::LayerVersion",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Model",
        "AWS::SageMaker::ModelPackage",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::SageMaker::NotebookInstanceLifecycleConfig",
        "AWS::SageMaker::Pipeline",
    ),
    _FORWARDER: ("AWS::Events::Rule", "AWS::Lambda::EventSourceMapping", "AWS::SNS::Subscription"),
    _POLICY: (
        "AWS::ECR::RegistryPolicy",
        "AWS::Events::EventBusPolicy",
        "AWS::Lambda::Permission",
        "AWS::Logs::ResourcePolicy",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    ),
    _CONFIG: (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudFormation::WaitConditionHandle",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::KMS::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Scheduler::ScheduleGroup",
    ),
    "budgets that only notify are free": ("AWS::Budgets::Budget",),
    "Cost Anomaly Detection is free": (
        "AWS::CE::AnomalyMonitor",
        "AWS::CE::AnomalySubscription",
        "AWS::CE::CostCategory",
    ),
    "facts for the CDK": ("AWS::CDK::Metadata",),
    "runs a function while the stack changes, and not after": ("AWS::CloudFormation::CustomResource",),
}

FREE: dict[str, str] = {type_: reason for reason, types in FREE_BY_REASON.items() for type_ in types}
CUSTOM_RESOURCE = FREE["AWS::CloudFormation::CustomResource"]


def why_free(resource_type: str) -> str | None:
    """Why a type costs nothing by itself, or None where it is not known to."""
    return CUSTOM_RESOURCE if resource_type.startswith("Custom::") else FREE.get(resource_type)
