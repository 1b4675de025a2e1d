"""What CloudFormation refuses is refused by the twin before anything is made, and `check` finds the same."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.functional.twin.iam import role
from tests.functional.twin.test_stacks import Deployer

from trainworks.assembly.graph import graph_of_template
from trainworks.preflight.rules.template_problem import find
from trainworks.preflight.settings import CheckSettings
from trainworks.testing import TestTwin

Template = dict[str, Any]
TOPIC = {"Type": "AWS::SNS::Topic"}
CHILD = {"Parameters": {"Size": {"Type": "String", "Default": "small"}}, "Resources": {"Leaf": TOPIC}}


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Deployer]:
    deployer = Deployer(twin)
    yield deployer
    deployer.delete()


def refused(call: Callable[..., Any], **given: Any) -> str:
    """The message of the `ValidationError` that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    return str(caught.value.response["Error"]["Message"])


def reference(target: str, kind: int) -> Any:
    return [{"Ref": target}, {"Fn::GetAtt": [target, "TopicName"]}, {"Fn::Sub": f"x-${{{target}}}"}][kind]


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """Topics and parameters that refer to one another, some under a condition, with outputs."""
    count = draw(st.integers(1, 5))
    resources: dict[str, Any] = {}
    for n in range(count):
        properties: dict[str, Any] = {
            "DisplayName": draw(st.sampled_from(["a", 5, {"Ref": "P"}, {"Ref": "AWS::Region"}]))
        }
        if n and draw(st.booleans()):
            target = f"T{draw(st.integers(0, n - 1))}"
            properties["DisplayName"] = reference(target, draw(st.integers(0, 2)))
        resources[f"T{n}"] = {"Type": "AWS::SNS::Topic", "Properties": properties}
        if n and draw(st.booleans()):
            resources[f"T{n}"]["DependsOn"] = draw(st.sampled_from(["T0", ["T0"]]))
    chosen = {"Fn::If": ["Is", {"Ref": "Maybe"}, "none"]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"P": {"Type": "String", "Default": draw(st.sampled_from(["x", "y"]))}},
        "Mappings": {"M": {"x": {"v": "1"}, "y": {"v": "2"}}},
        "Conditions": {"Is": {"Fn::Equals": [{"Ref": "P"}, "x"]}, "Not": {"Fn::Not": [{"Condition": "Is"}]}},
        "Resources": {**resources, "Maybe": {**TOPIC, "Condition": "Is"}},
        "Outputs": {
            "First": {"Value": {"Ref": "T0"}},
            "Chosen": {"Value": chosen},
            "Mapped": {"Value": {"Fn::FindInMap": ["M", {"Ref": "P"}, "v"]}},
        },
    }


def _resource(template: Template) -> Template:
    found: Template = template["Resources"]["T0"]
    return found


def _set(path: str, value: Any) -> Callable[[Template], None]:
    def change(template: Template) -> None:
        *way, last = path.split("/")
        place = template
        for step in way:
            place = place.setdefault(step, {})
        place[last] = value

    return change


