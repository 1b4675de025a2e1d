"""Roles in resources are found by AWS's schemas: every declared member, and nothing that users named themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainworks.assembly.schemas import Node, Schema, schema, type_names
from trainworks.twin.emulator.cloudformation.declared import named_texts
from trainworks.twin.wire.roles import holds_role

ROLE = "arn:aws:iam::000000000000:role/r"
CHOICES = ("oneOf", "anyOf", "allOf")
# The services that ministack's and our own types are of.
SERVICES = frozenset(
    {
        "Batch", "Budgets", "CloudFormation", "CloudWatch", "DynamoDB", "EC2", "ECR", "Events", "IAM", "KMS", "Lambda",
        "Logs", "S3", "SNS", "SQS", "SSM", "SageMaker", "Scheduler", "SecretsManager", "StepFunctions",
    }
)  # fmt: skip


def test_every_member_that_holds_a_role_is_found_wherever_it_is() -> None:
    """Each is set in properties that are made for it alone, by walking the schema a second time."""
    count, missed = 0, []
    for name in sorted(type_names()):
        found = schema(name) if name.split("::")[1] in SERVICES else None
        for value in _with_a_role(found, found.body, 0) if found is not None else ():
            count += 1
            if not any(holds_role(member) and text == ROLE for member, text in named_texts(name, value)):
                missed.append((name, value))
    assert not missed
    assert count > 50


def test_what_users_name_themselves_is_no_role() -> None:
    role = {"RoleArn": ROLE, "States": [{"ExecutionRole": ROLE}]}
    free = [
        ("AWS::Events::Rule", {"EventPattern": role}),
        ("AWS::StepFunctions::StateMachine", {"Definition": role, "DefinitionSubstitutions": {"RoleArn": ROLE}}),
        ("AWS::SNS::Subscription", {"FilterPolicy": role}),
        ("AWS::Batch::JobDefinition", {"Parameters": {"RoleArn": ROLE}}),
        ("AWS::Lambda::Function", {"Environment": {"Variables": {"RoleArn": ROLE}}}),
        ("AWS::SSM::Document", {"Content": role}),
        ("AWS::CloudFormation::WaitConditionHandle", {"Metadata": role}),
    ]
    for name, properties in free:
        assert schema(name) is not None
        found = [(member, text) for member, text in named_texts(name, properties) if holds_role(member)]
        assert found == [], name
    # Of what nobody knows every name counts.
    assert list(named_texts("Custom::Mine", {"a": [{"RoleArn": ROLE}]})) == [("RoleArn", ROLE)]


def _with_a_role(known: Schema, node: Node, depth: int) -> Iterator[Any]:
    """Values of a node with a role in one place each."""
    node = known.resolved(node)
    if depth > 9:
        return
    for choice in CHOICES:
        for each in node.get(choice, ()):
            yield from _with_a_role(known, each, depth + 1)
    for member, inner in node.get("properties", {}).items():
        kind = known.resolved(inner)
        if holds_role(member) and kind.get("type") == "string":
            yield {member: ROLE}
        if holds_role(member) and known.resolved(kind.get("items", {})).get("type") == "string":
            yield {member: [ROLE]}
        for value in _with_a_role(known, kind, depth + 1):
            yield {member: value}
        for value in _with_a_role(known, kind.get("items", {}), depth + 1):
            yield {member: [value]}
    for inner in node.get("patternProperties", {}).values():
        for value in _with_a_role(known, inner, depth + 1):
            yield {"any": value}
