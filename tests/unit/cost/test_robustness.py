"""Properties of a wrong form are unknown or ignored: no template ends the counting."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cost.counted import idle
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
        *("VolumeSizeInGB", "VolumeType", "VpcEndpointType"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
WORDS = st.sampled_from(
    ["Interface", "SPOT", "EC2", "FARGATE", "gp3", "m5.large", {"Ref": "Config"}, {"Ref": "Nobody"}]
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
