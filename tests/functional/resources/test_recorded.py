"""Types without behaviour: stored and described by CloudFormation as its schemas say, for each type that is listed."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.functional.twin.test_stacks import Deployer
from trainworks.assembly.schemas import Schema, schema
from trainworks.testing import TestTwin
from trainworks.twin.emulator.cloudformation.handler_actions import handler_of
from trainworks.twin.resources.recorded_types import recorded_types


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Deployer]:
    deployer = Deployer(twin)
    yield deployer
    deployer.delete()


def sample(found: Schema, node: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that the schema allows, with what is required alone."""
    node = found.resolved(node)
    for key in ("oneOf", "anyOf", "allOf"):
        if key in node and "type" not in node and "properties" not in node:
            return sample(found, node[key][0], depth + 1)
    kind = node.get("type", "object" if "properties" in node else "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if "enum" in node:
        return node["enum"][0]
    if kind == "object":
        members = node.get("properties", {})
        return {name: sample(found, members.get(name, {}), depth + 1) for name in node.get("required", ())}
    if kind == "array":
        return [sample(found, node.get("items", {}), depth + 1)] if depth < 6 else []
    return {"string": "x", "integer": 1, "number": 1, "boolean": True}[kind]


def sample_resources(names: list[str]) -> dict[str, Any]:
    made = {}
    for index, name in enumerate(names):
        found = schema(name)
        assert found is not None
        made[f"R{index}"] = {"Type": name, "Properties": sample(found, found.body)}
    return made


EXECUTED = ("AWS::SageMaker::NotebookInstance", "AWS::SageMaker::NotebookInstanceLifecycleConfig")
NAMES = [name for name in recorded_types() if name not in EXECUTED]
PARTS = [NAMES[start::8] for start in range(8)]


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_every_recorded_type_deploys_with_what_it_requires_and_gives_its_attributes(twin: TestTwin, part: int) -> None:
    names = PARTS[part]
    resources = sample_resources(names)
    for start in range(0, len(names), 60):
        chosen = dict(list(resources.items())[start : start + 60])
        outputs = {}
        for logical_id, body in chosen.items():
            found = schema(body["Type"])
            assert found is not None
            single = [each for each in sorted(found.attributes) if "*" not in each and not _is_list(found, each)]
            for attribute in single[:1]:
                outputs[f"{logical_id}A"] = {"Value": {"Fn::GetAtt": [logical_id, attribute]}}
            outputs[f"{logical_id}R"] = {"Value": {"Ref": logical_id}}
        deployer = Deployer(twin)
        url = deployer.upload({"Resources": chosen, "Outputs": outputs})
        deployer.client.create_stack(StackName=deployer.name, TemplateURL=url, Capabilities=["CAPABILITY_NAMED_IAM"])
        try:
            assert deployer.status() == "CREATE_COMPLETE", deployer.describe()["StackStatusReason"]
            assert all(deployer.outputs().values()), deployer.outputs()
        finally:
            deployer.delete()


def _is_list(found: Schema, attribute: str) -> bool:
    return found.at(tuple(attribute.split("."))).get("type", "string") not in ("string", "integer")


FORMATS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("AWS::ECS::Cluster", {}, r"stack-.*", "Arn", r"arn:aws:ecs:us-east-1:\d{12}:cluster/stack-.*"),
    ("AWS::EC2::Instance", {"ImageId": "ami-1"}, r"i-[0-9a-f]{17}", "InstanceId", r"i-[0-9a-f]{17}"),
    ("AWS::EC2::VPCCidrBlock", {"VpcId": "vpc-1"}, r"vpc-cidr-assoc-[0-9a-f]{8}", "Id", r"vpc-cidr-assoc-.*"),
    (
        "AWS::SageMaker::ModelPackageGroup",
        {"ModelPackageGroupName": "g"},
        r"arn:aws:sagemaker:us-east-1:\d{12}:model-package-group/g",
        "ModelPackageGroupArn",
        r"arn:.*/g",
    ),
    (
        "AWS::SageMaker::Domain",
        {"AuthMode": "IAM", "DefaultUserSettings": {"ExecutionRole": "r"}, "DomainName": "n"},
        r"d-[a-z0-9]{12}",
        "DomainArn",
        r"arn:aws:sagemaker:.*:domain/.*",
    ),
    (
        "AWS::FSx::FileSystem",
        {"FileSystemType": "LUSTRE", "SubnetIds": ["s"]},
        r"fs-[0-9a-f]{17}",
        "ResourceARN",
        r"arn:aws:fsx:.*",
    ),
    ("AWS::ApiGateway::RestApi", {"Name": "a"}, r"[a-z0-9]{10}", "RootResourceId", r"[a-z0-9]{10}"),
    (
        "AWS::ApiGateway::Stage",
        {"RestApiId": "a", "StageName": "prod", "DeploymentId": "d"},
        r"prod",
        "",
        "",
    ),
    (
        "AWS::RDS::DBInstance",
        {"DBInstanceClass": "db.t4g.micro"},
        r"[a-z0-9-]+",
        "Endpoint.Port",
        r"5432",
    ),
    ("AWS::CodeCommit::Repository", {"RepositoryName": "r"}, r"[0-9a-f-]{36}", "Name", r"r"),
    ("AWS::CodePipeline::Pipeline", {"RoleArn": "r", "Stages": []}, r"stack-.*", "Version", r"1"),
    ("AWS::Cognito::UserPool", {}, r"us-east-1_[a-z0-9]{9}", "Arn", r"arn:aws:cognito-idp:.*:userpool/us-east-1_.*"),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "properties", "ref", "attribute", "value"), FORMATS)
