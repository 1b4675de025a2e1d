from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.fargate_task import RULE, find
from trainworks.preflight.settings import CheckSettings

ROLE = "arn:aws:iam::111111111111:role/execution"


def _job(vcpus: str, memory: str, **others: Any) -> Draft:
    container = {
        "Image": "public.ecr.aws/docker/library/busybox:1.36",
        "ExecutionRoleArn": ROLE,
        "ResourceRequirements": [{"Type": "VCPU", "Value": vcpus}, {"Type": "MEMORY", "Value": memory}],
        **others,
    }
    properties = {"Type": "container", "PlatformCapabilities": ["FARGATE"], "ContainerProperties": container}
    return draft_of({"Job": {"Type": "AWS::Batch::JobDefinition", "Properties": properties}})


def _task(cpu: Any, memory: Any, **others: Any) -> Draft:
    container = {"Name": "app", "Image": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/app:1", **others}
    properties = {
        "RequiresCompatibilities": ["FARGATE"],
        "Cpu": cpu,
        "Memory": memory,
        "ExecutionRoleArn": ROLE,
        "ContainerDefinitions": [container],
    }
    return draft_of({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}})


def _faults(draft: Draft) -> list[Fault]:
    return list(find(draft.graph(), CheckSettings()))


def test_a_size_that_fargate_has_not() -> None:
    draft = _job("1", "2048")
    draft.properties("Job")["ContainerProperties"]["ResourceRequirements"][1]["Value"] = "1024"
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "Job"
    assert found.value == "1 vCPU, 1024 MiB"


def test_an_execution_role_taken_away() -> None:
    draft = _job("1", "2048")
    del draft.properties("Job")["ContainerProperties"]["ExecutionRoleArn"]
    (found,) = only(draft, RULE)
    assert "no execution role" in found.message


@pytest.mark.parametrize(("vcpus", "memory"), [("0.25", "512"), ("1", "8192"), ("4", "30720"), ("16", "122880")])
def test_pairs_of_the_table(vcpus: str, memory: str) -> None:
    assert _faults(_job(vcpus, memory)) == []
    assert _faults(_task(str(int(float(vcpus) * 1024)), memory)) == []


@pytest.mark.parametrize(
    ("vcpus", "memory", "words"),
    [
        ("0.25", "4096", "cannot have 4096 MiB"),
        ("1", "2500", "cannot have 2500 MiB"),
        ("8", "17408", "cannot have 17408 MiB"),
        ("3", "8192", "no tasks of 3 vCPU"),
    ],
)
def test_pairs_that_do_not_exist(vcpus: str, memory: str, words: str) -> None:
    (fault,) = _faults(_job(vcpus, memory))
    assert words in fault.message
    (fault,) = _faults(_task(int(float(vcpus) * 1024), int(memory)))
    assert words in fault.message


def test_the_fix_names_what_is_allowed() -> None:
    (fault,) = _faults(_job("8", "17408"))
    assert "from 16384 to 61440 in steps of 4096" in fault.fix
    (fault,) = _faults(_job("0.25", "4096"))
    assert "512, 1024, 2048" in fault.fix


def test_sizes_as_the_console_writes_them() -> None:
    assert _faults(_task("1 vCPU", "2 GB")) == []
    (fault,) = _faults(_task("1 vCPU", "1 GB"))
    assert "cannot have 1024 MiB" in fault.message


def test_a_gpu() -> None:
    requirements = [{"Type": kind, "Value": value} for kind, value in (("VCPU", "1"), ("MEMORY", "2048"), ("GPU", "1"))]
    (fault,) = _faults(_job("1", "2048", ResourceRequirements=requirements))
    assert "no GPUs" in fault.message


def test_a_task_without_size() -> None:
    draft = _task("256", "512")
    del draft.properties("Task")["Memory"]
    (fault,) = _faults(draft)
    assert "must state its memory" in fault.message


def test_a_task_that_needs_an_execution_role() -> None:
    draft = _task("256", "512", LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": "g"}})
    del draft.properties("Task")["ExecutionRoleArn"]
    (fault,) = _faults(draft)
    assert "pull its image from ECR, write its log" in fault.message


def test_a_task_that_needs_none() -> None:
    draft = _task("256", "512", Image="nginx:1.27")
    del draft.properties("Task")["ExecutionRoleArn"]
    assert _faults(draft) == []


def test_tasks_on_ec2_may_have_any_size() -> None:
    draft = _task("300", "700")
    draft.properties("Task")["RequiresCompatibilities"] = ["EC2"]
    assert _faults(draft) == []


@pytest.mark.parametrize("secrets", [True, False])
def test_secrets_need_an_execution_role_on_hosts_of_ec2_too(secrets: bool) -> None:
    given = (
        {"Secrets": [{"Name": "S", "ValueFrom": "arn:aws:ssm:eu-west-1:111111111111:parameter/p"}]} if secrets else {}
    )
    job = {"Type": "container", "ContainerProperties": {"Image": "busybox", **given}}
    task = {"ContainerDefinitions": [{"Name": "app", "Image": "busybox", "Memory": 128, **given}]}
    draft = draft_of({})
    draft.add("Job", "AWS::Batch::JobDefinition", job)
    draft.add("Task", "AWS::ECS::TaskDefinition", task)
    assert sorted(str(getattr(each.at, "place", each.at)) for each in _faults(draft)) == (
        ["Job", "Task"] if secrets else []
    )
