from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only, quiet
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.fixed_name import RULE


def test_a_notebook_with_a_name_and_a_subnet(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Training/Notebook")["NotebookInstanceName"] = "notebook"
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING
    assert "SecurityGroupIds" in found.message
    assert found.value == "notebook"


def test_a_compute_environment_holds_no_data(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeEnvironmentName"] = "spot"
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING
    assert "and " in found.message
    assert " more " in found.message


def test_a_parent_property_stands_for_those_inside() -> None:
    repository = {
        "Type": "AWS::ECR::Repository",
        "Properties": {"EncryptionConfiguration": {"EncryptionType": "KMS"}, "EmptyOnDelete": True},
    }
    draft = draft_of({"Repository": repository})
    draft.properties("Repository")["RepositoryName"] = "images"
    (found,) = only(draft, RULE)
    assert "a change of EncryptionConfiguration needs" in found.message


def test_a_name_beside_nothing_that_replaces() -> None:
    draft = draft_of({"Group": {"Type": "AWS::SNS::Topic", "Properties": {}}})
    draft.properties("Group")["TopicName"] = "topic"
    nothing(draft)


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("AWS::ApiGateway::Stage", {"StageName": "v1", "RestApiId": "api"}),
        ("AWS::Cognito::UserPoolGroup", {"GroupName": "admins", "UserPoolId": "eu-west-1_1"}),
        ("AWS::Logs::SubscriptionFilter", {"FilterName": "f", "LogGroupName": "/g"}),
        ("AWS::IAM::ManagedPolicy", {"ManagedPolicyName": "p", "Path": "/team/"}),
    ],
)
def test_a_replacement_that_has_its_name_elsewhere(type_: str, properties: dict[str, str]) -> None:
    draft = draft_of({})
    draft.add("Named", type_, properties)
    quiet(draft, RULE)


def test_a_name_that_is_required() -> None:
    draft = draft_of({})
    draft.add(
        "Monitor",
        "AWS::CE::AnomalyMonitor",
        {"MonitorName": "all", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"},
    )
    nothing(draft)