MUTATIONS: dict[str, Callable[[Template], None]] = {
    "a reference to nothing": _set("Resources/T0/Properties/DisplayName", {"Ref": "Nope"}),
    "a text that names nothing": _set("Resources/T0/Properties/DisplayName", {"Fn::Sub": "${Nope.Arn}"}),
    "an attribute of nothing": _set("Outputs/First/Value", {"Fn::GetAtt": ["Nope", "Arn"]}),
    "an attribute that the type lacks": _set("Outputs/First/Value", {"Fn::GetAtt": ["T0", "Nope"]}),
    "a dependency on nothing": _set("Resources/T0/DependsOn", "Nope"),
    "a circle": _set("Resources/T0/Properties/DisplayName", {"Ref": "T0"}),
    "a condition that is not declared": _set("Resources/T0/Condition", "Nope"),
    "an output of an unknown condition": _set("Outputs/First/Condition", "Nope"),
    "a section that does not exist": _set("Resource", {}),
    "an attribute that resources lack": _set("Resources/T0/TopicName", "x"),
    "a logical id with a hyphen": _set("Resources/A-b", TOPIC),
    "a parameter's name with a hyphen": _set("Parameters/a-b", {"Type": "String", "Default": "x"}),
    "a parameter without a type": _set("Parameters/Q", {"Default": "x"}),
    "a map that does not exist": _set("Outputs/Mapped/Value", {"Fn::FindInMap": ["N", "x", "v"]}),
    "a function that does not exist": _set("Outputs/First/Value", {"Fn::Foo": "x"}),
    "a function of another form": _set("Outputs/First/Value", {"Fn::Join": ["x"]}),
    "a null": _set("Resources/T0/Properties/DisplayName", None),
    "a property that the type lacks": _set("Resources/T0/Properties/DisplayNme", "x"),
    "a property of another type": _set("Resources/T0/Properties/DisplayName", ["x"]),
    "a list that is none": _set("Resources/T0/Properties/Subscription", "x"),
    "a part that is required": _set("Resources/T0/Properties/Subscription", [{"Endpoint": "x"}]),
    "a type that does not exist": _set("Resources/T0/Type", "AWS::SNS::Topik"),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(template=templates(), what=st.sampled_from(sorted(MUTATIONS)))
def test_valid_templates_deploy_and_each_mutation_is_refused_and_found(
    twin: TestTwin, template: Template, what: str
) -> None:
    assert problems(template) == []
    deployer = Deployer(twin)
    try:
        assert deployer.create(template) == "CREATE_COMPLETE"
    finally:
        deployer.delete()
    wrong = copy.deepcopy(template)
    MUTATIONS[what](wrong)
    assert problems(wrong), "check finds it"
    deployer = Deployer(twin)
    try:
        status = deployer.create(wrong)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationError"
        return
    try:
        assert status == "ROLLBACK_COMPLETE"
        events = deployer.client.describe_stack_events(StackName=deployer.name)["StackEvents"]
        assert {event["LogicalResourceId"] for event in events} == {deployer.name}, "nothing was begun"
        assert "Validation failed" in deployer.describe()["StackStatusReason"]
    finally:
        deployer.delete()


def problems(template: Template) -> list[str]:
    """What rule TW00 of `check` says."""
    return [fault.message for fault in find(graph_of_template(template), CheckSettings())]


ALIASES = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]
)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (ALIASES, "YAML aliases are not allowed in CloudFormation templates"),
        ('{"Resources":' + '{"A":' * 5000, "not well-formed|levels deep"),
        ('{"Resources": {"A": ' + "[" * 5000 + "]" * 5000 + "}}", "levels deep"),
        ("- " * 5000 + "a", "levels deep"),
        ("[1, 2]", "unsupported structure"),
        ('{"Resources": [1]}', "Resources must be an object"),
        ('{"Resources": {"A": {"Type": "AWS::SNS::Topic", "Type": "x"}}}', "JSON not well-formed"),
        ('{"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": NaN}}}}', "not well-formed"),
        ("Resources:\n  A: {Type: AWS::SNS::Topic\n", r"YAML not well-formed. \(line \d+, column \d+\)"),
    ],
)
def test_no_text_of_a_template_costs_more_than_its_refusal(twin: TestTwin, body: str, said: str) -> None:
    client = twin.client("cloudformation")
    with pytest.raises(ClientError, match=said):
        client.validate_template(TemplateBody=body)
    with pytest.raises(ClientError, match=said):
        client.create_stack(StackName="refused", TemplateBody=body)


def test_a_pattern_that_backtracks_and_a_text_that_is_never_closed_hold_nobody_up(stack: Deployer) -> None:
    parameter = {"Type": "String", "AllowedPattern": "(?!x)((a|aa)+)$"}
    template = {"Parameters": {"P": parameter}, "Resources": {"A": TOPIC}}
    given = [{"ParameterKey": "P", "ParameterValue": "a" * 60 + "!"}]
    message = refused(
        stack.client.create_stack, StackName=stack.name, TemplateBody=json.dumps(template), Parameters=given
    )
    assert "AllowedPattern" in message
    opened = {"Resources": {"A": {**TOPIC, "Properties": {"DisplayName": {"Fn::Sub": "${" * 20000}}}}}
    message = refused(stack.client.validate_template, TemplateBody=json.dumps(opened))
    assert "Fn::Sub" in message


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "http://example.com/b/k", "/etc/passwd", "http://["]
)
def test_a_template_is_read_from_s3_alone(twin: TestTwin, url: str) -> None:
    client = twin.client("cloudformation")
    said = "TemplateURL must be a supported URL."
    assert refused(client.validate_template, TemplateURL=url) == said
    assert refused(client.create_stack, StackName="never", TemplateURL=url) == said


