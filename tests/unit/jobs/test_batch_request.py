"""The `SubmitJob` request, the derived job definition, and the bootstrap that brings the code in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tests.unit.jobs.test_training_request import OUTPUTS
from trainworks.config.job import batch_job_spec
from trainworks.errors import RequestError
from trainworks.jobs.batch import bootstrap_command, job_definition_for, submit_job_request
from trainworks.jobs.source import SourceBundle, package_source

MOST_OVERRIDES_BYTES = 8192
PLATFORM_DEFINITION = {
    "jobDefinitionName": "inference",
    "jobDefinitionArn": OUTPUTS.job_definition_arn,
    "revision": 1,
    "status": "ACTIVE",
    "type": "container",
    "retryStrategy": {"attempts": 3},
    "containerProperties": {"image": "own:1", "jobRoleArn": "arn:role", "logConfiguration": {"logDriver": "awslogs"}},
}


def bundle(folder: Path, code: str) -> SourceBundle:
    (folder / "predict.py").write_text(code)
    return package_source(folder / "predict.py")


def request(source: SourceBundle | None, **values: Any) -> dict[str, Any]:
    return submit_job_request(
        batch_job_spec(values, Path()),
        "run-1",
        outputs=OUTPUTS,
        inputs={"held-out": "s3://datasets/x/"},
        source=source,
        job_definition_arn=OUTPUTS.job_definition_arn,
    )


def test_it_is_what_the_api_accepts(tmp_path: Path) -> None:
    source = bundle(tmp_path, "")
    made = request(
        source,
        script="predict.py",
        array_size=8,
        vcpus=2,
        memory_mib=1024,
        retries=1,
        timeout_seconds=60,
        tags={"a": "b"},
    )
    shape = botocore.session.Session().get_service_model("batch").operation_model("SubmitJob").input_shape
    report = ParamValidator().validate(made, shape)
    assert not report.has_errors(), report.generate_report()
    assert made["retryStrategy"] == {"attempts": 2}
    assert made["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "1024"},
    ]


@pytest.mark.parametrize(
    ("vcpus", "memory_mib", "values"),
    [(2, 1024, ["2", "1024"]), (0.25, 1_234_567, ["0.25", "1234567"]), (16.0, 9_000_000, ["16", "9000000"])],
)
def test_sizes_are_written_out(vcpus: float, memory_mib: int, values: list[str]) -> None:
    made = request(None, command=("true",), vcpus=vcpus, memory_mib=memory_mib)
    assert [each["value"] for each in made["containerOverrides"]["resourceRequirements"]] == values


def test_inputs_are_variables(tmp_path: Path) -> None:
    variables = request(None, command=["true"], environment={"A": "b"})["containerOverrides"]["environment"]
    assert {each["name"]: each["value"] for each in variables}["INPUT_HELD_OUT"] == "s3://datasets/x/"
    assert {"name": "A", "value": "b"} in variables


def test_the_overrides_fit_into_what_ecs_allows(tmp_path: Path) -> None:
    command = bootstrap_command(batch_job_spec({"script": "predict.py"}, Path()), "models", bundle(tmp_path, ""))
    assert sum(len(word.encode()) for word in command) < MOST_OVERRIDES_BYTES / 2
    assert not any("Ref::" in word for word in command)


FAKE_BOTO3 = """\
import io, os
class Client:
    def get_object(self, Bucket, Key):
        assert (Bucket, Key) == (os.environ["WANTED_BUCKET"], os.environ["WANTED_KEY"])
        return {"Body": open(os.environ["ARCHIVE"], "rb")}
def client(name):
    assert name == "s3"
    return Client()
