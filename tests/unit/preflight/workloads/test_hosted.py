"""Notebook instances, models, endpoints, functions and builds."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.preflight.small_vpc import ref, resource
from trainworks.assembly.graph import graph_of_template
from trainworks.preflight.workloads import Workloads, workloads_of


def _found(**resources: Any) -> Workloads:
    return workloads_of(graph_of_template({"Parameters": {"Vpc": {"Type": "String"}}, "Resources": resources}))


def test_notebooks_with_scripts_and_repositories() -> None:
    content = base64.b64encode(b"echo hello").decode()
    (notebook,) = _found(
        Notebook=resource(
            "SageMaker::NotebookInstance",
            SubnetId="subnet-1",
            DirectInternetAccess="Disabled",
            LifecycleConfigName={"Fn::GetAtt": ["Start", "NotebookInstanceLifecycleConfigName"]},
            DefaultCodeRepository={"Fn::GetAtt": ["Code", "CodeRepositoryName"]},
            KmsKeyId="key",
        ),
        Start=resource("SageMaker::NotebookInstanceLifecycleConfig", OnStart=[{"Content": content}]),
        Code=resource("SageMaker::CodeRepository", GitConfig={"RepositoryUrl": "https://example.org/x.git"}),
    ).notebooks
    assert notebook.subnets == ("subnet-1",)
    assert notebook.direct_internet_access is False
    assert notebook.scripts == ("echo hello",)
    assert notebook.repositories == ("https://example.org/x.git",)
    assert notebook.kms_key_id == "key"


def test_a_notebook_in_no_vpc_has_internet() -> None:
    (notebook,) = _found(N=resource("SageMaker::NotebookInstance", InstanceType="ml.t3.medium")).notebooks
    assert notebook.subnets is None
    assert notebook.direct_internet_access is True


def test_endpoints_find_their_models() -> None:
    found = _found(
        Model=resource(
            "SageMaker::Model",
            ExecutionRoleArn="role",
            PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://models/model.tar.gz"},
            VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        ),
        Config=resource(
            "SageMaker::EndpointConfig",
            KmsKeyId="key",
            ProductionVariants=[
                {
                    "VariantName": "a",
                    "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 2,
                }
            ],
            DataCaptureConfig={"DestinationS3Uri": "s3://models/capture", "KmsKeyId": "capture"},
        ),
    )
    (config,) = found.endpoint_configs
    (variant,) = config.variants
    assert variant.model is found.models[0]
    assert variant.initial_instance_count == 2
    assert (config.kms_key_id, config.capture_kms_key_id) == ("key", "capture")
    assert found.models[0].artefact_s3_uris == ("s3://models/model.tar.gz",)
    assert found.models[0].subnets == ("subnet-1",)


@pytest.mark.parametrize(
    ("vpc_config", "subnets"),
    [
        (None, None),
        ({"SubnetIds": [], "SecurityGroupIds": []}, None),
        ({"SubnetIds": [], "SecurityGroupIds": ["sg-1"]}, ()),
        ({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, ("subnet-1",)),
        (ref("Vpc"), None),
    ],
)
def test_functions(vpc_config: Any, subnets: tuple[str, ...] | None) -> None:
    properties = {} if vpc_config is None else {"VpcConfig": vpc_config}
    (function,) = _found(F=resource("Lambda::Function", Role="role", **properties)).functions
    assert function.subnets == subnets
    assert function.role_arn == "role"


def test_builds() -> None:
    settings = {"VpcId": "vpc-1", "Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    (build,) = _found(P=resource("CodeBuild::Project", ServiceRole="role", VpcConfig=settings)).builds
    assert (build.subnets, build.security_groups) == (("subnet-1",), ("sg-1",))
