"""The operations of endpoints over doubles: what they answer in each state, whatever the containers do meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.sagemaker.doubles import archive
from tests.unit.twin.services.sagemaker.harness import Harness, make
from trainworks.twin.ports import ApiError, TaskEvent, TaskState

ROLE = "arn:aws:iam::000000000000:role/models"


class Hosted:
    """An endpoint `e` whose containers run, answer and end when the test says so."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        harness.objects.put("models", "m.tar.gz", archive({"code/inference.py": "def model_fn(d): pass"}))
        container = {"Image": "python:3.11", "ModelDataUrl": "s3://models/m.tar.gz"}
        harness.call("CreateModel", ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE)
        self.config("c")
        harness.call("CreateEndpoint", EndpointName="e", EndpointConfigName="c")

    def config(self, name: str, count: int = 1) -> None:
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": count}
        self.harness.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])

    def describe(self) -> dict[str, Any]:
        return self.harness.call("DescribeEndpoint", EndpointName="e")

    def run(self, count: int) -> list[str]:
        """The newest containers, once there are so many in all and these run."""
        self.harness.until(lambda: len(self.harness.compute.tasks), lambda tasks: tasks == count)
        (newest,) = list(self.harness.compute.tasks)[-1:]
        self.harness.compute.report(TaskEvent(newest, TaskState.RUNNING, time.time(), "i-1"))
        return [newest]

    def answer(self, task_id: str) -> None:
        self.harness.gateway.ready.add(self.harness.compute.tasks[task_id].door.path)

    def wait(self, status: str) -> dict[str, Any]:
        found: dict[str, Any] = self.harness.until(self.describe, lambda found: found["EndpointStatus"] == status)
        return found


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    harness = make(tmp_path, python=Path(sys.executable)).start()
    yield Hosted(harness)
    harness.stop()


def serve(hosted: Hosted) -> None:
    (first,) = hosted.run(1)
    hosted.answer(first)
    hosted.wait("InService")


def test_an_endpoint_is_described_in_each_of_its_states(hosted: Hosted) -> None:
    assert hosted.describe()["EndpointStatus"] == "Creating"
    (first,) = hosted.run(1)
    assert hosted.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    hosted.answer(first)
    assert hosted.wait("InService")["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    more = [{"VariantName": "v", "DesiredInstanceCount": 2}]
    hosted.harness.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=more)
    scaling = hosted.describe()
    assert (scaling["EndpointStatus"], "PendingDeploymentSummary" in scaling) == ("Updating", False)
    (second,) = hosted.run(2)
    hosted.answer(second)
    assert hosted.wait("InService")["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    hosted.config("d")
    hosted.harness.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="d")
    updating = hosted.describe()
    assert updating["EndpointConfigName"] == "c"
    assert updating["PendingDeploymentSummary"]["EndpointConfigName"] == "d"
    with pytest.raises(ApiError, match="Cannot update in-progress endpoint"):
        hosted.harness.call("DeleteEndpoint", EndpointName="e")


def test_more_instances_that_do_not_come_up_are_given_up(hosted: Hosted) -> None:
    serve(hosted)
    more = [{"VariantName": "v", "DesiredInstanceCount": 2, "DesiredWeight": 3.0}]
    hosted.harness.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=more)
    (second,) = hosted.run(2)
    hosted.harness.compute.report(TaskEvent(second, TaskState.EXITED, time.time(), "i-1", exit_code=3))
    described = hosted.wait("InService")
    assert "exit code 3" in described["FailureReason"]
    (variant,) = described["ProductionVariants"]
    assert (variant["DesiredInstanceCount"], variant["DesiredWeight"]) == (1, 1.0)


def test_counts_and_weights_that_cannot_be_are_refused(hosted: Hosted) -> None:
    serve(hosted)
    for change, said in (
        ({"VariantName": "z"}, "Variant z of endpoint e not found"),
        ({"VariantName": "v", "DesiredInstanceCount": 0}, "not between 1 and 20"),
        ({"VariantName": "v", "DesiredWeight": 0.0}, "needs a weight above 0"),
    ):
        with pytest.raises(ApiError, match=said):
            hosted.harness.call(
                "UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[change]
            )
    assert hosted.describe()["EndpointStatus"] == "InService"


def test_a_busy_container_of_a_deleted_endpoint_is_stopped_and_a_draining_one_is_waited_for(hosted: Hosted) -> None:
    serve(hosted)
    (first,) = hosted.harness.compute.tasks
    hosted.harness.gateway.busy.add(first)
    hosted.config("d")
    hosted.harness.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="d")
    (second,) = hosted.run(2)
    hosted.answer(second)
    hosted.wait("InService")
    arn = hosted.describe()["EndpointArn"]
    published = hosted.harness.gateway.served[arn].variants[0].targets
    assert [target.task_id for target in published] == [second]
    assert first not in hosted.harness.compute.stopped
    hosted.harness.gateway.busy.clear()
    hosted.harness.until(lambda: hosted.harness.compute.stopped, lambda stopped: first in stopped)
    hosted.harness.gateway.busy.add(second)
    hosted.harness.call("DeleteEndpoint", EndpointName="e")
    hosted.harness.until(lambda: hosted.harness.compute.stopped, lambda stopped: second in stopped)
    for each in (first, second):
        hosted.harness.compute.report(TaskEvent(each, TaskState.EXITED, time.time(), "i-1", exit_code=0))

    def is_gone() -> bool:
        try:
            hosted.describe()
        except ApiError as error:
            return "Could not find endpoint" in error.message
        return False

    hosted.harness.until(is_gone, bool)
    sessions = [f"ASIA{number + 1}" for number in range(hosted.harness.control_plane.sessions)]
    assert sorted(hosted.harness.control_plane.ended_sessions) == sessions


def test_a_script_that_can_be_nowhere_fails_its_endpoint_with_the_value(hosted: Hosted) -> None:
    for place, reason in (
        ("s3://", "SAGEMAKER_SUBMIT_DIRECTORY: The S3 URI 's3://' is not of the form s3://bucket/prefix"),
        ("/elsewhere", "SAGEMAKER_SUBMIT_DIRECTORY '/elsewhere' is neither s3://bucket/key.tar.gz nor"),
        ("s3://models/none.tar.gz", "NoSuchKey"),
    ):
        name = f"m-{len(place)}"
        container = {"Image": "python:3.11", "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": place}}
        hosted.harness.call("CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        hosted.harness.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])
        hosted.harness.call("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
        failed = hosted.harness.until(
            lambda name=name: hosted.harness.call("DescribeEndpoint", EndpointName=name),
            lambda found: found["EndpointStatus"] == "Failed",
        )
        assert reason in failed["FailureReason"]