def test_ids_and_attributes_have_the_formats_that_are_documented(  # noqa: PLR0917 - a table's columns
    stack: Deployer, type_name: str, properties: dict[str, Any], ref: str, attribute: str, value: str
) -> None:
    outputs = {"Ref": {"Value": {"Ref": "It"}}}
    if attribute:
        outputs["Att"] = {"Value": {"Fn::GetAtt": ["It", attribute]}}
    template = {"Resources": {"It": {"Type": type_name, "Properties": properties}}, "Outputs": outputs}
    assert stack.create(template) == "CREATE_COMPLETE", stack.describe()["StackStatusReason"]
    assert re.fullmatch(ref, stack.outputs()["Ref"]), stack.outputs()
    assert re.fullmatch(value, stack.outputs().get("Att", "")), stack.outputs()


def cluster(**properties: Any) -> dict[str, Any]:
    return {
        "Resources": {"It": {"Type": "AWS::ECS::Cluster", "Properties": properties}},
        "Outputs": {"Ref": {"Value": {"Ref": "It"}}},
    }


def test_an_update_keeps_the_resource_and_a_fixed_property_replaces_it(stack: Deployer) -> None:
    first = f"c-{uuid.uuid4().hex[:8]}"
    assert stack.create(cluster(ClusterName=first)) == "CREATE_COMPLETE"
    tagged = cluster(ClusterName=first, Tags=[{"Key": "k", "Value": "v"}])
    stack.client.create_change_set(StackName=stack.name, ChangeSetName="c", TemplateBody=json.dumps(tagged))
    change = stack.client.describe_change_set(StackName=stack.name, ChangeSetName="c")["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["Replacement"]) == ("Modify", "False")
    assert stack.update(tagged) == "UPDATE_COMPLETE"
    assert stack.outputs()["Ref"] == first
    assert stack.update(cluster(ClusterName=f"{first}2")) == "UPDATE_COMPLETE"
    assert stack.outputs()["Ref"] == f"{first}2"
    detection = stack.client.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
    status = stack.client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert status["StackDriftStatus"] == "IN_SYNC"


def test_two_resources_cannot_have_one_name(stack: Deployer, twin: TestTwin) -> None:
    name = f"c-{uuid.uuid4().hex[:8]}"
    assert stack.create(cluster(ClusterName=name)) == "CREATE_COMPLETE"
    second = Deployer(twin)
    try:
        assert second.create(cluster(ClusterName=name)) == "ROLLBACK_COMPLETE"
        said = f"Resource of type 'AWS::ECS::Cluster' with identifier '{name}' already exists."
        assert said in second.failure()
    finally:
        second.delete()
    stack.delete()
    assert stack.create(cluster(ClusterName=name)) == "CREATE_COMPLETE"


def test_a_recorded_resource_is_refused_what_its_schema_lacks(stack: Deployer) -> None:
    assert stack.create(cluster(ClusterNam="x")) == "ROLLBACK_COMPLETE"
    assert "extraneous key [ClusterNam] is not permitted" in stack.describe()["StackStatusReason"]


@pytest.mark.parametrize(
    ("type_name", "create", "delete"),
    [
        ("AWS::ECS::Cluster", "ecs:CreateCluster", "ecs:DeleteCluster"),
        ("AWS::EC2::Instance", "ec2:RunInstances", "ec2:TerminateInstances"),
        ("AWS::IAM::OIDCProvider", "iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"),
        (
            "AWS::ApplicationAutoScaling::ScalableTarget",
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:DeregisterScalableTarget",
        ),
        ("AWS::FSx::FileSystem", "fsx:CreateFileSystem", "fsx:DeleteFileSystem"),
    ],
)
def test_a_recorded_resource_needs_the_action_that_its_schema_names(type_name: str, create: str, delete: str) -> None:
    found = handler_of(type_name)
    assert (found.create, found.delete) == (create, delete)
