from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, graph_of_template
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

GRAPH = graph_of_template({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}, "Key": {"Type": "AWS::KMS::Key"}}})


def rule(*faults: Fault, code: str = "TW98") -> Rule:
    def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
        del graph, settings
        yield from faults

    return Rule(code, Severity.WARNING, "title", "origin", find)


def test_a_finding_names_resource_and_place_and_shows_ids_by_name() -> None:
    key = GRAPH.resource("Key")
    fault = Fault(GRAPH.resource("Topic"), f"is encrypted with {key.arn}", {"Key": key.arn}, "another key than it")
    (found,) = check(GRAPH, CheckSettings(), [rule(fault)]).findings
    assert (found.code, found.place, found.resource_type) == ("TW98", "Topic", "AWS::SNS::Topic")
    assert found.message == "is encrypted with ${Key.Arn}"
    assert found.value == '{"Key": "${Key.Arn}"}'


def test_a_fault_may_be_graver_than_its_rule_and_errors_come_first() -> None:
    faults = (Fault("A", "small", 1, ""), Fault("B", "grave", 2, "", Severity.ERROR))
    report = check(GRAPH, CheckSettings(), [rule(*faults)])
    assert [each.message for each in report.findings] == ["grave", "small"]
    assert [each.message for each in report.errors] == ["grave"]
    assert [each.message for each in report.warnings] == ["small"]


def test_a_fault_found_twice_stands_once() -> None:
    fault = Fault("A", "same", None, "")
    assert len(check(GRAPH, CheckSettings(), [rule(fault, fault), rule(fault)]).findings) == 1


def test_a_value_of_none_is_empty_and_a_long_one_is_cut() -> None:
    absent, long = check(
        GRAPH, CheckSettings(), [rule(Fault("A", "a", None, ""), Fault("B", "b", "x" * 999, ""))]
    ).findings
    assert absent.value == ""
    assert len(long.value) == 300
    assert long.value.endswith("...")


def test_a_transform_is_said_not_to_be_looked_at() -> None:
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    assert check(graph_of_template(topic), CheckSettings()).notes == ()
    serverless = graph_of_template({"Transform": "AWS::Serverless-2016-10-31", **topic})
    assert check(serverless, CheckSettings()).notes == (
        "template has a Transform: what AWS::Serverless::... resources expand to is not checked",
    )
    own = graph_of_template({"Transform": ["Own", {"Name": "AWS::Include"}], **topic})
    assert [note.partition("what ")[2] for note in check(own, CheckSettings()).notes] == [
        "Own makes of it is not checked",
        "AWS::Include makes of it is not checked",
    ]