PARAMETERS: list[tuple[dict[str, Any], str, str]] = [
    ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
    ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "Parameter 'P' must be one of AllowedValues"),
    ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
    ({"Type": "String", "AllowedPattern": "(?!x)[a-z]+"}, "xa", "Parameter 'P' must match pattern (?!x)[a-z]+"),
    ({"Type": "Number"}, "x", "Parameter 'P' must be a number"),
    ({"Type": "Number", "MinValue": 2}, "1", "Parameter 'P' must be a number not less than 2"),
    ({"Type": "Number", "MaxValue": 2}, "3", "Parameter 'P' must be a number not greater than 2"),
    ({"Type": "String", "MinLength": 2}, "a", "Parameter 'P' must contain at least 2 characters"),
    ({"Type": "String", "MaxLength": 2}, "aaa", "Parameter 'P' must contain at most 2 characters"),
    (
        {"Type": "String", "AllowedPattern": "a", "ConstraintDescription": "must be an a."},
        "b",
        "Parameter P failed to satisfy constraint: must be an a.",
    ),
    (
        {"Type": "AWS::SSM::Parameter::Value<String>"},
        "/no/such",
        "Unable to fetch parameters [/no/such] from parameter store for this account.",
    ),
]


@pytest.mark.parametrize(("declared", "value", "said"), PARAMETERS)
def test_values_of_parameters_are_those_that_the_template_allows(
    stack: Deployer, declared: dict[str, Any], value: str, said: str
) -> None:
    template = json.dumps({"Parameters": {"P": declared}, "Resources": {"A": TOPIC}})
    given = [{"ParameterKey": "P", "ParameterValue": value}]
    assert refused(stack.client.create_stack, StackName=stack.name, TemplateBody=template, Parameters=given) == said


def test_values_that_are_allowed_deploy(stack: Deployer) -> None:
    parameters = {
        "L": {"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"], "Default": "a, b"},
        "N": {"Type": "Number", "AllowedValues": [1, 2], "Default": "1.0"},
        "B": {"Type": "String", "AllowedValues": [True, False], "Default": True},
        "A": {"Type": "String", "AllowedPattern": "^(?!x)[a-z]+$", "Default": "abc"},
    }
    template = {"Parameters": parameters, "Resources": {"A": TOPIC}}
    assert stack.create(template) == "CREATE_COMPLETE"
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack.describe()["Parameters"]}
    assert values == {"L": "a, b", "N": "1.0", "B": "true", "A": "abc"}


def test_parameters_that_the_template_lacks_and_that_nobody_gave_are_named(stack: Deployer) -> None:
    template = json.dumps({"Parameters": {"P": {"Type": "String"}, "Q": {"Type": "String"}}, "Resources": {"A": TOPIC}})
    create = {"StackName": stack.name, "TemplateBody": template}
    said = "Parameters: [P, Q] must have values"
    assert refused(stack.client.create_stack, **create) == said
    given = [{"ParameterKey": name, "ParameterValue": "x"} for name in ("P", "Q", "Sizee")]
    said = "Parameters: [Sizee] do not exist in the template"
    assert refused(stack.client.create_stack, **create, Parameters=given) == said
    assert stack.client.create_stack(**create, Parameters=given[:2])["StackId"]
    assert stack.status() == "CREATE_COMPLETE"
    update = {"StackName": stack.name, "UsePreviousTemplate": True}
    kept = [{"ParameterKey": "P", "UsePreviousValue": True}]
    assert refused(stack.client.update_stack, **update, Parameters=kept) == "Parameters: [Q] must have values"


