"""Batch jobs through the SDK, on a real twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainworks.config.job import batch_job_spec
from trainworks.errors import JobError, RequestError
from trainworks.jobs import Follow, LogLine, Platform, wait
from trainworks.jobs.batch import job_definition_for
from trainworks.jobs.image import build_image
from trainworks.jobs.job import Transition

SHARD = """\
import os, boto3
index = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"]
bucket, _, prefix = os.environ["INPUT_NUMBERS"].removeprefix("s3://").partition("/")
s3 = boto3.client("s3")
numbers = s3.get_object(Bucket=bucket, Key=prefix + "numbers.txt")["Body"].read().split()
key = f"predictions/{os.environ['TRAINWORKS_JOB_NAME']}/part-{index}"
s3.put_object(Bucket=os.environ["TRAINWORKS_MODEL_BUCKET"], Key=key, Body=numbers[int(index)])
print("child", index, flush=True)
"""


def spec(**values: Any) -> Any:
    return batch_job_spec(values, Path())


def test_an_array_job_runs_the_script_as_its_role(platform: Platform, script: Any, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("10 20 30")
    job = platform.submit_batch(
        spec(
            script=script(SHARD), image="scikit-learn", array_size=3, inputs={"numbers": str(tmp_path / "numbers.txt")}
        )
    )
    shown = list(Follow(job))
    lines = sorted((each.label, each.message) for each in shown if isinstance(each, LogLine))
    # An array waits in PENDING for its children: it is RUNNING at no time.
    statuses = [each.status for each in shown if isinstance(each, Transition)]
    assert "RUNNING" not in statuses and statuses[-1] == "SUCCEEDED"
    assert [(label, message) for label, message in lines if message.startswith("child")] == [
        ("0", "child 0"),
        ("1", "child 1"),
        ("2", "child 2"),
    ]
    s3, bucket = platform.client("s3"), platform.outputs.model_bucket
    keys = [f"predictions/{job.name}/part-{index}" for index in range(3)]
    assert [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys] == [b"10", b"20", b"30"]
    facts = job.facts()
    assert facts["array_size"] == 3 and facts["array_status"] == {"SUCCEEDED": 3}
    assert platform.job(job.name).name == job.name
    assert platform.job(job.job_id).name == job.name


def test_a_command_of_the_image(platform: Platform) -> None:
    job = platform.submit_batch(spec(command=["python", "-c", "print(6 * 7)"]))
    assert [each.message for each in Follow(job) if isinstance(each, LogLine)][-1] == "42"


def test_the_platforms_own_image_has_to_be_there_before_anything_is_uploaded(
    platform: Platform, script: Any, tmp_path: Path
) -> None:
    batch, outputs = platform.client("batch"), platform.outputs
    arn = job_definition_for(batch, outputs.job_definition_arn, f"{outputs.ecr_repository_uri}:own")
    fresh = Platform(platform.environment, platform.session)
    fresh.__dict__["outputs"] = replace(outputs, job_definition_arn=arn)
    unnamed = spec(script=script("print('ran')"), inputs={"data": str(tmp_path / "not there")})
    with pytest.raises(RequestError, match=":own, is not in its repository") as refused:
        fresh.submit_batch(unnamed)
    assert "--image scikit-learn" in refused.value.fix and "--tag own" in refused.value.fix
    with pytest.raises(RequestError, match="image 'no-such' is neither"):
        fresh.submit_batch(spec(script=unnamed.script, image="no-such", inputs=unnamed.inputs))
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "requirements.txt").write_text("")
    build_image(fresh, tmp_path / "image", "own")
    assert wait(fresh.submit_batch(spec(command=["true"]))).succeeded


def test_a_failing_script_ends_with_reason_and_last_lines(platform: Platform, script: Any) -> None:
    job = platform.submit_batch(spec(script=script("print('so far', flush=True)\nraise SystemExit(3)\n")))
    with pytest.raises(JobError) as caught:
        wait(job)
    assert "exit code 3" in caught.value.message
    assert "| so far" in caught.value.message


def test_a_job_is_stopped(platform: Platform, script: Any) -> None:
    job = platform.submit_batch(spec(script=script("import time\nprint('up', flush=True)\ntime.sleep(60)\n")))
    for each in Follow(job):
        if isinstance(each, LogLine) and each.message == "up":
            job.stop()
    snapshot = job.snapshot()
    assert snapshot.status == "FAILED" and "stopped by trainworks stop" in snapshot.reason


def test_it_is_listed_beside_training_jobs(platform: Platform) -> None:
    job = platform.submit_batch(spec(command=["true"]))
    wait(job)
    listed = {each.job_id: each for each in platform.jobs(limit=50)}
    assert (listed[job.job_id].kind, listed[job.job_id].status) == ("batch", "SUCCEEDED")
