"""What CloudFormation refuses in a template, in its words; what it accepts is not refused."""

from __future__ import annotations

from typing import Any

import pytest

from trainworks.assembly.flaw import refusal_of
from trainworks.assembly.template_check import resource_flaws, template_flaws, unknown_types

TOPIC = {"Type": "AWS::SNS::Topic"}
BLOCK = "Template format error: Unresolved resource dependencies"


def named(value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}}


def resources(**given: Any) -> dict[str, Any]:
    return {"Resources": given}


def holds(name: str) -> bool | None:
    return {"Yes": True, "No": False}.get(name)


CONDITIONS = {
    "Yes": {"Fn::Equals": ["a", "a"]},
    "No": {"Fn::Equals": ["a", "b"]},
    "Maybe": {"Fn::Equals": [{"Ref": "P"}, "b"]},
}
PARAMETERS = {"P": {"Type": "String", "Default": "x"}}

REFUSED: list[tuple[dict[str, Any], str]] = [
    (resources(A=named({"Ref": "X"}), B=named({"Ref": "W"})), f"{BLOCK} [W, X] in the Resources block of the template"),
    (resources(A=named({"Fn::Sub": "x-${Nope}"})), f"{BLOCK} [Nope] in the Resources block of the template"),
    (resources(A={**TOPIC, "DependsOn": "B"}), f"{BLOCK} [B] in the Resources block of the template"),
    (
        {**resources(A=TOPIC), "Outputs": {"O": {"Value": {"Ref": "X"}}}},
        f"{BLOCK} [X] in the Outputs block of the template",
    ),
    (
        resources(A=named({"Fn::GetAtt": ["B", "Arn"]})),
        "Template error: instance of Fn::GetAtt references undefined resource B",
    ),
    (
        resources(A=TOPIC, B=named({"Fn::GetAtt": ["A", "Nope"]})),
        "Template error: resource A does not support attribute type Nope in Fn::GetAtt",
    ),
    (
        {
            **resources(A={**TOPIC, "Condition": "No"}, B=named({"Ref": "A"})),
            "Conditions": CONDITIONS,
            "Parameters": PARAMETERS,
        },
        f"{BLOCK} [A] in the Resources block of the template",
    ),
    (
        resources(A={**TOPIC, "Condition": "C"}),
        "Template format error: Unresolved condition dependency C in the Resources block of the template",
    ),
    (
        resources(A=named({"Fn::If": ["C", "a", "b"]})),
        "Template error: unresolved condition dependency C in Fn::If",
    ),
    (
        {**resources(A=TOPIC), "Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}}},
        "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the "
        "template",
    ),
    (
        {**resources(A=TOPIC), "Conditions": {"C": {"Fn::Not": [{"Condition": "D"}]}, "D": {"Condition": "C"}}},
        "Template error: Circular dependency between conditions: [C, D]",
    ),
    (
        resources(A={**TOPIC, "DependsOn": "B"}, B={**TOPIC, "DependsOn": "A"}),
        "Circular dependency between resources: [A, B]",
    ),
    ({"Resources": {}}, "Template format error: At least one Resources member must be defined."),
    ({}, "Template format error: At least one Resources member must be defined."),
    (resources(**{"A-b": TOPIC}), "Template format error: Resource name A-b is non alphanumeric."),
    (
        {**resources(A=TOPIC), "Parameters": {"p_q": {"Type": "String"}}},
        "Template format error: Parameter name p_q is non alphanumeric.",
    ),
    ({**resources(A=TOPIC), "outputs": {}}, "Invalid template property or properties [outputs]"),
    (resources(A={**TOPIC, "TopicName": "x"}), "Invalid template resource property 'TopicName'"),
    (resources(A={"Properties": {}}), "Template format error: Every Resources object must contain a Type member."),
    (
        {**resources(A=TOPIC), "Outputs": {"O": {"Description": "x"}}},
        "Template format error: Every Outputs member must contain a Value object",
    ),
    (
        {**resources(A=TOPIC), "Outputs": {"O": {"Fn::Sub": "x"}}},
        "Template format error: Invalid outputs property : [Fn::Sub]",
    ),
    (
        {**resources(A=TOPIC), "Parameters": {"P": {"Default": "x"}}},
        "Template format error: Every Parameters object must contain a Type member.",
    ),
    (
        {**resources(A=TOPIC), "Parameters": {"P": {"Type": "Text"}}},
        "Template format error: Unrecognized parameter type: Text",
    ),
    (
        {**resources(A=TOPIC), "Parameters": {"P": {"Type": "String", "Defalt": "x"}}},
        "Invalid template parameter property 'Defalt'",
    ),
    (
        resources(A=named(None)),
        "Template format error: [/Resources/A/Properties/DisplayName] 'null' values are not allowed in templates",
    ),
    (resources(A=named({"Ref": ["A"]})), "Template error: every Ref object must have a single String value."),
    (
        resources(A={**TOPIC, "DependsOn": {"Ref": "B"}}),
        "Template format error: DependsOn must be a string or list of strings.",
    ),
    (
        resources(A=named({"Fn::FindInMap": ["M", "k", "v"]})),
        "Template error: Unable to get mapping for M::k::v",
    ),
    (
        resources(A={**TOPIC, "DeletionPolicy": "Snapshot"}),
        "Template error: resource type AWS::SNS::Topic does not support deletion policy Snapshot",
    ),
]


@pytest.mark.parametrize(("template", "said"), REFUSED)
def test_what_is_refused_is_refused_in_the_words_of_the_service(template: dict[str, Any], said: str) -> None:
    assert refusal_of(template_flaws(template, holds)) == said


ACCEPTED: list[dict[str, Any]] = [
    resources(A=named({"Fn::Sub": "${!Nope} ${AWS::Region}"})),
    resources(A=named({"Fn::Sub": ["${Own}", {"Own": "x"}]})),
    resources(A=TOPIC, B=named({"Fn::GetAtt": "A.TopicName"})),
    {
        **resources(A={**TOPIC, "Condition": "No"}, B=named({"Fn::If": ["No", {"Ref": "A"}, "x"]})),
        "Conditions": CONDITIONS,
        "Parameters": PARAMETERS,
    },
    {
        **resources(A={**TOPIC, "Condition": "No"}, B={**TOPIC, "DependsOn": "A"}),
        "Conditions": CONDITIONS,
        "Parameters": PARAMETERS,
        "Outputs": {"O": {"Condition": "No", "Value": {"Ref": "A"}}},
    },
    {
        **resources(A={**TOPIC, "Condition": "Maybe"}, B=named({"Ref": "A"})),
        "Conditions": CONDITIONS,
        "Parameters": PARAMETERS,
    },
    resources(A={"Type": "Custom::Any", "Properties": {"ServiceToken": "x", "Any": 1}},
              B=named({"Fn::GetAtt": ["A", "x"]})),
    resources(A={"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcId": "v", "ServiceName": "s"}},
              B=named({"Fn::Select": [0, {"Fn::GetAtt": ["A", "DnsEntries"]}]})),
    {**resources(A=TOPIC), "Transform": "Macro", "Outputs": {"O": {"Value": {"Ref": "Made"}}}},
    {**resources(A=named("x")), "Mappings": {"M": {"k": {"v": ["a"]}}}, "Outputs": {"O": {
        "Value": {"Fn::Select": [0, {"Fn::FindInMap": ["M", "k", "v"]}]}, "Export": {"Name": {"Fn::Sub": "${A}-o"}}}}},
]  # fmt: skip


