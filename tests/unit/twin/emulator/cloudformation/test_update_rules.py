"""The rules are those of CloudFormation's registry schemas, as cfn-lint carries them."""

from __future__ import annotations

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from trainworks.twin.emulator.cloudformation.update_rules import CONDITIONALLY_REPLACING, REPLACING, _Rules


@pytest.mark.parametrize("resource_type", sorted(REPLACING))
def test_the_rules_are_the_schemas_create_only_properties(resource_type: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    pointers = [pointer.split("/")[2:] for pointer in schema.get("createOnlyProperties", [])]
    whole = {names[0] for names in pointers if len(names) == 1}
    in_part = {names[0] for names in pointers if len(names) > 1}
    assert set(REPLACING[resource_type]) == whole
    assert set(CONDITIONALLY_REPLACING.get(resource_type, ())) == in_part - whole


@pytest.mark.parametrize(
    "resource_type", ["AWS::EC2::VPC", "AWS::Events::Rule", "AWS::SageMaker::MlflowTrackingServer"]
)
def test_what_replaces_under_conditions_is_told_so_of_every_type(resource_type: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    names = {pointer.split("/")[2] for pointer in schema["conditionalCreateOnlyProperties"]}
    assert names
    assert names <= set(_Rules({}, whole=False).get(resource_type, ()))
    assert not names & set(_Rules(REPLACING, whole=True).get(resource_type, ()))
