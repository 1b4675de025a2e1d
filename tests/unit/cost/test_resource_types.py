"""Which types are free, priced or billed by use; and what the platforms that people deploy are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cost.counted import one
from trainworks.assembly.schemas import type_names
from trainworks.cost.families import FAMILIES
from trainworks.cost.families.by_use import BY_USAGE, BY_USE_TYPES
from trainworks.cost.families.free import FREE, FREE_BY_REASON

ROOT = Path(__file__).resolve().parents[3]

# What published templates of SageMaker, Batch and EKS platforms declare, beside what ours and the reference do.
OF_REAL_PLATFORMS = """
ApiGateway::Deployment ApiGateway::Method ApiGateway::RestApi ApiGateway::Stage
ApplicationAutoScaling::ScalableTarget ApplicationAutoScaling::ScalingPolicy AutoScaling::AutoScalingGroup
AutoScaling::LaunchConfiguration Batch::ComputeEnvironment Batch::JobDefinition Batch::JobQueue
CertificateManager::Certificate CloudFormation::Stack CloudFormation::WaitCondition
CloudFormation::WaitConditionHandle CloudFront::Distribution CodeBuild::Project CodeCommit::Repository
CodePipeline::Pipeline CodeStarConnections::Connection Cognito::IdentityPool Cognito::UserPool
Cognito::UserPoolClient Cognito::UserPoolDomain DynamoDB::Table EC2::EIP EC2::FlowLog EC2::Instance
EC2::InternetGateway EC2::KeyPair EC2::LaunchTemplate EC2::NatGateway EC2::PlacementGroup EC2::RouteTable
EC2::SecurityGroup EC2::Subnet EC2::SubnetCidrBlock EC2::VPC EC2::VPCCidrBlock EC2::VPCEndpoint EC2::Volume
EC2::VolumeAttachment ECR::Repository ECS::Cluster ECS::Service ECS::TaskDefinition EFS::AccessPoint EFS::FileSystem
EFS::MountTarget EKS::AccessEntry EKS::Addon EKS::Cluster EKS::FargateProfile EKS::Nodegroup
EKS::PodIdentityAssociation ElasticLoadBalancingV2::Listener ElasticLoadBalancingV2::LoadBalancer
ElasticLoadBalancingV2::TargetGroup Events::EventBus Events::Rule FSx::DataRepositoryAssociation FSx::FileSystem
Glue::Crawler Glue::Database Glue::Job Glue::Table IAM::InstanceProfile IAM::ManagedPolicy IAM::Policy IAM::Role
KMS::Alias KMS::Key Kinesis::Stream KinesisFirehose::DeliveryStream LakeFormation::Permissions
Lambda::EventSourceMapping Lambda::Function Lambda::LayerVersion Lambda::Permission Logs::LogGroup
NetworkFirewall::Firewall NetworkFirewall::FirewallPolicy NetworkFirewall::RuleGroup OpenSearchService::Domain
RDS::DBCluster RDS::DBInstance RDS::DBSubnetGroup Route53::HostedZone Route53::RecordSet S3::AccessPoint S3::Bucket
S3::BucketPolicy SNS::Subscription SNS::Topic SQS::Queue SQS::QueuePolicy SSM::Association SSM::Document
SSM::Parameter SageMaker::App SageMaker::AppImageConfig SageMaker::Cluster SageMaker::CodeRepository
SageMaker::DataQualityJobDefinition SageMaker::Domain SageMaker::Endpoint SageMaker::EndpointConfig
SageMaker::FeatureGroup SageMaker::Image SageMaker::ImageVersion SageMaker::MlflowTrackingServer SageMaker::Model
SageMaker::ModelPackageGroup SageMaker::ModelQualityJobDefinition SageMaker::MonitoringSchedule
SageMaker::NotebookInstance SageMaker::NotebookInstanceLifecycleConfig SageMaker::Pipeline SageMaker::Project
SageMaker::Space SageMaker::StudioLifecycleConfig SageMaker::UserProfile Scheduler::Schedule SecretsManager::Secret
SecretsManager::SecretTargetAttachment Serverless::Function ServiceCatalog::CloudFormationProduct
ServiceCatalog::LaunchRoleConstraint ServiceCatalog::Portfolio ServiceCatalog::PortfolioPrincipalAssociation
ServiceCatalog::PortfolioProductAssociation ServiceCatalogAppRegistry::Application
ServiceCatalogAppRegistry::AttributeGroup ServiceCatalogAppRegistry::AttributeGroupAssociation
ServiceCatalogAppRegistry::ResourceAssociation ServiceDiscovery::PrivateDnsNamespace StepFunctions::StateMachine
"""


def _declared() -> set[str]:
    """The types of the templates in this repository that are platforms."""
    folders = [ROOT / "tests" / "reference" / "cdk.out"]
    files = [file for folder in folders for file in folder.rglob("*.template.json")]
    return {body["Type"] for file in files for body in json.loads(file.read_text())["Resources"].values()}


def _classes(type_: str) -> int:
    return (type_ in FAMILIES) + (type_ in FREE) + (type_ in BY_USE_TYPES)


def test_what_platforms_are_made_of_is_classed() -> None:
    types = {*(f"AWS::{name}" for name in OF_REAL_PLATFORMS.split()), *_declared()} - {"AWS::CloudFormation::Stack"}
    assert sorted(type_ for type_ in types if _classes(type_) != 1 and not type_.startswith("Custom::")) == []


def test_no_type_is_in_two_classes_and_each_is_one_of_awss() -> None:
    listed = [*FREE, *BY_USE_TYPES, *FAMILIES]
    assert len(listed) == len(set(listed))
    without_schema = {"AWS::CDK::Metadata", "AWS::CloudFormation::CustomResource"}
    assert sorted(set(listed) - type_names() - without_schema) == []


def test_no_type_is_listed_twice() -> None:
    for table, merged in ((FREE_BY_REASON, FREE), (BY_USAGE, BY_USE_TYPES)):
        assert sum(len(names.split()) for services in table.values() for names in services.values()) == len(merged)


@pytest.mark.parametrize(
    "type_",
    [
        *("ServiceCatalogAppRegistry::Application", "ServiceCatalog::Portfolio", "Batch::JobDefinition"),
        *("SageMaker::UserProfile", "SageMaker::StudioLifecycleConfig", "EKS::AccessEntry", "SSM::Parameter"),
        *("EC2::PlacementGroup", "NetworkFirewall::RuleGroup"),
    ],
)
def test_what_costs_nothing_says_why(type_: str) -> None:
    cost = one(f"AWS::{type_}")
    assert cost.free
    assert cost.is_known


def test_what_is_billed_by_use_says_by_what() -> None:
    cost = one("AWS::CodeBuild::Project")
    assert [charge.what for charge in cost.charges] == ["minutes of builds"]
    assert cost.is_known
    assert cost.amount.is_zero
