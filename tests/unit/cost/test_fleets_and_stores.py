"""Clusters, fleets, databases and file systems: what they cost, and what their limits would add."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.unit.cost.counted import amount, idle, one
from trainworks.cost.idle import ResourceCost
from trainworks.cost.money import Money

NODES = {"InstanceTypes": ["m5.large"], "ScalingConfig": {"DesiredSize": 2, "MaxSize": 5, "MinSize": 1}}
GROUPS = [{"InstanceGroupName": "gpu", "InstanceType": "ml.g5.8xlarge", "InstanceCount": 1}]
LUSTRE = {"FileSystemType": "LUSTRE", "StorageCapacity": 1200}
POSTGRES = {"Engine": "postgres", "DBInstanceClass": "db.t3.large", "AllocatedStorage": "100"}
VOLUME = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3"}}


@pytest.mark.parametrize(
    ("type_", "properties", "dollars"),
    [
        ("AWS::SageMaker::Cluster", {"InstanceGroups": GROUPS}, "2233.80"),
        ("AWS::SageMaker::App", {"AppType": "JupyterLab", "ResourceSpec": {"InstanceType": "ml.m5.4xlarge"}}, "673.06"),
        ("AWS::SageMaker::App", {"AppType": "JupyterServer"}, "0"),
        ("AWS::RDS::DBInstance", {**POSTGRES, "StorageType": "gp3"}, "117.35"),
        (
            "AWS::RDS::DBInstance",
            {"Engine": "mysql", "DBInstanceClass": "db.t3.large", "AllocatedStorage": 30, "MultiAZ": True},
            "205.46",
        ),
        ("AWS::FSx::FileSystem", {**LUSTRE, "LustreConfiguration": {"DeploymentType": "SCRATCH_2"}}, "168.00"),
        (
            "AWS::FSx::FileSystem",
            {**LUSTRE, "LustreConfiguration": {"DeploymentType": "PERSISTENT_2", "PerUnitStorageThroughput": 125}},
            "174.00",
        ),
        (
            "AWS::FSx::FileSystem",
            {
                "FileSystemType": "WINDOWS",
                "StorageCapacity": 300,
                "WindowsConfiguration": {"DeploymentType": "MULTI_AZ_1", "ThroughputCapacity": 1024},
            },
            "4677.00",
        ),
        ("AWS::NetworkFirewall::Firewall", {"SubnetMappings": [{"SubnetId": "a"}]}, "288.35"),
        ("AWS::EKS::Cluster", {}, "73.00"),
        ("AWS::CodePipeline::Pipeline", {}, "1.00"),
        ("AWS::CodePipeline::Pipeline", {"PipelineType": "V2"}, "0"),
        ("AWS::Kinesis::Stream", {"ShardCount": 4}, "43.80"),
        ("AWS::Kinesis::Stream", {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, "29.20"),
        (
            "AWS::ElastiCache::ReplicationGroup",
            {"CacheNodeType": "cache.m4.large", "NumNodeGroups": 4, "ReplicasPerNodeGroup": 3},
            "1822.08",
        ),
        (
            "AWS::MSK::Cluster",
            {
                "NumberOfBrokerNodes": 2,
                "BrokerNodeGroupInfo": {
                    "InstanceType": "kafka.t3.small",
                    "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 500}},
                },
            },
            "166.58",
        ),
        (
            "AWS::Redshift::Cluster",
            {"ClusterType": "multi-node", "NodeType": "dc2.large", "NumberOfNodes": 4},
            "730.00",
        ),
        ("AWS::MWAA::Environment", {}, "357.70"),
        ("AWS::EC2::ClientVpnTargetNetworkAssociation", {}, "73.00"),
        ("AWS::EC2::TransitGatewayVpcAttachment", {}, "36.50"),
        ("AWS::Route53::HostedZone", {}, "0.50"),
        ("AWS::Route53Resolver::ResolverEndpoint", {"IpAddresses": [{}, {}]}, "182.50"),
        ("AWS::EC2::Volume", {"VolumeType": "io1", "Size": 30, "Iops": 300}, "23.25"),
        ("AWS::ElasticLoadBalancing::LoadBalancer", {"Scheme": "internal"}, "18.25"),
    ],
)
def test_the_amount_of_a_resource(type_: str, properties: dict[str, Any], dollars: str) -> None:
    assert amount(one(type_, properties)) == Decimal(dollars)


@pytest.mark.parametrize(
    ("type_", "properties", "word"),
    [
        ("AWS::SageMaker::MlflowTrackingServer", {}, "size Small"),
        ("AWS::SageMaker::App", {"AppType": "Canvas"}, "Canvas"),
        ("AWS::SageMaker::Cluster", {"InstanceGroups": [{"InstanceType": "ml.g5.8xlarge"}]}, "number of instances"),
        ("AWS::FSx::FileSystem", {"FileSystemType": "ONTAP", "StorageCapacity": 1024}, "ONTAP"),
        ("AWS::RDS::DBInstance", {**POSTGRES, "Engine": "db2-se"}, "db2-se"),
        ("AWS::ElastiCache::CacheCluster", {"Engine": "valkey", "CacheNodeType": "cache.t4g.micro"}, "valkey"),
        ("AWS::AutoScaling::AutoScalingGroup", {"MinSize": "1", "MaxSize": "1"}, "types of instances"),
        ("AWS::SSM::Parameter", {"Tier": "Advanced"}, "advanced"),
    ],
)
def test_what_nobody_can_tell_is_unknown_by_name(type_: str, properties: dict[str, Any], word: str) -> None:
    assert word in " ".join(one(type_, properties).unknown)


def test_a_group_costs_its_desired_hosts_and_at_most_its_limit() -> None:
    group = _with_template({"MinSize": "0", "MaxSize": "4", "DesiredCapacity": "2"}, {"InstanceType": "m5.large"})
    assert _cents(group.amount) == (_dollars("148.16"), _dollars("148.16"))
    assert _cents(group.more_at_most) == (_dollars("148.16"), _dollars("148.16"))


def test_a_group_that_mixes_markets_costs_between_them() -> None:
    mixed = {
        "MinSize": 1,
        "MaxSize": 1,
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": {"Ref": "Template"}}},
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 50},
        },
    }
    group = _with_template(mixed, {"InstanceType": "m5.large"})
    assert group.amount.low < group.amount.high
    assert group.more_at_most.is_zero


def _with_template(group: dict[str, Any], data: dict[str, Any]) -> ResourceCost:
    template = {"LaunchTemplateData": {**data, "BlockDeviceMappings": [VOLUME]}}
    properties = {"LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}, **group}
    cost = idle(
        {"Template": ("AWS::EC2::LaunchTemplate", template), "It": ("AWS::AutoScaling::AutoScalingGroup", properties)}
    )
    return next(each for each in cost.resources if each.place == "It")


def test_nodes_have_disks_and_a_limit() -> None:
    nodes = one("AWS::EKS::Nodegroup", NODES)
    assert _cents(nodes.amount) == (_dollars("143.36"), _dollars("144.16"))
    assert _cents(nodes.more_at_most) == (_dollars("215.04"), _dollars("216.24"))


def test_a_notebook_says_what_it_costs_when_it_is_left_running() -> None:
    notebook = one("AWS::SageMaker::NotebookInstance", {"InstanceType": "ml.g5.xlarge"})
    assert _cents(notebook.amount)[0] == _dollars("0.70")
    assert _cents(notebook.more_at_most)[0] == _dollars("1029.30")


def test_batch_says_what_its_limit_costs() -> None:
    compute = {"Type": "EC2", "InstanceTypes": ["m5.large"], "MinvCpus": 0, "MaxvCpus": 16}
    environment = one("AWS::Batch::ComputeEnvironment", {"ComputeResources": compute})
    assert environment.amount.is_zero
    assert _cents(environment.more_at_most)[0] == _dollars("560.64")


def test_an_endpoint_that_scales_says_what_its_limit_costs() -> None:
    cost = idle(
        {
            "Config": (
                "AWS::SageMaker::EndpointConfig",
                {
                    "ProductionVariants": [
                        {"VariantName": "All", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
                    ]
                },
            ),
            "Endpoint": (
                "AWS::SageMaker::Endpoint",
                {"EndpointName": "mine", "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
            ),
            "Target": (
                "AWS::ApplicationAutoScaling::ScalableTarget",
                {"MaxCapacity": 4, "ResourceId": {"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/All"}},
            ),
        }
    )
    endpoint = next(each for each in cost.resources if each.place == "Endpoint")
    assert _cents(endpoint.amount)[0] == _dollars("83.95")
    assert _cents(endpoint.more_at_most)[0] == _dollars("251.85")


def test_a_schedule_that_monitors_is_never_known() -> None:
    machines = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 20}
    config = {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        "MonitoringJobDefinition": {"MonitoringResources": {"ClusterConfig": machines}},
    }
    schedule = one("AWS::SageMaker::MonitoringSchedule", {"MonitoringScheduleConfig": config})
    assert schedule.unknown == ("how long its 730 runs a month take",)
    assert schedule.charges[0].unit_price == Money.exactly("0.23")


def test_the_largest_unknown_is_named_first() -> None:
    cost = idle(
        {
            "Small": ("AWS::Deadline::Farm", {}),
            "Large": ("AWS::SageMaker::Cluster", {"InstanceGroups": [{"InstanceType": "ml.x9.large"}]}),
            "Middle": ("AWS::FSx::FileSystem", {"FileSystemType": "ONTAP", "StorageCapacity": 1024}),
        }
    )
    assert [each.place for each in cost.unknown] == ["Large", "Middle", "Small"]


def _cents(money: Money) -> tuple[Decimal, Decimal]:
    cent = Decimal("0.01")
    return money.low.quantize(cent, ROUND_HALF_UP), money.high.quantize(cent, ROUND_HALF_UP)


def _dollars(text: str) -> Decimal:
    return Decimal(text)