"""


def run_bootstrap(
    folder: Path, source: SourceBundle, stored: bytes, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the container's command with a boto3 that reads the archive from a file."""
    (folder / "boto3.py").write_text(FAKE_BOTO3)
    (folder / "archive").write_bytes(stored)
    spec = batch_job_spec({"script": "predict.py", "arguments": list(arguments)}, Path())
    _, *rest = bootstrap_command(spec, "models", source)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "WANTED_BUCKET": "models",
        "WANTED_KEY": source.key,
        "ARCHIVE": str(folder / "archive"),
        "TMPDIR": str(folder),
    }
    return subprocess.run([sys.executable, *rest], env=environment, capture_output=True, text=True, check=False)


def test_the_bootstrap_becomes_the_script_with_its_arguments(tmp_path: Path) -> None:
    source = bundle(tmp_path, "import sys; print('ran', *sys.argv[1:]); sys.exit(3)")
    done = run_bootstrap(tmp_path, source, source.data, "a b", "--c")
    assert (done.returncode, done.stdout) == (3, "ran a b --c\n"), done.stderr


def test_the_bootstrap_refuses_other_code_than_was_submitted(tmp_path: Path) -> None:
    source = bundle(tmp_path, "print('ran')")
    done = run_bootstrap(tmp_path, source, source.data[:-1] + b"x")
    assert done.returncode == 1
    assert "is not the code that was submitted" in done.stderr


def test_the_bootstrap_installs_the_requirements_first(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "predict.py").write_text("print('ran')")
    (folder / "requirements.txt").write_text("--no-index\nno-such-package-anywhere\n")
    source = package_source(folder / "predict.py", folder)
    done = run_bootstrap(tmp_path, source, source.data)
    assert done.returncode == 1
    assert "No matching distribution found for no-such-package-anywhere" in done.stderr
    assert "InstallRequirementsError: pip could not install requirements.txt" in done.stderr
    assert "ran" not in done.stdout


class Definitions:
    """The part of Batch that keeps job definitions."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = [PLATFORM_DEFINITION]

    def describe_job_definitions(self, jobDefinitions: list[str]) -> dict[str, Any]:
        return {"jobDefinitions": [each for each in self.kept if each["jobDefinitionArn"] in jobDefinitions]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_job_definitions"
        return self

    def paginate(self, jobDefinitionName: str, status: str) -> list[dict[str, Any]]:
        return [{"jobDefinitions": [each for each in self.kept if each["jobDefinitionName"] == jobDefinitionName]}]

    def register_job_definition(self, **definition: Any) -> dict[str, Any]:
        arn = f"arn:{definition['jobDefinitionName']}:{len(self.kept)}"
        self.kept.append({**definition, "jobDefinitionArn": arn})
        return {"jobDefinitionArn": arn}


def test_a_definition_with_another_image_is_registered_once_and_keeps_the_rest() -> None:
    batch: Any = Definitions()
    first = job_definition_for(batch, OUTPUTS.job_definition_arn, "other:1")
    assert job_definition_for(batch, OUTPUTS.job_definition_arn, "other:1") == first
    assert len(batch.kept) == 2
    assert batch.kept[1]["containerProperties"] == {**PLATFORM_DEFINITION["containerProperties"], "image": "other:1"}  # type: ignore[dict-item]
    assert batch.kept[1]["retryStrategy"] == {"attempts": 3}


@pytest.mark.parametrize("image", ["own:1"])
def test_the_platforms_own_image_needs_no_other_definition(image: str) -> None:
    batch: Any = Definitions()
    assert job_definition_for(batch, OUTPUTS.job_definition_arn, image) == OUTPUTS.job_definition_arn
    assert len(batch.kept) == 1


def test_a_job_is_tagged_as_the_platforms_and_as_the_spec_says() -> None:
    assert request(None, command=["true"], tags={"team": "vision"})["tags"] == {
        "Platform": "trainworks-dev",
        "team": "vision",
    }


def test_what_batch_could_not_start_is_refused_before_it_is_submitted() -> None:
    with pytest.raises(RequestError, match=r"command and variables have 9,\d{3} characters.*allowed: 8,192"):
        request(None, command=["echo", "x" * 9000])
