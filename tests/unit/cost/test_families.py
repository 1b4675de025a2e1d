"""What is metered of each resource type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.cost.counted import amount, by_use, idle, one, prices, prices_of
from trainworks.cost.families import FAMILIES
from trainworks.cost.families.free import FREE, why_free
from trainworks.cost.idle import ResourceCost
from trainworks.cost.money import Money

INTERFACE = {"VpcEndpointType": "Interface", "SubnetIds": ["subnet-1", "subnet-2"]}
STAT = {"Metric": {"Namespace": "A", "MetricName": "B"}, "Period": 300, "Stat": "Sum"}
BAND = {"Id": "e1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}


@pytest.mark.parametrize(
    ("type_", "properties", "dollars"),
    [
        ("AWS::EC2::VPCEndpoint", INTERFACE, "14.60"),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}, "0"),
        ("AWS::EC2::VPCEndpoint", {}, "0"),
        ("AWS::EC2::NatGateway", {}, "32.85"),
        ("AWS::EC2::EIP", {}, "3.65"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Scheme": "internal"}, "16.43"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Subnets": ["a", "b"]}, "23.73"),
        (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            {"Type": "network", "SubnetMappings": [{"SubnetId": "a", "AllocationId": "x"}, {"SubnetId": "b"}]},
            "20.08",
        ),
        ("AWS::KMS::Key", {"EnableKeyRotation": True}, "1.00"),
        ("AWS::SecretsManager::Secret", {}, "0.40"),
        ("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": 100}, "8.00"),
        ("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": 100, "Iops": 3000, "Throughput": 125}, "8.00"),
        ("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": 100, "Iops": "6000", "Throughput": 500}, "38.00"),
        ("AWS::CloudWatch::Dashboard", {}, "3.00"),
        ("AWS::CloudWatch::Alarm", {"MetricName": "A", "Period": 300}, "0.10"),
        ("AWS::CloudWatch::Alarm", {"MetricName": "A", "Period": 10}, "0.30"),
        ("AWS::CloudWatch::Alarm", {"Metrics": [{"MetricStat": STAT}, {"MetricStat": STAT}]}, "0.20"),
        ("AWS::CloudWatch::Alarm", {"Metrics": [{"MetricStat": STAT}, BAND]}, "0.30"),
        ("AWS::CloudWatch::Alarm", {"Metrics": [{"MetricStat": {**STAT, "Period": 10}}, BAND]}, "0.90"),
        ("AWS::CloudWatch::CompositeAlarm", {}, "0.50"),
        ("AWS::Budgets::Budget", {}, "0"),
        ("AWS::Budgets::BudgetsAction", {}, "3.04"),
        ("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST"}, "0"),
        (
            "AWS::DynamoDB::Table",
            {"ProvisionedThroughput": {"WriteCapacityUnits": 5, "ReadCapacityUnits": "10"}},
            "3.32",
        ),
        ("AWS::SageMaker::NotebookInstance", {"InstanceType": "ml.t3.medium"}, "0.70"),
        ("AWS::SageMaker::NotebookInstance", {"InstanceType": "ml.t3.medium", "VolumeSizeInGB": "20"}, "2.80"),
        ("AWS::S3::Bucket", {}, "0"),
        ("AWS::SNS::Topic", {}, "0"),
        ("Custom::Anything", {"ServiceToken": "arn"}, "0"),
    ],
)
def test_the_amount_of_a_resource(type_: str, properties: dict[str, Any], dollars: str) -> None:
    assert amount(one(type_, properties)) == Decimal(dollars)


def test_a_notebook_costs_by_the_hour_while_it_runs() -> None:
    notebook = {"InstanceType": "ml.t3.medium"}
    assert amount(one("AWS::SageMaker::NotebookInstance", notebook, notebook_hours=730)) == Decimal("37.20")
    assert amount(one("AWS::SageMaker::NotebookInstance", notebook, notebook_hours=160)) == Decimal("8.70")


def test_a_notebook_of_a_type_without_a_price_is_unknown_only_while_it_runs() -> None:
    notebook = {"InstanceType": "ml.p9.large"}
    assert one("AWS::SageMaker::NotebookInstance", notebook).is_known
    running = one("AWS::SageMaker::NotebookInstance", notebook, notebook_hours=10)
    assert running.unknown == ("no price of sagemaker.notebook.ml.p9.large in us-east-1",)


@pytest.mark.parametrize(
    ("type_", "properties", "word"),
    [
        ("AWS::Deadline::Farm", {}, "AWS::Deadline::Farm"),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "GatewayLoadBalancer"}, "GatewayLoadBalancer"),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": {"Ref": "Nobody"}}, "subnets"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "gateway"}, "elb.gateway"),
        ("AWS::EC2::Volume", {"VolumeType": "io9", "Size": 1}, "io9"),
        ("AWS::CloudWatch::Alarm", {"Metrics": [{"Expression": "SELECT MAX(A) FROM B"}]}, "Metrics Insights"),
        ("AWS::Lambda::Alias", {"ProvisionedConcurrencyConfig": {}}, "provisioned concurrency"),
        ("AWS::SageMaker::Endpoint", {"EndpointConfigName": "elsewhere"}, "not in the templates"),
        ("AWS::DynamoDB::Table", {}, "capacity"),
        ("AWS::EC2::Instance", {"InstanceType": "m5.large"}, "root volume"),
        ("AWS::CloudFormation::Stack", {"TemplateURL": "https://elsewhere"}, "template is not here"),
        ("AWS::Batch::ComputeEnvironment", {"ComputeResources": {"Type": "EC2", "InstanceTypes": ["x9"]}}, "x9"),
    ],
)
def test_what_nobody_can_tell_is_unknown_by_name(type_: str, properties: dict[str, Any], word: str) -> None:
    cost = one(type_, properties)
    assert not cost.is_known
    assert word in " ".join(cost.unknown)
    assert not cost.free


def test_a_price_that_is_missing_makes_the_resource_unknown() -> None:
    cost = one("AWS::EC2::NatGateway", {}, prices(kms__key="1"))
    assert cost.unknown == ("no price of vpc.nat_gateway in us-east-1",)
    assert cost.amount.is_zero


def test_what_costs_by_use_has_its_unit_price_and_no_amount() -> None:
    bucket = one("AWS::S3::Bucket", {"LifecycleConfiguration": {"Rules": [_moves_to("GLACIER_IR")]}})
    assert [charge.keys[0] for charge in by_use(bucket)] == [
        "s3.standard",
        "s3.glacier_ir",
        "s3.requests.write",
        "s3.requests.read",
    ]
    assert all(charge.unit_price is not None for charge in bucket.charges)


def _moves_to(storage_class: str) -> dict[str, Any]:
    return {"Transitions": [{"StorageClass": storage_class, "TransitionInDays": 90}]}


def test_an_endpoint_costs_what_its_configuration_says() -> None:
    cost = idle(
        {
            "Config": (
                "AWS::SageMaker::EndpointConfig",
                {
                    "ProductionVariants": [
                        {
                            "VariantName": "all",
                            "InstanceType": "ml.m5.large",
                            "InitialInstanceCount": 2,
                            "VolumeSizeInGB": 10,
                        },
                        {"VariantName": "rare", "ServerlessConfig": {"MemorySizeInMB": 2048}},
                    ]
                },
            ),
            "Endpoint": (
                "AWS::SageMaker::Endpoint",
                {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
            ),
        }
    )
    (endpoint,) = [each for each in cost.resources if each.logical_id == "Endpoint"]
    assert round(endpoint.amount.low, 2) == Decimal("170.70")  # 2 x 730 x 0.115 + 2 x 10 x 0.14


ENVIRONMENT = "AWS::Batch::ComputeEnvironment"


def _hosts(kind: str, types: list[str], least: int = 0) -> dict[str, Any]:
    return {"ComputeResources": {"Type": kind, "InstanceTypes": types, "MinvCpus": least}}


def test_a_compute_environment_that_starts_at_zero_costs_by_use() -> None:
    (hosts,) = one(ENVIRONMENT, _hosts("SPOT", ["m5.large", "m5.xlarge"])).charges
    assert hosts.is_by_use
    assert hosts.unit_price == Money(Decimal("0.0319"), Decimal("0.0669"))


def test_vcpus_that_are_kept_running_cost_whole_hosts() -> None:
    assert amount(one(ENVIRONMENT, _hosts("EC2", ["m5.xlarge"], 5))) == Decimal("280.32")  # 2 x 730 x 0.192


def test_hosts_of_batchs_choice_are_a_range_from_the_cheapest_to_the_dearest() -> None:
    table = prices_of({"ec2.on_demand.m5.large": "1", "ec2.on_demand.m5.4xlarge": "10"})
    cost = one(ENVIRONMENT, _hosts("EC2", ["m5.large", "m5.4xlarge"], 4), table)
    assert cost.amount == Money(Decimal(1460), Decimal(7300))
    one_unknown = one(ENVIRONMENT, _hosts("EC2", ["m5.large", "c5.large"], 4), table)
    assert one_unknown.unknown == ("no price of ec2.on_demand.c5.large in us-east-1",)


def test_fargate_costs_by_task_and_its_spot_price_is_unknown() -> None:
    vcpu, memory = one(ENVIRONMENT, _hosts("FARGATE", [])).charges
    assert (vcpu.keys, memory.keys) == (("fargate.vcpu",), ("fargate.memory",))
    assert all(charge.unit_price is None for charge in one(ENVIRONMENT, _hosts("FARGATE_SPOT", [])).charges)


SERVICE = "AWS::ECS::Service"


def _service(
    properties: dict[str, Any], task: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None
) -> ResourceCost:
    cost = idle(
        {
            "Cluster": ("AWS::ECS::Cluster", cluster or {}),
            "Task": ("AWS::ECS::TaskDefinition", {"Cpu": "512", "Memory": "1024", **(task or {})}),
            "It": (SERVICE, {"Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Task"}, **properties}),
        }
    )
    (found,) = [each for each in cost.resources if each.logical_id == "It"]
    return found


FARGATE = {"LaunchType": "FARGATE", "DesiredCount": 2}


@pytest.mark.parametrize(
    ("properties", "task", "dollars"),
    [
        (FARGATE, {}, "36.04"),  # 2 x 730 x (0.5 x 0.04048 + 1 x 0.004445)
        (FARGATE, {"Cpu": ".5 vCPU", "Memory": "1GB"}, "36.04"),
        (FARGATE, {"RuntimePlatform": {"CpuArchitecture": "ARM64"}}, "28.84"),
        ({"LaunchType": "FARGATE"}, {}, "18.02"),  # the default is one task
        ({**FARGATE, "DesiredCount": "0"}, {}, "0"),
        ({**FARGATE, "NetworkConfiguration": {"AwsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}}, {}, "43.34"),
        ({"LaunchType": "EC2", "DesiredCount": 9}, {}, "0"),
        ({"DesiredCount": 9}, {}, "0"),
        ({"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE"}], "DesiredCount": 2}, {}, "36.04"),
    ],
)
def test_tasks_on_fargate_cost_by_their_size_day_and_night(
    properties: dict[str, Any], task: dict[str, Any], dollars: str
) -> None:
    assert amount(_service(properties, task)) == Decimal(dollars)


def test_a_service_takes_the_capacity_providers_of_its_cluster() -> None:
    cluster = {"DefaultCapacityProviderStrategy": [{"CapacityProvider": "FARGATE"}]}
    assert amount(_service({"DesiredCount": 2}, cluster=cluster)) == Decimal("36.04")


@pytest.mark.parametrize(
    ("properties", "task", "word"),
    [
        ({**FARGATE, "DesiredCount": {"Ref": "Count"}}, {}, "desired number"),
        ({**FARGATE, "TaskDefinition": "elsewhere:3"}, {}, "task definition"),
        ({"Cluster": "elsewhere"}, {}, "cluster"),
        (FARGATE, {"Cpu": {"Ref": "Cpu"}}, "size of its tasks"),
        (FARGATE, {"RuntimePlatform": {"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, "Windows"),
        (FARGATE, {"EphemeralStorage": {"SizeInGiB": 100}}, "ephemeral storage"),
        ({"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT"}]}, {}, "fargate.spot_vcpu"),
    ],
)
def test_what_a_service_costs_is_unknown_by_name(properties: dict[str, Any], task: dict[str, Any], word: str) -> None:
    cost = _service(properties, task)
    assert word in " ".join(cost.unknown)
    assert not cost.free


def test_an_api_costs_by_request_and_a_cache_of_it_is_unknown() -> None:
    (requests,) = one("AWS::ApiGateway::RestApi").charges
    assert requests.is_by_use
    assert amount(one("AWS::ApiGateway::Stage")) == 0
    assert "cache" in one("AWS::ApiGateway::Stage", {"CacheClusterEnabled": "true"}).unknown[0]


@pytest.mark.parametrize(
    "type_",
    [
        "AWS::RDS::DBSubnetGroup",
        "AWS::SecretsManager::SecretTargetAttachment",
        "AWS::CloudFront::OriginAccessControl",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::Lambda::EventSourceMapping",
        "AWS::ApiGateway::Method",
        "AWS::Route53::RecordSet",
    ],
)
def test_what_only_describes_others_is_free_with_a_reason(type_: str) -> None:
    cost = one(type_)
    assert cost.is_known
    assert cost.free


def test_no_type_is_both_metered_and_free() -> None:
    assert not set(FAMILIES) & set(FREE)


def test_only_what_is_listed_is_free() -> None:
    assert why_free("AWS::IAM::Role") == "IAM is free"
    assert why_free("AWS::Kinesis::Stream") is None


def test_what_hosts_bring_with_them_costs_by_use() -> None:
    disk = {"Ebs": {"VolumeType": "gp3", "VolumeSize": 50}}
    cost = idle(
        {
            "Subnet": ("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True}),
            "Template": ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"BlockDeviceMappings": [disk]}}),
            "Hosts": (
                ENVIRONMENT,
                {
                    "ComputeResources": {
                        "Type": "EC2",
                        "InstanceTypes": ["m5.large"],
                        "Subnets": [{"Ref": "Subnet"}],
                        "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}},
                    }
                },
            ),
        }
    )
    (hosts,) = [each for each in cost.resources if each.logical_id == "Hosts"]
    assert [charge.keys[0] for charge in by_use(hosts)] == ["ec2.on_demand.m5.large", "vpc.public_ipv4", "ebs.gp3"]