def test_conditions_know_pseudo_parameters_maps_and_every_function(stack: Deployer) -> None:
    template = {
        "Mappings": {"M": {"us-east-1": {"on": "yes"}}},
        "Conditions": {
            "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "Mapped": {"Fn::Equals": [{"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "on"]}, "yes"]},
            "Joined": {"Fn::Equals": [{"Fn::Join": ["-", ["a", {"Ref": "AWS::Partition"}]]}, "a-aws"]},
            "Elsewhere": {"Fn::Or": [{"Fn::Not": [{"Condition": "Here"}]}, {"Fn::Equals": ["a", "b"]}]},
        },
        "Resources": {
            name: {**TOPIC, "Condition": name} for name in ("Here", "Mapped", "Joined", "Elsewhere")
        },
    }  # fmt: skip
    template["Resources"]["Always"] = TOPIC
    assert stack.create(template) == "CREATE_COMPLETE"
    rows = stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    assert {row["LogicalResourceId"] for row in rows} == {"Here", "Mapped", "Joined", "Always"}


@pytest.fixture
def others(twin: TestTwin) -> Iterator[Callable[[], Deployer]]:
    """Makes more stacks, deleted in the opposite order."""
    made: list[Deployer] = []

    def another() -> Deployer:
        made.append(Deployer(twin))
        return made[-1]

    yield another
    for deployer in reversed(made):
        deployer.delete()


def exporting(value: Any, export: str | None) -> Template:
    template: Template = {"Resources": {"A": TOPIC, "B": TOPIC}}
    return template | ({"Outputs": {"O": {"Value": value, "Export": {"Name": export}}}} if export else {})


