"""The reference platform's faults in permissions, keys and monitoring, each seen by the rule that is there for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainworks.assembly.graph import Graph, load_graph
from trainworks.preflight.checker import findings_of
from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import (
    alarm_metric,
    broad_permission,
    idle_alarm,
    interface_permission,
    key_permission,
    role_actions,
    role_trust,
    spot_checkpoint,
    topic_publisher,
    widget_metric,
)
from trainworks.preflight.settings import CheckSettings

REFERENCE = Path(__file__).parents[2] / "reference" / "cdk.out"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_graph(REFERENCE)


def _found(graph: Graph, rule: Rule) -> list[Finding]:
    return list(findings_of(rule, graph, CheckSettings()))


def test_the_training_role_cannot_join_its_vpc(graph: Graph) -> None:
    (found,) = _found(graph, interface_permission.RULE)
    assert (found.severity, found.place) == (Severity.ERROR, "SageMakerStack/TrainingJobRole")
    assert "ec2:CreateNetworkInterfacePermission" in found.message


def test_spot_training_cannot_resume(graph: Graph) -> None:
    (found,) = _found(graph, spot_checkpoint.RULE)
    assert "without CheckpointConfig" in found.message
    assert "nor is there a bucket that its role" in found.message


def test_the_alarm_watches_nothing_and_tells_nobody(graph: Graph) -> None:
    (no_metric,) = _found(graph, alarm_metric.RULE)
    (no_action,) = _found(graph, idle_alarm.RULE)
    assert "no metric TrainingJobsFailed" in no_metric.message
    assert no_metric.place == no_action.place == "MonitoringStack/TrainingJobFailureAlarm"


def test_the_dashboard_stays_empty(graph: Graph) -> None:
    found = _found(graph, widget_metric.RULE)
    assert {each.severity for each in found} == {Severity.ERROR}
    assert len(found) == 4, "ModelLatency, CPUUtilization, MemoryUtilization, TrainingJobsCount: all it shows"
    assert sum("ALL, which is not a wildcard" in each.message for each in found) == 3


def test_the_notebook_passes_any_role_and_training_may_do_anything_in_sagemaker(graph: Graph) -> None:
    found = _found(graph, broad_permission.RULE)
    assert {(each.place, each.value, each.is_error) for each in found} >= {
        ("SageMakerStack/NotebookExecutionRole", "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", False),
        ("SageMakerStack/TrainingJobRole", '["sagemaker:*"]', True),
    }


def test_the_job_role_pulls_images(graph: Graph) -> None:
    beyond = {each.place: each for each in _found(graph, role_actions.RULE)}
    assert "ecr:BatchGetImage" in beyond["BatchStack/JobExecutionRole"].message
    assert "s3:DeleteObject*" in beyond["SageMakerStack/TrainingJobRole"].message
    assert {each.severity for each in beyond.values()} == {Severity.WARNING}


def test_four_roles_serve_any_account(graph: Graph) -> None:
    found = _found(graph, role_trust.RULE)
    assert len(found) == 4
    assert {each.severity for each in found} == {Severity.WARNING}


@pytest.mark.parametrize("rule", [key_permission.RULE, topic_publisher.RULE], ids=lambda rule: rule.code)
def test_it_has_neither_keys_nor_topics(graph: Graph, rule: Rule) -> None:
    assert not graph.of_type("AWS::KMS::Key", "AWS::SNS::Topic")
    assert _found(graph, rule) == []
