"""Stacks that are really stuck, on a running twin: the first cause and the command that fixes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.functional.doctor.conftest import Bench, until
from trainworks.application.doctor_subject import diagnose_stack_of
from trainworks.doctor.finding import Diagnosis, Outcome
from trainworks.doctor.looking import Looker

NEVER_SIGNALLED = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1S"}},
}


class Stacks:
    """Stacks of one test; what is left of them is deleted."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client = bench.twin.client("cloudformation")
        self.made: list[str] = []
        self.environment = replace(bench.environment, environment_suffix=bench.name)

    @property
    def platform(self) -> str:
        return self.environment.stack_name

    def create(self, name: str, resources: dict[str, Any], until_status: str, **more: Any) -> str:
        body = json.dumps({"Resources": resources})
        self.client.create_stack(StackName=name, TemplateBody=body, **more)
        self.made.append(name)
        self.wait(name, until_status)
        return name

    def wait(self, name: str, status: str) -> None:
        look = lambda: self.client.describe_stacks(StackName=name)["Stacks"][0]  # noqa: E731
        until(look, lambda stack: stack["StackStatus"] == status)

    def diagnose(self, name: str) -> Diagnosis:
        return diagnose_stack_of(self.environment, name, Looker(self.bench.twin.client))


@pytest.fixture
def stacks(bench: Bench) -> Iterator[Stacks]:
    made = Stacks(bench)
    yield made
    for name in made.made:
        made.client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        made.client.delete_stack(StackName=name)


def test_a_platform_whose_creation_failed(stacks: Stacks) -> None:
    resources = {"Alarms": {"Type": "AWS::SNS::Topic"}, "Approval": {**NEVER_SIGNALLED, "DependsOn": "Alarms"}}
    stacks.create(stacks.platform, resources, "ROLLBACK_COMPLETE")
    found = stacks.diagnose(stacks.platform)
    first, state = found.findings[:2]
    assert (found.exit_code, found.state) == (1, "ROLLBACK_COMPLETE")
    assert first.what.startswith("first cause: Approval (AWS::CloudFormation::WaitCondition)")
    assert state.code == "never-created"
    assert "trainworks up --env local" in state.fix


def test_somebody_elses_stack_gets_commands_that_fit_it(stacks: Stacks) -> None:
    name = stacks.create(f"{stacks.bench.name}-other", {"Approval": NEVER_SIGNALLED}, "ROLLBACK_COMPLETE")
    found = stacks.diagnose(name)
    assert f"aws cloudformation delete-stack --stack-name {name}" in found.findings[1].fix


def test_a_failed_creation_that_may_not_be_deleted(stacks: Stacks) -> None:
    stacks.create(stacks.platform, {"Approval": NEVER_SIGNALLED}, "ROLLBACK_COMPLETE", EnableTerminationProtection=True)
    assert "termination-protected" in [finding.code for finding in stacks.diagnose(stacks.platform).causes]


def test_a_bucket_with_content_blocks_a_deletion(stacks: Stacks) -> None:
    bucket = f"{stacks.bench.name}-full"
    resources = {"Models": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}}
    stacks.create(stacks.platform, resources, "CREATE_COMPLETE")
    s3 = stacks.bench.twin.client("s3")
    s3.put_object(Bucket=bucket, Key="model", Body=b"1")
    stacks.client.delete_stack(StackName=stacks.platform)
    stacks.wait(stacks.platform, "DELETE_FAILED")
    found = stacks.diagnose(stacks.platform)
    assert found.findings[0].code == "not-empty"
    assert "Models" in found.findings[0].what
    assert "trainworks down" in found.findings[0].fix
    assert found.findings[1].code == "delete-failed"
    s3.delete_object(Bucket=bucket, Key="model")


def test_a_change_set_that_was_never_executed(stacks: Stacks) -> None:
    body = json.dumps({"Resources": {"Alarms": {"Type": "AWS::SNS::Topic"}}})
    stacks.client.create_change_set(
        StackName=stacks.platform, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body
    )
    stacks.made.append(stacks.platform)
    stacks.wait(stacks.platform, "REVIEW_IN_PROGRESS")
    first = stacks.diagnose(stacks.platform).findings[0]
    assert (first.code, first.outcome) == ("in-review", Outcome.WARNING)


def test_nothing_deployed_and_all_well(stacks: Stacks) -> None:
    assert stacks.diagnose(stacks.platform).findings[0].code == "not-deployed"
    stacks.create(stacks.platform, {"Alarms": {"Type": "AWS::SNS::Topic"}}, "CREATE_COMPLETE")
    found = stacks.diagnose(stacks.platform)
    assert (found.exit_code, [finding.outcome for finding in found.findings]) == (0, [Outcome.OK])


def test_the_verb_prints_json_and_its_exit_code(stacks: Stacks, tmp_path: Path) -> None:
    name = stacks.create(f"{stacks.bench.name}-cli", {"Approval": NEVER_SIGNALLED}, "ROLLBACK_COMPLETE")
    environ = {**os.environ, "TRAINWORKS_HOME": str(stacks.bench.twin.home.root)}
    command = [sys.executable, "-m", "trainworks.cli.main", "doctor"]
    run = lambda *arguments: subprocess.run(  # noqa: E731
        [*command, *arguments], capture_output=True, text=True, check=False, env=environ, cwd=tmp_path
    )
    told = run(name, "--output", "json")
    assert told.returncode == 1, told.stderr
    record = json.loads(told.stdout)
    assert (record["kind"], record["state"], record["exit_code"]) == ("stack", "ROLLBACK_COMPLETE", 1)
    assert record["findings"][0]["evidence"][0]["call"] == "cloudformation:DescribeStackEvents"
    shown = run(name)
    assert f"stack {name}: ROLLBACK_COMPLETE" in shown.stdout
    assert "fix:" in shown.stdout
    wrong = run("nothing-of-this-name")
    assert (wrong.returncode, "neither a job nor a stack" in wrong.stderr) == (2, True)
