from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.rules.autoscaling import RULE

ENDPOINT: dict[str, Any] = {
    "Config": {
        "Type": "AWS::SageMaker::EndpointConfig",
        "Properties": {
            "ProductionVariants": [
                {
                    "VariantName": "main",
                    "ModelName": "digits",
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1,
                }
            ]
        },
    },
    "Endpoint": {
        "Type": "AWS::SageMaker::Endpoint",
        "Properties": {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
    },
    "Target": {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "MinCapacity": 1,
            "MaxCapacity": 4,
            "ResourceId": {"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/main"},
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "ServiceNamespace": "sagemaker",
        },
    },
}


def endpoint() -> Draft:
    return draft_of(deepcopy(ENDPOINT))


def test_the_clean_endpoint_is_clean() -> None:
    nothing(endpoint())


def test_min_above_max() -> None:
    draft = endpoint()
    draft.properties("Target")["MinCapacity"] = 5
    (found,) = only(draft, RULE)
    assert found.value == "5 > 4"


def test_min_above_max_in_batch(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"]["MinvCpus"] = 32
    (found,) = only(draft, RULE)
    assert "MinvCpus" in found.message


def test_the_arn_instead_of_the_name() -> None:
    draft = endpoint()
    draft.properties("Target")["ResourceId"] = {"Fn::Sub": "endpoint/${Endpoint}/variant/main"}
    (found,) = only(draft, RULE)
    assert "endpoint/NAME/variant/VARIANT" in found.fix


def test_a_variant_that_is_not_there() -> None:
    draft = endpoint()
    draft.properties("Target")["ResourceId"] = {"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/AllTraffic"}
    (found,) = only(draft, RULE)
    assert found.fix == "one of its variants: main"


def test_a_target_that_does_not_wait() -> None:
    draft = endpoint()
    draft.properties("Endpoint")["EndpointName"] = "digits"
    nothing(draft)
    draft.properties("Target")["ResourceId"] = "endpoint/digits/variant/main"
    (found,) = only(draft, RULE)
    assert "DependsOn: Endpoint" in found.fix
    draft.body("Target")["DependsOn"] = ["Endpoint"]
    nothing(draft)


def test_burstable_instances() -> None:
    draft = endpoint()
    draft.properties("Config")["ProductionVariants"][0]["InstanceType"] = "ml.t2.medium"
    (found,) = only(draft, RULE)
    assert found.value == "ml.t2.medium"


def test_a_serverless_variant() -> None:
    draft = endpoint()
    variant = draft.properties("Config")["ProductionVariants"][0]
    del variant["InstanceType"], variant["InitialInstanceCount"]
    variant["ServerlessConfig"] = {"MaxConcurrency": 2, "MemorySizeInMB": 2048}
    (found,) = only(draft, RULE)
    assert "serverless" in found.message


def test_a_service_without_its_cluster() -> None:
    target = deepcopy(ENDPOINT["Target"])
    target["Properties"] |= {"ScalableDimension": "ecs:service:DesiredCount", "ResourceId": "service/main/web"}
    draft = draft_of({"Target": target})
    draft.properties("Target")["ResourceId"] = "service/web"
    (found,) = only(draft, RULE)
    assert "service/CLUSTER/SERVICE" in found.fix
