"""Templates that CloudFormation would refuse: named, never a traceback."""

from __future__ import annotations

import graphlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.cycles import cycles
from trainworks.assembly.graph import graph_of_template, load_graph
from trainworks.errors import RequestError

PROBE = "AWS::SSM::Parameter"


def problems(**resources: Any) -> list[str]:
    """What is wrong with a template of these resources; a probe has the properties that its type requires."""
    for each in resources.values():
        if each["Type"] == PROBE:
            each["Properties"] = {"Type": "String", "Value": "x"} | each.get("Properties", {})
    return [f"{each.place}: {each.message}" for each in graph_of_template({"Resources": resources}).problems]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ({"Ref": "Nobody"}, "Probe: refers to 'Nobody', which is neither a resource nor a parameter"),
        ({"Fn::GetAtt": ["Nobody", "Arn"]}, "Probe: asks for Nobody.Arn, but there is no resource 'Nobody'"),
        ({"Fn::Sub": "${Nobody}"}, "Probe: refers to 'Nobody', which is neither a resource nor a parameter"),
        ({"Ref": "AWS::Nothing"}, "Probe: refers to 'AWS::Nothing', which is not a pseudo parameter"),
        (
            {"Fn::Select": [3, ["a"]]},
            "Probe: Fn::Select cannot be resolved: Fn::Select asks for member 3 of a list of 1",
        ),
        ({"Fn::Join": "x"}, "Probe: Fn::Join cannot be resolved: Fn::Join takes a list of 2"),
        ({"Fn::If": ["Nobody", 1, 2]}, "Probe: names the condition 'Nobody', which is not declared"),
        ({"Fn::Nothing": 1}, "Probe: Fn::Nothing is not a function that is known"),
        (
            {"Fn::FindInMap": ["M", "a", "b"]},
            "Probe: Fn::FindInMap cannot be resolved: there is no M.a.b under Mappings",
        ),
    ],
)
def test_what_refers_to_nothing_is_named_with_its_place(expression: Any, said: str) -> None:
    assert problems(Probe={"Type": PROBE, "Properties": {"Value": expression}}) == [said]


def test_a_resource_that_waits_for_nothing_is_named() -> None:
    waits = {"Type": PROBE, "DependsOn": ["Other", "Nobody"]}
    said = "Probe: depends on 'Nobody', which is not a resource of its template"
    assert problems(Probe=waits, Other={"Type": PROBE, "DependsOn": "Probe2"}, Probe2={"Type": PROBE}) == [said]
    assert graph_of_template({"Transform": "Macro", "Resources": {"Probe": waits}}).problems == ()


def test_an_undeclared_condition_is_named_where_it_stands() -> None:
    said = "names the condition 'Nobody', which is not declared"
    assert problems(Probe={"Type": PROBE, "Condition": "Nobody"}) == [f"Probe: {said}"]
    template = {"Resources": {"Probe": {"Type": PROBE}}, "Outputs": {"Out": {"Value": 1, "Condition": "Nobody"}}}
    assert [(each.place, each.message) for each in graph_of_template(template).problems] == [("Outputs.Out", said)]


def test_a_reference_to_what_will_not_be_there_is_named() -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "Gone": {"Type": "AWS::S3::Bucket", "Condition": "Never"},
            "Probe": {"Type": PROBE, "Properties": {"Value": {"Ref": "Gone"}}},
        },
    }
    (problem,) = graph_of_template(template).problems
    assert (problem.place, problem.message) == ("Probe", "refers to 'Gone', whose condition is false")


def test_circles_are_named_all_the_way_round() -> None:
    a = {"Type": PROBE, "Properties": {"Value": {"Fn::Sub": "${B}"}}}
    b = {"Type": PROBE, "DependsOn": "C"}
    c = {"Type": PROBE, "Properties": {"Name": {"Fn::GetAtt": ["A", "Value"]}}}
    assert problems(A=a, B=b, C=c) == ["A: depends on itself: A -> B -> C -> A"]


