"""Every role of every template is exactly the documented one: no statement more, none less, none otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ACCOUNT, REGION
from trainworks.assembly import CloudAssembly, SynthRequest, synthesize
from trainworks.assembly.graph import Graph, Resource, load_graph
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.aws.framework_images import frameworks
from trainworks.config.profile import PROFILES, EnvironmentProfile, ProfileName
from trainworks.infra.platform_roles import ROLES, Grant, PlatformRole, documented_roles

DEV, STAGING, PROD = (PROFILES[name] for name in ProfileName)
Names = Mapping[str, tuple[str, ...]]

OPTIONAL_RESOURCE = {"cloudwatch:PutMetricData"}
"""Its `dataset` is not for metrics of a namespace, which a condition limits."""

VARIATIONS = {
    "dev": DEV,
    "staging": STAGING,
    "prod": PROD,
    "no notebook": replace(STAGING, notebook=None),
    "no batch": replace(DEV, batch=None),
    "a notebook and a key per domain": replace(PROD, notebook=DEV.notebook),
    "flow logs and no retention": replace(
        DEV,
        network=replace(DEV.network, flow_logs=True),
        monitoring=replace(DEV.monitoring, training_log_retention_days=None),
    ),
}


@pytest.fixture(scope="module")
def synthesizer() -> Iterator[Synthesizer]:
    with Synthesizer() as shared:
        yield shared


def synthesized(profile: EnvironmentProfile, cache: Path, synthesizer: Synthesizer) -> Graph:
    request = SynthRequest(profile.name.value, profile, ACCOUNT, REGION)
    assembly: CloudAssembly = synthesize(request, cache, synthesizer.synthesize)
    return load_graph(assembly.directory, account=ACCOUNT, region=REGION)


@pytest.mark.parametrize("profile", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_every_role_is_the_documented_one(
    profile: EnvironmentProfile, assembly_cache: Path, synthesizer: Synthesizer
) -> None:
    graph = synthesized(profile, assembly_cache, synthesizer)
    names = names_of(graph, profile)
    documented = documented_roles(profile)
    roles = {role.place: role for role in graph.of_type("AWS::IAM::Role")}
    assert set(roles) == set(documented)
    for place, role in roles.items():
        expected, grants = documented[place]
        assert role.properties["AssumeRolePolicyDocument"]["Statement"] == [trust(expected, names)], place
        assert statements(graph, role) == [statement(grant, names) for grant in grants], place
        assert "ManagedPolicyArns" not in role.properties
        assert "PermissionsBoundary" not in role.properties


def names_of(graph: Graph, profile: EnvironmentProfile) -> Names:
    """What the names of the documented set stand for in a template."""

    def arn(type_: str, place: str) -> tuple[str, ...]:
        return tuple(each.arn for each in graph.of_type(type_) if each.place == place)

    def ids(type_: str, pattern: str) -> tuple[str, ...]:
        return tuple(each.physical_id for each in graph.of_type(type_) if re.fullmatch(pattern, each.place))

    notebooks = graph.of_type("AWS::SageMaker::NotebookInstance")
    (vpc,) = graph.of_type("AWS::EC2::VPC")
    machines = {each.place: (each.arn,) for each in graph.of_type("AWS::StepFunctions::StateMachine")}
    return {
        "Partition": ("aws",),
        "Region": (REGION,),
        "Account": (ACCOUNT,),
        "Suffix": (profile.name.value,),
        "DatasetBucket": arn("AWS::S3::Bucket", "Storage/DatasetBucket"),
        "ModelBucket": arn("AWS::S3::Bucket", "Storage/ModelBucket"),
        "DataKey": arn("AWS::KMS::Key", "Storage/DataKey"),
        "Repository": arn("AWS::ECR::Repository", "Storage/TrainingRepository"),
        "FrameworkRepositories": tuple(
            f"arn:aws:ecr:{REGION}:{each.accounts[REGION]}:repository/{each.repository}"
            for each in frameworks().values()
            if REGION in each.accounts
        ),
        "TrainingRole": arn("AWS::IAM::Role", "Training/TrainingRole"),
        "IsolatedSubnets": ids("AWS::EC2::Subnet", r"Network/Vpc/IsolatedSubnet\d/Subnet"),
        "TrainingSecurityGroup": ids("AWS::EC2::SecurityGroup", "Training/TrainingSecurityGroup"),
        "NotebookSecurityGroup": ids("AWS::EC2::SecurityGroup", "Training/NotebookSecurityGroup"),
        "NotebookSubnet": tuple(each.properties["SubnetId"] for each in notebooks),
        "Notebook": tuple(each.arn for each in notebooks),
        "BatchLogGroup": arn("AWS::Logs::LogGroup", "Batch/LogGroup"),
        "FlowLogGroup": arn("AWS::Logs::LogGroup", "Network/FlowLog/LogGroup"),
        "DefaultSecurityGroup": (vpc.attribute("DefaultSecurityGroup"),),
        **machines,
    }


def expanded(pattern: str, names: Names) -> list[str]:
    """`pattern` with its names replaced; a name of several things makes several resources."""
    found = re.search(r"\$\{([^}]+)\}", pattern)
    if found is None:
        return [pattern]
    return [text for value in names[found[1]] for text in expanded(pattern.replace(found[0], value), names)]


def statement(grant: Grant, names: Names) -> dict[str, Any]:
    resources = [resource for pattern in grant.resources for resource in expanded(pattern, names)]
    said: dict[str, Any] = {"Sid": grant.sid, "Effect": grant.effect, "Action": [*grant.actions], "Resource": resources}
    if grant.condition:
        said["Condition"] = json.loads(json.dumps(grant.condition))
    return said


def trust(role: PlatformRole, names: Names) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    if role.source_account:
        condition["StringEquals"] = {"aws:SourceAccount": ACCOUNT}
    if role.source_arn:
        (source_arn,) = expanded(role.source_arn, names)
        condition["ArnLike"] = {"aws:SourceArn": source_arn}
    said: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": role.service}, "Action": "sts:AssumeRole"}
    return {**said, "Condition": condition} if condition else said


def statements(graph: Graph, role: Resource) -> list[dict[str, Any]]:
    """The role's own statements, and those of policies that are attached to it elsewhere."""
    documents = [policy["PolicyDocument"] for policy in role.properties.get("Policies", [])]
    for policy in graph.of_type("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
        attached = [*policy.get("Roles", default=[]), policy.get("RoleName")]
        if role.physical_id in attached:
            documents.append(policy.properties["PolicyDocument"])
    return [each for document in documents for each in document["Statement"]]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.place)
def test_every_action_exists_and_no_resource_is_wider_than_needed(role: PlatformRole) -> None:
    """`*` stands alone where an action knows no resource; by cfn-lint's copy of the Service Authorization Reference."""
    catalogue = actions_of_aws()
    for grant in role.grants:
        for action in grant.actions:
            service, _, name = action.partition(":")
            known = catalogue[service]["Actions"]
            assert name.lower() in known, action
            if grant.resources == ("*",) and action not in OPTIONAL_RESOURCE:
                assert not known[name.lower()].get("Resources"), action


def actions_of_aws() -> Mapping[str, Any]:
    path = Path(pytest.importorskip("cfnlint").__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
