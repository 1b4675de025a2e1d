"""Templates that others write: what is right is left alone, and a fault in them is found as in ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly.graph import build
from trainworks.assembly.template_files import Sources, load_sources
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.settings import CheckSettings

TEMPLATES = sorted(
    path for path in (Path(__file__).parent / "third_party").iterdir() if path.suffix in (".yaml", ".json")
)
ERRORS = {
    # The CDK's own group has no rule for its members, and the template has a job of several nodes.
    "cdk_batch_environments": {("TW13", "CE1BFE03A1")},
}
WARNINGS = {
    "cdk_batch_environments": {
        ("TW26", "CExecutionRole2649972C"),
        ("TW26", "CFExecutionRole2FF16234"),
        ("TW26", "MCExecutionRoleEC33E31F"),
        ("TW27", "CE1BFE03A1"),
        ("TW33", "JDC27EACF9"),  # all of it is on spot
        ("TW33", "MNAAFDB98A"),
    },
    "cdk_isolated_tasks": {
        ("TW10", "FC4345940"),  # may read a secret that it cannot reach
        ("TW26", "TDExecutionRole88C96BCD"),
        ("TW26", "TDTaskRoleC497AFFC"),
    },
    "fargate_behind_load_balancer": {("TW26", "ExecutionRole"), ("TW26", "TaskRole")},
    "sagemaker_studio_of_a_team": {("TW23", "Role")},
}


def _sources(name: str) -> Sources:
    (path,) = [each for each in TEMPLATES if each.stem == name]
    return load_sources(path)


def _findings(sources: Sources) -> list[Finding]:
    return list(check(build(sources), CheckSettings()).findings)


def _resources(sources: Sources) -> dict[str, Any]:
    resources: dict[str, Any] = sources.stacks[0].templates[()]["Resources"]
    return resources


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_what_is_right_is_left_alone(path: Path) -> None:
    found = _findings(load_sources(path))
    assert {(each.code, each.place) for each in found if each.is_error} == ERRORS.get(path.stem, set())
    assert {(each.code, each.place) for each in found if not each.is_error} == WARNINGS.get(path.stem, set())


def test_a_service_without_its_route() -> None:
    sources = _sources("fargate_behind_load_balancer")
    del _resources(sources)["PrivateRoute"]
    (found,) = [each for each in _findings(sources) if each.is_error]
    assert (found.code, found.place) == ("TW10", "Service")
    assert "cannot reach internet, logs" in found.message


def test_a_task_of_no_size_of_fargate() -> None:
    sources = _sources("fargate_behind_load_balancer")
    _resources(sources)["Task"]["Properties"]["Memory"] = "8GB"
    assert [(each.code, each.place) for each in _findings(sources) if each.is_error] == [("TW06", "Task")]


def test_training_whose_instances_are_kept_apart() -> None:
    sources = _sources("sagemaker_studio_of_a_team")
    del _resources(sources)["GroupMembers"]
    assert [(each.code, each.place) for each in _findings(sources) if each.is_error] == [("TW13", "Machine")]


def test_a_function_whose_subnets_were_forgotten() -> None:
    sources = _sources("functions_with_a_table")
    _resources(sources)["Api"]["Properties"]["VpcConfig"]["SubnetIds"] = []
    assert [(each.code, each.place) for each in _findings(sources) if each.is_error] == [("TW01", "Api")]