@pytest.mark.parametrize("template", ACCEPTED)
def test_what_is_accepted_is_not_refused(template: dict[str, Any]) -> None:
    assert template_flaws(template, holds) + resource_flaws(template, holds) == []


FUNCTION = {"Code": {"ZipFile": "x"}, "Role": "r", "Handler": "i.h", "Runtime": "python3.12"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("AWS::SNS::Topic", {"DisplayNme": "x"}, "#: extraneous key [DisplayNme] is not permitted"),
    ("AWS::SNS::Topic", {"DisplayName": ["x"]}, "#/DisplayName: expected type: String, found: JSONArray"),
    ("AWS::SNS::Topic", {"Subscription": "x"}, "#/Subscription: expected type: JSONArray, found: String"),
    ("AWS::SNS::Topic", {"FifoTopic": "maybe"}, "#/FifoTopic: expected type: Boolean, found: String"),
    ("AWS::Lambda::Function", {"Code": {"ZipFile": "x"}}, "#: required key [Role] not found"),
    ("AWS::Lambda::Function", {**FUNCTION, "Timeout": "long"}, "#/Timeout: expected type: Integer, found: String"),
    ("AWS::Lambda::Function", {**FUNCTION, "MemorySize": 1.5}, "#/MemorySize: expected type: Integer, found: Number"),
    (
        "AWS::Lambda::Function",
        {**FUNCTION, "VpcConfig": {"Subnets": []}},
        "#/VpcConfig: extraneous key [Subnets] is not permitted",
    ),
    (
        "AWS::Lambda::Function",
        {**FUNCTION, "TracingConfig": {"Mode": "On"}},
        "#/TracingConfig/Mode: On is not a valid enum value",
    ),
    ("AWS::SNS::Topic", {"Tags": [{"Key": "k"}]}, "#/Tags/0: required key [Value] not found"),
    (
        "AWS::SNS::Topic",
        {"DisplayName": {"Fn::If": ["Yes", ["x"], "y"]}},
        "#/DisplayName: expected type: String, found: JSONArray",
    ),
]


