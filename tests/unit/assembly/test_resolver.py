"""What CloudFormation's functions give, in one template and through nested ones."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.graph import Graph, Unknown, build, graph_of_template
from trainworks.assembly.physical_ids import TOKEN
from trainworks.assembly.template_files import Sources, StackSource

STACK = "AWS::CloudFormation::Stack"
BUCKET = {"Type": "AWS::S3::Bucket"}
TEXTS = st.text(alphabet="abcXYZ019 .:/-_", max_size=12)


def value_of(expression: Any, parameters: dict[str, str] | None = None, **sections: Any) -> Any:
    """`expression` as CloudFormation would resolve it, in a template with these sections and a bucket `Data`."""
    graph = graph_of(expression, parameters, **sections)
    return graph.resource("Probe").get("Value", default=None)


def graph_of(expression: Any, parameters: dict[str, str] | None = None, **sections: Any) -> Graph:
    probe = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": expression}}
    resources = {"Data": BUCKET, "Probe": probe, **sections.pop("Resources", {})}
    return graph_of_template({"Resources": resources, **sections}, parameters=parameters)


@given(parts=st.lists(TEXTS, max_size=6), delimiter=st.sampled_from([",", "::", "|"]))
def test_split_undoes_join(parts: list[str], delimiter: str) -> None:
    parts = [part.replace(delimiter, "").replace(":", "") for part in parts] or [""]
    joined = {"Fn::Join": [delimiter, parts]}
    assert value_of({"Fn::Split": [delimiter, joined]}) == parts
    for index, part in enumerate(parts):
        assert value_of({"Fn::Select": [index, {"Fn::Split": [delimiter, joined]}]}) == part


@given(before=TEXTS, after=TEXTS, value=TEXTS)
def test_sub_says_what_join_says(before: str, after: str, value: str) -> None:
    declared = {"P": {"Type": "String", "Default": value}}
    for reference, written in (({"Ref": "P"}, "${P}"), ({"Fn::GetAtt": ["Data", "Arn"]}, "${Data.Arn}")):
        joined = value_of({"Fn::Join": ["", [before, reference, after]]}, Parameters=declared)
        assert value_of({"Fn::Sub": f"{before}{written}{after}"}, Parameters=declared) == joined
        mapped = {"Fn::Sub": [f"{before}${{Own}}{after}", {"Own": reference}]}
        assert value_of(mapped, Parameters=declared) == joined


def test_sub_leaves_what_is_literal() -> None:
    assert value_of({"Fn::Sub": "${!HOME}/${AWS::Region}"}) == "${HOME}/us-east-1"


@given(depth=st.integers(0, 6), suffix=st.sampled_from(["", "/checkpoints/*"]))
def test_a_value_passes_unchanged_through_nested_parameters_and_outputs(depth: int, suffix: str) -> None:
    """Down `depth` stacks as a parameter and up again as an output it is what it was."""
    arn = {"Fn::Join": ["", [{"Fn::GetAtt": ["Data", "Arn"]}, suffix]]}
    templates: dict[tuple[str, ...], dict[str, Any]] = {}
    stack_path: tuple[str, ...] = ()
    passed: Any = arn
    for level in range(depth):
        below = {"Type": STACK, "Properties": {"TemplateURL": "u", "Parameters": {"P": passed}}}
        resources: dict[str, Any] = {"Below": below}
        outputs = {"O": {"Value": {"Fn::GetAtt": ["Below", "Outputs.O"]}}}
        templates[stack_path] = {"Resources": resources, "Outputs": outputs}
        if level:
            templates[stack_path]["Parameters"] = {"P": {"Type": "String"}}
        stack_path = (*stack_path, "Below")
        passed = {"Ref": "P"}
    inner: Any = {"Ref": "P"} if depth else arn
    templates[stack_path] = {"Resources": {"Leaf": BUCKET}, "Outputs": {"O": {"Value": inner}}}
    if depth:
        templates[stack_path]["Parameters"] = {"P": {"Type": "String"}}
    templates[()]["Resources"]["Data"] = BUCKET
    graph = build(Sources((StackSource("root", templates),)))
    assert graph.outputs["O"] == f"{graph.resource('Data').arn}{suffix}"
    assert graph.problems == ()
    assert [each.target.logical_id for each in graph.references if each.source is None] == ["Data"]


CONDITIONS = st.recursive(
    st.sampled_from([("P", "yes"), ("Q", "yes"), ("P", "no")]),
    lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)),
    max_leaves=8,
)


def written(condition: Any) -> Any:
    match condition:
        case ("not", inner):
            return {"Fn::Not": [written(inner)]}
        case ("and" | "or" as name, first, second):
            return {f"Fn::{name.capitalize()}": [written(first), written(second)]}
        case (parameter, value):
            return {"Fn::Equals": [{"Ref": parameter}, value]}
    raise AssertionError(condition)


def truth(condition: Any, values: dict[str, str]) -> bool:
    match condition:
        case ("not", inner):
            return not truth(inner, values)
        case ("and", first, second):
            return truth(first, values) and truth(second, values)
        case ("or", first, second):
            return truth(first, values) or truth(second, values)
        case (parameter, value):
            return values[parameter] == value
    raise AssertionError(condition)


PARAMETERS = {name: {"Type": "String"} for name in "PQ"}


@given(condition=CONDITIONS, p=st.sampled_from(["yes", "no"]), q=st.sampled_from(["yes", "no"]))
def test_conditions_are_what_their_formula_says(condition: Any, p: str, q: str) -> None:
    values = {"P": p, "Q": q}
    sections = {"Parameters": PARAMETERS, "Conditions": {"C": written(condition)}}
    chosen = value_of({"Fn::If": ["C", "then", "else"]}, values, **sections)
    assert chosen == ("then" if truth(condition, values) else "else")
    conditional = {**BUCKET, "Condition": "C"}
    graph = graph_of("", values, **sections, Resources={"Maybe": conditional})
    assert ("Maybe" in {each.logical_id for each in graph.resources}) == truth(condition, values)


@given(condition=CONDITIONS, p=st.sampled_from(["yes", "no"]))
def test_what_is_decided_without_knowing_a_parameter_holds_for_each_of_its_values(condition: Any, p: str) -> None:
    sections = {"Parameters": PARAMETERS, "Conditions": {"C": written(condition)}}
    decided = value_of({"Fn::If": ["C", "then", "else"]}, {"P": p}, **sections)
    if not isinstance(decided, Unknown):
        for q in ("yes", "no"):
            assert decided == ("then" if truth(condition, {"P": p, "Q": q}) else "else")


def test_a_stack_id_ends_in_five_parts_that_are_made_up() -> None:
    unique = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    graph = graph_of({"Fn::Select": [4, {"Fn::Split": ["-", unique]}]})
    assert graph.problems == ()
    assert TOKEN.fullmatch(graph.resource("Probe").get("Value"))


def test_a_list_that_is_an_attribute_has_members_that_nobody_knows() -> None:
    firewall = {
        "Type": "AWS::NetworkFirewall::Firewall",
        "Properties": {"FirewallName": "f", "FirewallPolicyArn": "p"},
    }
    first = {"Fn::Select": [0, {"Fn::GetAtt": ["Wall", "EndpointIds"]}]}
    graph = graph_of({"Fn::Select": [1, {"Fn::Split": [":", first]}]}, Resources={"Wall": firewall})
    assert graph.problems == ()
    assert isinstance(graph.resource("Probe").get("Value"), Unknown)


def test_no_value_is_absence() -> None:
    expression = {"Keep": 1, "Drop": {"Ref": "AWS::NoValue"}, "List": [1, {"Ref": "AWS::NoValue"}, 3]}
    assert value_of(expression) == {"Keep": 1, "List": [1, 3]}
    assert value_of({"Ref": "AWS::NoValue"}) is None


def test_lists_maps_and_blocks() -> None:
    assert value_of({"Ref": "P"}, Parameters={"P": {"Type": "CommaDelimitedList", "Default": "a, b"}}) == ["a", "b"]
    mappings = {"M": {"us-east-1": {"Key": "found"}}}
    expression = {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Key"]}
    assert value_of(expression, Mappings=mappings) == "found"
    assert value_of({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}) == ["10.0.0.0/24", "10.0.1.0/24"]
    assert value_of({"Fn::Length": ["a", "b"]}) == 2
    assert value_of({"Fn::ToJsonString": {"a": [1]}}) == '{"a":[1]}'
    assert value_of({"Fn::Select": [1, {"Fn::GetAZs": ""}]}) == "us-east-1b"


def test_what_only_the_deployment_knows_is_unknown_and_spoils_the_text_around_it() -> None:
    for expression in (
        {"Ref": "P"},
        {"Fn::ImportValue": "elsewhere"},
        "{{resolve:ssm:/name}}",
        {"Fn::GetAtt": ["Made", "Answer"]},
    ):
        sections = {"Parameters": {"P": {"Type": "String"}}, "Resources": {"Made": {"Type": "Custom::Thing"}}}
        assert isinstance(value_of(expression, **sections), Unknown)
        assert isinstance(value_of({"Fn::Join": ["", ["a", expression]]}, **sections), Unknown)
        assert isinstance(value_of({"Fn::Sub": ["${X}", {"X": expression}]}, **sections), Unknown)


def test_exports_are_imported_across_the_stacks_of_one_assembly() -> None:
    first = {"Resources": {"Data": BUCKET}, "Outputs": {"O": {"Value": {"Ref": "Data"}, "Export": {"Name": "shared"}}}}
    second = {
        "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": {"Fn::ImportValue": "shared"}}}}
    }
    graph = build(Sources((StackSource("one", {(): first}), StackSource("two", {(): second}))))
    assert graph.resource("P").get("Value") == graph.resource("Data").physical_id
    assert {each.place for each in graph.resources} == {"one/Data", "two/P"}


def test_explicit_names_are_used_and_found_again() -> None:
    named = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "data-${AWS::AccountId}"}}}
    graph = graph_of({"Fn::Sub": "arn:aws:s3:::${Named}/checkpoints/*"}, Resources={"Named": named})
    assert graph.resource("Named").physical_id == "data-111111111111"
    assert graph.resource("Named").arn == "arn:aws:s3:::data-111111111111"
    assert graph.owner("data-111111111111") is graph.resource("Named")
    assert graph.mentioned(graph.resource("Probe").get("Value")) == (graph.resource("Named"),)
    assert graph.mentioned("s3://data-1111111111112/x") == ()


def test_made_up_ids_are_shown_as_what_they_stand_for() -> None:
    graph = graph_of({"Fn::Sub": "${Data.Arn}/x and ${Data}"})
    value = graph.resource("Probe").get("Value")
    assert graph.shown(value) == "${Data.Arn}/x and ${Data}"
    assert graph.owner(graph.resource("Data").arn) is graph.resource("Data")
    assert graph.owner(value) is None
    assert [each.target.logical_id for each in graph.users_of(graph.resource("Data"))] == ["Data"]
