"""What the Batch API refuses, by itself; the twin's door and `check` are tested where they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.batch_constraints import (
    compute_resources_problems,
    environment_problems,
    launch_template_problems,
    retry_strategy_problems,
    timeout_problems,
)

PROFILE = "arn:aws:iam::111111111111:instance-profile/hosts"
EC2 = {
    "type": "EC2", "maxvCpus": 8, "instanceTypes": ["m5.large"], "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"], "instanceRole": PROFILE,
}  # fmt: skip
SPOT = {**EC2, "type": "SPOT", "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}
FARGATE = {"type": "FARGATE", "maxvCpus": 8, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}


@pytest.mark.parametrize("resources", [EC2, SPOT, FARGATE, {**EC2, "instanceRole": "hosts"}])
def test_what_batch_takes(resources: dict[str, Any]) -> None:
    assert list(compute_resources_problems(resources)) == []


@pytest.mark.parametrize(
    ("base", "change", "part"),
    [
        (EC2, {"instanceRole": "arn:aws:iam::111111111111:role/hosts"}, "should be an ECS Instance Profile ARN"),
        (EC2, {"instanceRole": "arn:aws-cn:iam::111111111111:role/path/hosts"}, "Instance Profile ARN"),
        (EC2, {"instanceTypes": ["m5.large", "m6g.large"]}, "share an architecture"),
        (EC2, {"instanceTypes": ["optimal", "c7g"]}, "optimal is x86_64, c7g is arm64"),
        (EC2, {"instanceTypes": []}, "instanceTypes must be provided"),
        (EC2, {"minvCpus": 9}, "minvCpus"),
        (EC2, {"maxvCpus": 0}, "maxvCpus"),
        (EC2, {"launchTemplate": {"version": "1"}}, "launchTemplate"),
        (EC2, {"launchTemplate": {"launchTemplateId": "lt-1", "launchTemplateName": "a"}}, "either"),
        (EC2, {"allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "SPOT"),
        (SPOT, {"bidPercentage": 101}, "bidPercentage"),
        (FARGATE, {"instanceTypes": ["m5.large"]}, "aren't applicable to Fargate"),
        (FARGATE, {"securityGroupIds": []}, "securityGroupIds"),
        (FARGATE, {"subnets": []}, "subnets"),
    ],
)
def test_what_batch_refuses_of_compute_resources(base: dict[str, Any], change: dict[str, Any], part: str) -> None:
    (problem,) = compute_resources_problems({**base, **change})
    assert part in problem.message


def test_groups_stand_in_one_place() -> None:
    interfaces = {"networkInterfaces": [{"deviceIndex": 0, "groups": ["sg-1"]}]}
    (both,) = launch_template_problems(EC2, interfaces)
    assert "exclusively allowed" in both.message
    without = {name: value for name, value in EC2.items() if name != "securityGroupIds"}
    assert list(launch_template_problems(without, interfaces)) == []
    assert list(launch_template_problems(EC2, {})) == []
    (neither,) = launch_template_problems(without, {})
    assert "securityGroupIds must be provided" in neither.message


@pytest.mark.parametrize(
    "strategy",
    [
        {"attempts": 0},
        {"attempts": "11"},
        {"evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}]},
        {"attempts": 1, "evaluateOnExit": [{"action": "EXIT"}]},
        {"attempts": 1, "evaluateOnExit": [{"onExitCode": "*1", "action": "EXIT"}]},
        {"attempts": 1, "evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}] * 6},
    ],
)
def test_strategies_that_are_refused(strategy: dict[str, object]) -> None:
    assert len(list(retry_strategy_problems(strategy))) == 1


def test_other_members() -> None:
    assert list(timeout_problems({"attemptDurationSeconds": 60})) == []
    assert "59" in next(timeout_problems({"attemptDurationSeconds": 59})).message
    problems = list(environment_problems([{"name": "AWS_BATCH_X"}, {"name": "a=b"}, {"name": ""}, {"name": "OK"}]))
    assert len(problems) == 3


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EC2, "launchTemplate"]), inner),
)


@given(st.dictionaries(st.sampled_from([*EC2, "minvCpus", "bidPercentage", "launchTemplate"]), ANY))
def test_a_value_that_nobody_knows_breaks_nothing(changes: dict[str, Any]) -> None:
    """`check` hands over what it knows of a template."""
    for problems in (
        compute_resources_problems({**EC2, **changes}), launch_template_problems(EC2, changes),
        retry_strategy_problems({"attempts": changes.get("maxvCpus"), "evaluateOnExit": changes.get("subnets")}),
    ):  # fmt: skip
        assert all(problem.message for problem in problems)
