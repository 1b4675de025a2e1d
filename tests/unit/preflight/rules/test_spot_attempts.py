from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from trainworks.preflight.rules.spot_attempts import RULE


def _platform(kinds: tuple[str, ...], attempts: Any, *, fargate: bool = False) -> Draft:
    resources: dict[str, Any] = {
        f"Environment{number}": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {
                "Type": "MANAGED",
                "ComputeResources": {"Type": kind, "MaxvCpus": 4, "Subnets": ["subnet-1"]},
            },
        }
        for number, kind in enumerate(kinds)
    }
    job: dict[str, Any] = {
        "Type": "container",
        "PlatformCapabilities": ["FARGATE" if fargate else "EC2"],
        "RetryStrategy": {"Attempts": 3},
        "ContainerProperties": {
            "Image": "public.ecr.aws/docker/library/busybox:1.36",
            "ExecutionRoleArn": "arn:aws:iam::111111111111:role/r",
        },
    }
    draft = draft_of({**resources, "Job": {"Type": "AWS::Batch::JobDefinition", "Properties": job}})
    if attempts is None:
        del draft.properties("Job")["RetryStrategy"]
    else:
        draft.properties("Job")["RetryStrategy"] = {"Attempts": attempts}
    return draft


@pytest.mark.parametrize("attempts", [None, 1, "1"])
@pytest.mark.parametrize(
    ("kinds", "fargate"), [(("SPOT",), False), (("SPOT", "SPOT"), False), (("FARGATE_SPOT",), True)]
)
def test_one_attempt_on_spot_alone(kinds: tuple[str, ...], fargate: bool, attempts: Any) -> None:
    (found,) = only(_platform(kinds, attempts, fargate=fargate), RULE)
    assert not found.is_error
    assert found.place == "Job"


@pytest.mark.parametrize(
    ("kinds", "attempts", "fargate"),
    [
        (("SPOT", "EC2"), 1, False),
        (("EC2",), 1, False),
        (("SPOT",), 2, False),
        (("FARGATE_SPOT",), 1, False),
        ((), 1, False),
    ],
)
def test_where_it_is_tried_again_or_may_run_elsewhere(kinds: tuple[str, ...], attempts: int, fargate: bool) -> None:
    quiet(_platform(kinds, attempts, fargate=fargate), RULE)
