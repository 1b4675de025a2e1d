"""Properties of a wrong form are unknown or ignored: no template ends the counting."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cost.counted import idle, one
from trainworks.assembly.schemas import Node, Schema, schema
from trainworks.cost.families import FAMILIES

NAMES = st.sampled_from(
    [
        *("BillingMode", "BlockDeviceMappings", "ComputeResources", "Ebs", "EndpointConfigName", "Expression"),
        *("FifoQueue", "InitialInstanceCount", "InstanceType", "InstanceTypes", "LifecycleConfiguration", "Metrics"),
        *(
            "LogDestinationType",
            "LogGroupClass",
            "MetricStat",
            "MinvCpus",
            "Period",
            "PointInTimeRecoverySpecification",
        ),
        *("ProductionVariants", "ProvisionedConcurrencyConfig", "ProvisionedThroughput", "ReadCapacityUnits", "Rules"),
        *("ServerlessConfig", "Size", "StateMachineType", "SubnetIds", "Transitions", "Type", "VolumeSize"),
        *("VolumeSizeInGB", "VolumeType", "VpcEndpointType", "InstanceGroups", "InstanceCount", "ResourceSpec"),
        *("DesiredCapacity", "MixedInstancesPolicy", "LaunchTemplate", "Overrides", "ScalingConfig", "DesiredSize"),
        *("FileSystemType", "StorageCapacity", "LustreConfiguration", "Engine", "DBInstanceClass", "AllocatedStorage"),
        *("NumNodeGroups", "CacheNodeType", "ClusterConfig", "EBSOptions", "BrokerNodeGroupInfo", "SubnetMappings"),
        *("Subnets", "Scheme", "AppType", "SpaceSettings", "MonitoringScheduleConfig", "ShardCount", "IpAddresses"),
        *("MaxSize", "MinSize", "MaxvCpus", "NodeType", "NumberOfNodes", "Architectures", "Iops", "Throughput"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
WORDS = st.sampled_from(
    [
        *("Interface", "SPOT", "EC2", "FARGATE", "gp3", "io1", "m5.large", "LUSTRE", "WINDOWS", "mysql", "JupyterLab"),
        *({"Ref": "Config"}, {"Ref": "Nobody"}),
    ]
)
JUNK = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.dictionaries(NAMES, JUNK, max_size=6), JUNK)
def test_no_property_ends_the_counting(type_: str, properties: dict[str, Any], variants: Any) -> None:
    cost = idle(
        {
            "It": (type_, properties),
            "Config": ("AWS::SageMaker::EndpointConfig", {"ProductionVariants": variants}),
            "Endpoint": ("AWS::SageMaker::Endpoint", {"EndpointConfigName": {"Ref": "Config"}}),
        },
        notebook_hours=1,
    )
    assert len(cost.resources) == 3
    assert cost.total.low >= 0


@pytest.mark.parametrize("type_", sorted(FAMILIES))
def test_no_value_of_a_schemas_own_members_ends_the_counting(type_: str) -> None:
    """Members as AWS's schema has them, at any depth, with values of the right form and of wrong ones."""
    found = schema(type_)
    assert found is not None
    chance = random.Random(type_)
    for _ in range(20):
        properties = {
            name: _drawn(found, node, chance) for name, node in found.properties.items() if chance.random() < 0.8
        }
        assert one(type_, properties).amount.low >= 0


def _drawn(found: Schema, node: Node, chance: random.Random, depth: int = 0) -> Any:
    node = found.resolved(node)
    if depth > 4 or chance.random() < 0.35:
        return chance.choice(_WRONG)
    if node.get("enum"):
        return chance.choice(node["enum"])
    if node.get("properties"):
        return {name: _drawn(found, inner, chance, depth + 1) for name, inner in node["properties"].items()}
    if node.get("type") == "array":
        return [_drawn(found, node.get("items", {}), chance, depth + 1) for _ in range(chance.randrange(3))]
    return chance.choice(_RIGHT)


_WRONG = [None, True, 0, -1, 2.5, float("inf"), "", "x", [], {}, [1], ["a"], [{}], {"a": 1}, {"Ref": "Nobody"}]
_RIGHT = [1, 100, "5", True, "mysql", "aurora-mysql", "db.serverless", "m5.large", "LUSTRE", "WINDOWS", "NaN"]
