"""Training jobs through the SDK, on a real twin."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from trainworks.config.job import training_job_spec
from trainworks.errors import JobError, RequestError
from trainworks.jobs import Follow, LogLine, Platform, Transition, wait
from trainworks.jobs.source import NOBODY

QUICK = """\
import os, sys
from pathlib import Path
print("hello", *sys.argv[1:], flush=True)
for epoch in range(3):
    print(f"epoch={epoch} loss={1 / (epoch + 1):.3f}", flush=True)
channel = os.environ.get("SM_CHANNEL_TRAINING")
if channel:
    print("data", sorted(each.name for each in Path(channel).iterdir()), flush=True)
(Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text("a model")
"""
RESUMING = """\
import time
from pathlib import Path
checkpoints = Path("/opt/ml/checkpoints")
first = len(list(checkpoints.iterdir()))
print(f"starting at {first}", flush=True)
for step in range(first, 8):
    if first == 0 and step == 4:
        time.sleep(600)  # until it is interrupted
    (checkpoints / f"step-{step}").write_text("x")
    print(f"step {step}", flush=True)
"""


def spec(script: str, **values: Any) -> Any:
    return training_job_spec({"script": script, **values}, Path())


def test_a_job_is_followed_from_its_first_line_to_its_artefact(platform: Platform, script: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "part.csv").write_text("1,2\n")
    job = platform.train(
        spec(
            script(QUICK),
            inputs={"training": str(tmp_path / "data")},
            hyperparameters={"epochs": 3},
            metrics={"loss": "loss=([0-9.]+)"},
        )
    )
    follow = Follow(job)
    seen = list(follow)
    lines = [each.message for each in seen if isinstance(each, LogLine)]
    statuses = [each.status for each in seen if isinstance(each, Transition)]
    assert "hello --epochs 3" in lines
    assert "data ['part.csv']" in lines
    assert statuses[0] == "Starting" and statuses[-1] == "Completed"
    assert follow.result().succeeded
    facts = job.facts()
    assert facts["metrics"] == {"loss": pytest.approx(0.333)}
    assert facts["managed_spot"] is True and facts["interruptions"] == 0
    bucket, _, key = str(facts["model_artifact_uri"]).removeprefix("s3://").partition("/")
    body = platform.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert "model.txt" in [Path(name).name for name in archive.getnames()]
    series = platform.metrics(job.name)
    losses = [point.value for each in series if each.name == "loss" for point in each.points]
    assert losses and all(0.333 <= value <= 1.0 for value in losses)  # values of one second are averaged


def test_unchanged_code_and_data_are_not_uploaded_again(platform: Platform, script: Any, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("same")
    given = spec(script(QUICK + f"# {tmp_path}\n"), inputs={"training": str(tmp_path / "input.txt")})
    sent: list[str] = []
    platform.client("s3").meta.events.register("before-call.s3", lambda model, **_: sent.append(model.name))
    for _ in range(2):
        platform.upload_source(given)
        platform._resolve_inputs(given, NOBODY)
    assert sent.count("PutObject") == 2


def test_a_script_that_raises_fails_with_its_traceback(platform: Platform, script: Any) -> None:
    job = platform.train(spec(script("print('before', flush=True)\nraise ValueError('the data is wrong')\n")))
    with pytest.raises(JobError) as caught:
        wait(job)
    assert "ValueError: the data is wrong" in caught.value.message
    assert "| before" in caught.value.message


def test_an_interrupted_job_resumes_from_its_checkpoint(platform: Platform, script: Any) -> None:
    job = platform.train(spec(script(RESUMING), spot=True))
    lines = []
    for each in Follow(job):
        if isinstance(each, LogLine):
            lines.append(each.message)
            if each.message == "step 3":
                job.interrupt(notice_seconds=0.2)
    starts = [line for line in lines if line.startswith("starting")]
    assert starts[0] == "starting at 0"
    assert len(starts) == 2 and int(starts[1].split()[-1]) >= 4
    assert lines[-1] == "step 7"
    facts = job.facts()
    assert (facts["status"], facts["interruptions"]) == ("Completed", 1)


def test_a_job_is_stopped(platform: Platform, script: Any) -> None:
    job = platform.train(spec(script("import time\nprint('up', flush=True)\ntime.sleep(60)\n")))
    for each in Follow(job):
        if isinstance(each, LogLine) and each.message == "up":
            job.stop()
    assert job.snapshot().status == "Stopped"


def test_a_name_in_use_is_refused(platform: Platform, script: Any) -> None:
    job = platform.train(spec(script(QUICK)))
    with pytest.raises(RequestError, match=f"called '{job.name}' exists"):
        platform.train(spec(script(QUICK)), job.name)
    wait(job)


@pytest.mark.parametrize(
    ("values", "message", "fix"),
    [
        ({"instance_type": "ml.m5.larg"}, "instance type 'ml.m5.larg'", "ml.m5.large"),
        ({"inputs": {"training": "nothing-here"}}, "nothing-here does not exist", "local path"),
        (
            {"inputs": {"training": "s3://no-such-bucket-anywhere/x"}},
            "'no-such-bucket-anywhere' does not exist",
            "local path",
        ),
        ({"inputs": {"training": "s3://"}}, "'' is not a name of a bucket (s3://)", "s3://BUCKET/PREFIX"),
        (
            {"inputs": {"training": "dataset:nothing"}},
            "there is nothing at s3://",
            "trainworks data put FOLDER nothing",
        ),
        ({"inputs": {"training": "model:no-such-job"}}, "no training job 'no-such-job'", "trainworks jobs"),
        ({"image": "tensorflow"}, "tensorflow", "trainworks image build"),
    ],
)
def test_a_wrong_request_says_what_and_how(
    platform: Platform, script: Any, values: dict[str, Any], message: str, fix: str
) -> None:
    with pytest.raises((RequestError, JobError)) as caught:
        wait(platform.train(spec(script(QUICK), **values)))
    assert message in str(caught.value)
    assert fix in str(caught.value)


def test_a_missing_script_is_found_before_anything_is_sent(platform: Platform) -> None:
    with pytest.raises(RequestError, match=r"no-such\.py does not exist"):
        platform.train(spec("no-such.py"))


def test_a_script_outside_of_its_folder_is_told_where_it_has_to_be(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"in source_dir, which is .*: the job gets only that folder"):
        platform.train(spec("no-such.py", source_dir=tmp_path))


def test_what_is_no_spec_is_told_what_to_give(platform: Platform) -> None:
    given: Any
    for given in ("train.py", Path("train.py")):
        with pytest.raises(RequestError, match=r"TrainingJobSpec; it was given .*train.py'") as caught:
            platform.train(given)
        assert caught.value.fix == "train(TrainingJobSpec(script='train.py'))"
    given = "job.toml"
    with pytest.raises(RequestError) as caught:
        platform.submit_batch(given)
    assert caught.value.fix == "submit_batch(load_spec(Path('job.toml')))"
    given = spec("train.py")
    with pytest.raises(RequestError, match="submit_batch takes a BatchJobSpec; it was given a TrainingJobSpec"):
        platform.submit_batch(given)


def test_jobs_are_listed_and_found_by_name(platform: Platform, script: Any) -> None:
    job = platform.train(spec(script(QUICK)))
    wait(job)
    listed = {each.name: each for each in platform.jobs(limit=50)}
    assert listed[job.name].kind == "training" and listed[job.name].status == "Completed"
    assert platform.job(job.name) == job
    with pytest.raises(RequestError, match="no training or batch job 'nobody'"):
        platform.job("nobody")