@pytest.mark.parametrize(("type_name", "properties", "said"), WRONG)
def test_properties_are_those_of_the_schema(type_name: str, properties: dict[str, Any], said: str) -> None:
    flaws = resource_flaws(resources(A={"Type": type_name, "Properties": properties}), holds)
    assert [flaw.refusal for flaw in flaws] == [said]
    assert flaws[0].resource == "A"


RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("AWS::SNS::Topic", {"FifoTopic": "true", "DisplayName": 5}),
    ("AWS::SNS::Topic", {"DisplayName": {"Fn::If": ["No", ["x"], "y"]}, "Tags": {"Fn::Any": 1}}),
    ("AWS::Lambda::Function", {**FUNCTION, "Timeout": "30", "Role": {"Fn::GetAtt": ["R", "Arn"]}}),
    ("AWS::Lambda::Function", {**FUNCTION, "Timeout": "{{resolve:ssm:/t}}"}),
    ("AWS::Lambda::Function", {**FUNCTION, "Environment": {"Variables": {"Any": "x"}}}),
    ("AWS::IAM::Role", {"AssumeRolePolicyDocument": '{"Version": "2012-10-17"}'}),
    ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}),
    ("AWS::Nowhere::Thing", {"Any": 1}),
]


@pytest.mark.parametrize(("type_name", "properties"), RIGHT)
def test_what_cloudformation_converts_is_not_wrong(type_name: str, properties: dict[str, Any]) -> None:
    assert resource_flaws(resources(A={"Type": type_name, "Properties": properties}), holds) == []


def test_a_type_that_aws_lacks_is_named_and_one_that_is_left_out_is_not() -> None:
    template = {
        **resources(A={"Type": "AWS::S3::Buckett"}, B={"Type": "AWS::No::Such", "Condition": "No"}, C=TOPIC),
        "Conditions": CONDITIONS,
    }
    (flaw,) = unknown_types(template, holds)
    assert flaw.refusal == "Template format error: Unrecognized resource types: [AWS::S3::Buckett]"
    assert flaw.fix == "write AWS::S3::Bucket"