def test_what_sam_makes_several_resources_of_is_in_no_circle() -> None:
    preference = {"Type": "AllAtOnce", "Alarms": [{"Ref": "Alarm"}]}
    function = {"Type": "AWS::Serverless::Function", "Properties": {"DeploymentPreference": preference}}
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {"Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "Function"}}]},
    }
    topic = {"Type": "AWS::SNS::Topic"}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Function": function,
            "Alarm": alarm,
            "A": {**topic, "DependsOn": "B"},
            "B": {**topic, "DependsOn": "A"},
        },
    }
    assert [each.message for each in graph_of_template(template).problems] == ["depends on itself: A -> B -> A"]


def test_conditions_and_names_that_need_themselves_are_named() -> None:
    named = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "${Self}-x"}}}
    assert any("depends on itself" in each for each in problems(Self=named))
    template = {"Conditions": {"C": {"Condition": "C"}}, "Resources": {"B": {"Type": PROBE, "Condition": "C"}}}
    graph = graph_of_template(template)
    assert [each.message for each in graph.problems] == ["the condition 'C' refers to itself"]
    assert [each.logical_id for each in graph.resources] == ["B"]


EDGES = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(edges=EDGES)
def test_circles_are_found_exactly_where_there_are_some(edges: set[tuple[int, int]]) -> None:
    needs: dict[str, list[str]] = {f"R{n}": [] for n in range(8)}
    for source, target in edges:
        needs[f"R{source}"].append(f"R{target}")
    found = cycles({name: {"Type": PROBE, "DependsOn": targets} for name, targets in needs.items()})
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError:
        assert found
    else:
        assert not found
    for circle in found:
        for here, there in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert there in needs[here]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["A", "B.Arn", "${A}", "${"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::If", "Fn::FindInMap",
             "Fn::Cidr", "Fn::Equals", "Fn::ImportValue", "Fn::GetAZs", "Fn::Base64", "Key"]
        ),
        inner,
        max_size=2,
    ),
    max_leaves=12,
)  # fmt: skip