def test_an_export_in_use_stays_as_it_is(stack: Deployer, others: Callable[[], Deployer]) -> None:
    name = f"export-{uuid.uuid4().hex[:8]}"
    assert stack.create(exporting({"Ref": "A"}, name)) == "CREATE_COMPLETE"
    user, second = others(), others()
    imports = {"DisplayName": {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::ImportValue": name}]}]}}
    assert user.create({"Resources": {"U": {**TOPIC, "Properties": imports}}}) == "CREATE_COMPLETE"

    assert second.create(exporting({"Ref": "A"}, name)) == "ROLLBACK_COMPLETE"
    assert f"Export with name {name} is already exported by stack {stack.name}." in reason(second)
    assert stack.update(exporting({"Ref": "B"}, name)) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Export {name} cannot be updated as it is in use by {user.name}" in reason(stack)
    assert stack.update(exporting(None, None)) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Export {name} cannot be deleted as it is in use by {user.name}" in reason(stack)
    said = refused(stack.client.delete_stack, StackName=stack.name)
    assert said == f"Export {name} cannot be deleted as it is in use by {user.name}"

    assert user.delete() == "DELETED"
    assert stack.update(exporting(None, None)) == "UPDATE_COMPLETE"
    assert second.delete() == "DELETED"
    assert second.create(exporting({"Ref": "A"}, name)) == "CREATE_COMPLETE", "the name is free again"


def test_an_import_of_no_export_makes_nothing(stack: Deployer) -> None:
    uses = {**TOPIC, "Properties": {"DisplayName": {"Fn::ImportValue": {"Fn::Sub": "no-${AWS::Region}"}}}}
    assert stack.create({"Resources": {"A": TOPIC, "U": uses}}) == "ROLLBACK_COMPLETE"
    assert "No export named no-us-east-1 found" in reason(stack)
    assert stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"] == []


def reason(deployer: Deployer) -> str:
    return str(deployer.describe()["StackStatusReason"])


def test_a_nested_stack_is_refused_as_a_root_and_the_root_says_why(stack: Deployer) -> None:
    def nested(url: str, **properties: Any) -> Template:
        body = {"TemplateURL": url, **properties}
        return {"Resources": {"Below": {"Type": "AWS::CloudFormation::Stack", "Properties": body}}}

    good, bad = stack.upload(CHILD), stack.upload({"Resources": {"Leaf": {**TOPIC, "Properties": {"Nope": 1}}}})
    dangling = stack.upload({"Resources": {"Leaf": {**TOPIC, "DependsOn": "Nope"}}})
    taken = stack.upload({"Resources": {"Leaf": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Upper"}}}})
    middle = stack.upload(nested(taken))
    for template, said in (
        (nested(good, Parameters={"Sizee": "x"}), "Parameters: [Sizee] do not exist in the template"),
        (nested(bad), "extraneous key [Nope] is not permitted"),
        (nested(dangling), "Unresolved resource dependencies [Nope]"),
        (nested(middle), "[Below]. Below: "),
        (nested(middle), "Leaf: Bucket name"),
    ):
        assert stack.create(template) == "ROLLBACK_COMPLETE"
        assert said in stack.failure()
        assert said in reason(stack)
        assert "Below" in reason(stack)
        stack.delete()


@pytest.mark.parametrize(
    ("type_name", "properties"),
    [
        ("AWS::Lambda::LayerVersion", {"Content": {"S3Bucket": "no-such-bucket-of-code", "S3Key": "k"}}),
        (
            "AWS::Lambda::Function",
            {
                "Code": {"S3Bucket": "no-such-bucket-of-code", "S3Key": "k"},
                "Handler": "i.h",
                "Runtime": "python3.12",
            },
        ),
    ],
)
def test_code_that_does_not_exist_fails_its_resource(
    stack: Deployer, type_name: str, properties: dict[str, Any]
) -> None:
    if type_name == "AWS::Lambda::Function":
        properties = {**properties, "Role": role(stack.twin, {"Service": "lambda.amazonaws.com"})}
    assert stack.create({"Resources": {"It": {"Type": type_name, "Properties": properties}}}) == "ROLLBACK_COMPLETE"
    assert "S3 Error Code: NoSuchBucket" in reason(stack)


def test_rows_of_what_is_gone_are_described(stack: Deployer) -> None:
    wrong = {"Type": "AWS::S3::Bucket", "DependsOn": "A", "Properties": {"BucketName": "Upper"}}
    assert stack.create({"Resources": {"A": TOPIC, "B": wrong}}) == "ROLLBACK_COMPLETE"
    rows = stack.client.describe_stack_resources(StackName=stack.name)["StackResources"]
    assert {row["LogicalResourceId"]: row["ResourceStatus"] for row in rows} == dict.fromkeys("AB", "DELETE_COMPLETE")
    assert next(row for row in rows if row["LogicalResourceId"] == "A")["PhysicalResourceId"].startswith("arn:aws:sns")
    stack_id = stack.describe()["StackId"]
    stack.delete()
    rows = stack.client.list_stack_resources(StackName=stack_id)["StackResourceSummaries"]
    assert {row["ResourceStatus"] for row in rows} == {"DELETE_COMPLETE"}


def test_a_template_that_has_not_changed_is_no_update(stack: Deployer) -> None:
    parameter, ssm = f"/p-{uuid.uuid4().hex[:8]}", stack.twin.client("ssm")
    ssm.put_parameter(Name=parameter, Value="one", Type="String")
    topic = {**TOPIC, "Properties": {"DisplayName": f"{{{{resolve:ssm:{parameter}}}}}"}}
    assert stack.create({"Resources": {"A": topic}}) == "CREATE_COMPLETE"
    ssm.put_parameter(Name=parameter, Value="two", Type="String", Overwrite=True)
    body = json.dumps({"Resources": {"A": topic}})
    said = refused(stack.client.update_stack, StackName=stack.name, TemplateBody=body)
    assert said == "No updates are to be performed."


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ("AWS::Serverless-2016-10-31", "trainworks does not offer the transform AWS::Serverless-2016-10-31"),
        (["My::Macro"], "No transform named My::Macro found."),
    ],
)
def test_a_transform_that_is_not_offered_is_refused_by_its_name(twin: TestTwin, transform: Any, said: str) -> None:
    body = json.dumps({"Transform": transform, "Resources": {"A": TOPIC}})
    create = twin.client("cloudformation").create_stack
    capabilities = ["CAPABILITY_AUTO_EXPAND"]
    assert said in refused(create, StackName="macro", TemplateBody=body, Capabilities=capabilities)


def test_types_that_aws_lacks_and_types_that_the_twin_lacks_are_told_apart(twin: TestTwin) -> None:
    create = twin.client("cloudformation").create_stack

    def said(type_name: str) -> str:
        body = json.dumps({"Resources": {"A": {"Type": type_name}}})
        return refused(create, StackName="types", TemplateBody=body)

    assert said("AWS::SNS::Topik") == "Template format error: Unrecognized resource types: [AWS::SNS::Topik]"
    assert "trainworks does not offer: [AWS::MediaLive::Channel]" in said("AWS::MediaLive::Channel")


def test_a_change_set_that_would_fail_has_failed(stack: Deployer) -> None:
    body = json.dumps({"Resources": {"A": {**TOPIC, "Properties": {"Nope": 1}}}})
    create = {"StackName": stack.name, "ChangeSetName": "c", "TemplateBody": body, "ChangeSetType": "CREATE"}
    stack.client.create_change_set(**create)
    described = stack.client.describe_change_set(StackName=stack.name, ChangeSetName="c")
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "PropertyValidation" in described["StatusReason"]
    assert "/Resources/A/Properties/Nope: #: extraneous key [Nope] is not permitted" in described["StatusReason"]


def test_a_resource_keeps_its_type(stack: Deployer) -> None:
    def template(kind: str, condition: str = "Yes", **others: Any) -> Template:
        switch = {"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Equals": ["a", "b"]}}
        return {"Conditions": switch, "Resources": {"A": {"Type": kind, "Condition": condition}, "K": TOPIC, **others}}

    changed = (
        "Update of resource type is not permitted. The new template modifies resource type of the following "
        "resources: [{}]"
    )
    queue = "AWS::SQS::Queue"
    assert stack.create(template("AWS::SNS::Topic")) == "CREATE_COMPLETE"
    before = stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    body = json.dumps(template(queue))
    stack_id = stack.describe()["StackId"]
    for name in (stack.name, stack_id):
        assert refused(stack.client.update_stack, StackName=name, TemplateBody=body) == changed.format("A")
        call = {"StackName": name, "ChangeSetName": "c", "TemplateBody": body}
        assert refused(stack.client.create_change_set, **call) == changed.format("A")
    assert stack.client.list_change_sets(StackName=stack.name)["Summaries"] == []
    assert stack.client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"] == before

    inner = stack.upload({"Resources": {"Leaf": TOPIC, "Other": TOPIC}})
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": inner}}
    assert stack.update(template(queue, "No", Below=nested)) == "UPDATE_COMPLETE", "what is not there has no type"
    assert stack.update(template(queue, Below=nested)) == "UPDATE_COMPLETE"
    other = stack.upload({"Resources": {"Leaf": {"Type": queue}, "Other": TOPIC}})
    below = template(queue, Below={**nested, "Properties": {"TemplateURL": other}})
    assert stack.update(below) == "UPDATE_ROLLBACK_COMPLETE"
    assert changed.format("Leaf") in stack.failure()
    call = {
        "StackName": stack.name,
        "ChangeSetName": "d",
        "TemplateBody": json.dumps(below),
        "IncludeNestedStacks": True,
    }
    stack.client.create_change_set(**call)
    described = stack.client.describe_change_set(StackName=stack.name, ChangeSetName="d")
    assert described["Status"] == "FAILED"
    assert changed.format("Leaf") in described["StatusReason"]


def test_functions_inside_functions_make_no_text_without_end(stack: Deployer) -> None:
    value: Any = "0123456789"
    for _ in range(9):
        value = {"Fn::Sub": ["${x}" * 100, {"x": value}]}
    body = json.dumps({"Resources": {"A": {**TOPIC, "Properties": {"DisplayName": value}}}})
    said = refused(stack.client.create_stack, StackName=stack.name, TemplateBody=body)
    assert said == "Template error: a text of A would have more than 1,000,000 characters"
    assert stack.create({"Resources": {"A": TOPIC}}) == "CREATE_COMPLETE"