@given(value=JSON, condition=JSON, output=JSON)
def test_no_template_ends_in_a_traceback(value: Any, condition: Any, output: Any) -> None:
    template = {
        "Conditions": {"C": condition},
        "Resources": {
            "A": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": value}},
            "B": {"Type": PROBE, "Condition": "C", "Properties": {"Value": value}},
        },
        "Outputs": {"O": {"Value": output}, "P": output, "Q": {"Value": "x", "Export": output}},
    }
    graph = graph_of_template(template)
    assert isinstance(graph.problems, tuple)
    assert isinstance(graph.references, tuple)
    list(graph.documents())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Resources": ', "template.json:1: not valid JSON: Expecting value (column 15)"),
        ("a: b: c\n", "template.json:1: not valid YAML: mapping values are not allowed"),
        ("[]", "is not a CloudFormation template: holds a list, not an object"),
        ("", "is not a CloudFormation template: it is empty"),
        ("# soon\n", "is not a CloudFormation template: it is empty"),
        ("hello", "is not a CloudFormation template: holds a text, not an object"),
        ("{}", "is not a CloudFormation template: Resources is absent, not an object with at least one resource"),
        ('{"Resources": {"A": {}}}', "is not a CloudFormation template: Resources.A has no Type"),
        ('{"Resources": {"A": {"Type": "T", "Properties": []}}}', "Resources.A.Properties is a list"),
        ('{"Resources": {"A": {"Type": "T"}}, "Outputs": 1}', "Outputs is a number, not an object"),
        (
            "Resources:\n  A: &x\n    Type: T\n  B: *x\n",
            "template.json:4: not valid YAML: CloudFormation does not support YAML aliases",
        ),
        ("Resources:\n  A:\n    Type: T\n  A:\n    Type: T\n", "not valid YAML: the key 'A' stands twice"),
        ('{"Resources": {"A": {"Type": "T"}, "A": {"Type": "T"}}}', "not valid JSON: the key 'A' stands twice"),
        ("Resources: !!python/object:os.system {}\n", "not valid YAML: could not determine a constructor"),
        ("[" * 5000, "is nested too deeply"),
        ("\x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_template_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "template.json"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        load_graph(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_path_that_is_no_assembly_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not exist"):
        load_graph(tmp_path / "nothing")
    with pytest.raises(RequestError, match=r"is not a cloud assembly: it has no manifest\.json"):
        load_graph(tmp_path)
    (tmp_path / "manifest.json").write_text('{"artifacts": {"a": {}}}')
    with pytest.raises(RequestError, match="is not what the CDK writes"):
        load_graph(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(RequestError, match="is not what the CDK writes"):
        load_graph(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="is not UTF-8 text"):
        load_graph(tmp_path / "binary")


def test_yaml_says_what_json_says(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        """
AWSTemplateFormatVersion: 2010-09-09
Parameters: {Stage: {Type: String, Default: dev}}
Conditions: {IsDev: !Equals [!Ref Stage, dev]}
Resources:
  Data: {Type: AWS::S3::Bucket, Condition: IsDev}
  Probe:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Value: !Join ["", [!GetAtt Data.Arn, "/", !Sub "${Stage}-x", !If [IsDev, !Select [0, [a]], b]]]
"""
    )
    (tmp_path / "t.json").write_text(
        json.dumps(
            {
                "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
                "Conditions": {"IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}},
                "Resources": {
                    "Data": {"Type": "AWS::S3::Bucket", "Condition": "IsDev"},
                    "Probe": {
                        "Type": "AWS::SSM::Parameter",
                        "Properties": {
                            "Type": "String",
                            "Value": {
                                "Fn::Join": [
                                    "",
                                    [
                                        {"Fn::GetAtt": ["Data", "Arn"]},
                                        "/",
                                        {"Fn::Sub": "${Stage}-x"},
                                        {"Fn::If": ["IsDev", {"Fn::Select": [0, ["a"]]}, "b"]},
                                    ],
                                ]
                            },
                        },
                    },
                },
            }
        )
    )
    yaml, from_json = (load_graph(tmp_path / name) for name in ("t.yaml", "t.json"))
    assert yaml.resource("Probe").get("Value") == from_json.resource("Probe").get("Value")
    assert yaml.resource("Probe").get("Value").endswith("/dev-xa")
    assert yaml.problems == from_json.problems == ()


def test_nested_templates_beside_a_template_are_read_and_none_outside_its_folder(tmp_path: Path) -> None:
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "./below/child.yaml"}}
    outside = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "../other.yaml"}}
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "other.yaml").write_text("Resources: {X: {Type: AWS::SQS::Queue}}")
    (tmp_path / "in" / "below" / "child.yaml").write_text("Resources: {Q: {Type: AWS::SQS::Queue}}")
    path = tmp_path / "in" / "root.json"
    path.write_text(json.dumps({"Resources": {"Child": nested, "Outside": outside}}))
    assert [each.place for each in load_graph(path).resources] == ["Child", "Child/Q", "Outside"]


@pytest.mark.parametrize("type_", ["AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::MediaLive::Channel"])
def test_a_part_of_an_id_that_is_made_up_is_no_problem(type_: str) -> None:
    part = {"Fn::Select": [3, {"Fn::Split": ["/", {"Ref": "Other"}]}]}
    assert problems(Other={"Type": type_}, R={"Type": "AWS::SSM::Parameter", "Properties": {"Value": part}}) == []


def test_parameters_that_a_nested_template_lacks_or_misses_are_named(tmp_path: Path) -> None:
    child = {"Parameters": {"Size": {"Type": "String"}}, "Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}
    (tmp_path / "child.json").write_text(json.dumps(child))
    nested = {"TemplateURL": "child.json", "Parameters": {"Sizee": "large"}}
    path = tmp_path / "root.json"
    path.write_text(json.dumps({"Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": nested}}}))
    assert [f"{each.place}: {each.message}" for each in load_graph(path).problems] == [
        "Child: passes the parameter 'Sizee', which its template does not have",
        "Child: gives its parameter 'Size' no value, and it has no default",
    ]


def test_two_exports_of_one_name_are_named() -> None:
    output = {"Value": "x", "Export": {"Name": {"Fn::Sub": "${AWS::Region}-x"}}}
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"A": output, "B": output}}
    (problem,) = graph_of_template(template).problems
    assert (problem.place, problem.message) == (
        "Outputs.B",
        "exports 'us-east-1-x', which another output exports already",
    )
