"""Images: built from folders, pushed by ECR's API, run by jobs whose role may pull them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainworks.aws.framework_images import resolve_image
from trainworks.config.job import batch_job_spec, training_job_spec
from trainworks.errors import JobError, RequestError
from trainworks.jobs import Follow, LogLine, Platform, wait
from trainworks.jobs.image import build_image, list_images
from trainworks.jobs.training import JobCode, TrainingJob, training_job_request
from trainworks.testing import TestTwin

TRAIN = """\
#!/usr/bin/env python
import os, sys
import helper
print(helper.WORD, sys.prefix != sys.base_prefix, flush=True)
open("/opt/ml/model/m", "w").write("x")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image with an entry point of its own."""
    image = tmp_path / "image"
    image.mkdir()
    (image / "requirements.txt").write_text("# nothing\n")
    (image / "helper.py").write_text(f"WORD = 'from {tmp_path.name}'\n")
    (image / "train").write_text(TRAIN)
    (image / "train").chmod(0o755)
    return image


def lines_of(job: Any) -> list[str]:
    return [each.message for each in Follow(job) if isinstance(each, LogLine)]


def test_a_training_job_runs_the_images_own_entry_point(platform: Platform, folder: Path) -> None:
    built = build_image(platform, folder)
    spec = training_job_spec({"image": built.image_uri, "name": "own-image"}, Path())
    job = platform.train(spec)
    assert f"from {folder.parent.name} True" in lines_of(job)
    assert job.snapshot().succeeded


def test_a_batch_job_runs_a_command_of_the_image(platform: Platform, folder: Path) -> None:
    built = build_image(platform, folder)
    command = ["python", "-c", "import sys; print(sys.path)"]
    job = platform.submit_batch(batch_job_spec({"image": built.image_uri, "command": command}, Path()))
    assert any("/images/" in line for line in lines_of(job))


def test_the_same_folder_is_the_same_image(platform: Platform, folder: Path) -> None:
    first = build_image(platform, folder)
    again = build_image(platform, folder)
    assert (again.image_uri, again.digest, again.is_new) == (first.image_uri, first.digest, False)
    assert first.image_uri in [each.image_uri for each in list_images(platform)]


def test_a_tag_never_changes_its_image(platform: Platform, folder: Path) -> None:
    tag = f"t{abs(hash(folder)) % 10**8}"
    build_image(platform, folder, tag)
    (folder / "helper.py").write_text("WORD = 'changed'\n")
    with pytest.raises(RequestError, match=f"tag '{tag}' is in use"):
        build_image(platform, folder, tag)


def test_an_image_that_is_asked_for_and_not_there_is_an_error(platform: Platform, folder: Path) -> None:
    ecr, repository = platform.client("ecr"), platform.outputs.ecr_repository
    there = {"imageDigest": build_image(platform, folder).digest}
    for absent in ({"imageTag": "no-such"}, {"imageDigest": f"sha256:{'0' * 64}"}):
        with pytest.raises(ecr.exceptions.ImageNotFoundException, match="does not exist within the repository"):
            ecr.describe_images(repositoryName=repository, imageIds=[there, absent])  # type: ignore[list-item]
    assert len(ecr.describe_images(repositoryName=repository, imageIds=[there])["imageDetails"]) == 1  # type: ignore[list-item]


def test_a_train_that_cannot_be_executed_is_refused(platform: Platform, folder: Path) -> None:
    (folder / "train").chmod(0o644)
    with pytest.raises(RequestError, match="train is not executable") as refused:
        build_image(platform, folder)
    assert refused.value.fix == f"chmod +x {folder / 'train'}"


@pytest.mark.parametrize("tag", ["", "ü", "-v1", "v 1", "v" * 129])
def test_a_tag_that_no_registry_takes_is_refused(platform: Platform, folder: Path, tag: str) -> None:
    with pytest.raises(RequestError, match="is not a tag"):
        build_image(platform, folder, tag)


def test_a_large_folder_goes_in_parts(platform: Platform, folder: Path) -> None:
    import os

    (folder / "weights").write_bytes(os.urandom(11 * 1024**2))
    built = build_image(platform, folder)
    assert built.is_new


def test_an_image_that_is_not_there_is_named_with_the_fix(platform: Platform) -> None:
    spec = training_job_spec({"image": f"{platform.outputs.ecr_repository_uri}:nothing", "name": "x"}, Path())
    with pytest.raises((RequestError, JobError)) as caught:
        wait(platform.train(spec))
    assert "trainworks image build" in str(caught.value)


def test_requirements_that_cannot_be_met_end_the_job_with_pips_words(platform: Platform, folder: Path) -> None:
    (folder / "requirements.txt").write_text("--no-index\nno-such-package-at-all\n")
    spec = training_job_spec({"image": build_image(platform, folder).image_uri, "name": "x"}, Path())
    with pytest.raises((RequestError, JobError)) as caught:
        wait(platform.train(spec))
    assert "no-such-package-at-all" in str(caught.value)


BACKEND = """\
import os, pathlib, zipfile

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(folder, config_settings=None, metadata_directory=None):
    home = pathlib.Path({home!r})
    seen = [str(path) for path in (home, home / "credentials.json", home / "twin.db") if path.is_file()]
    seen += os.listdir(home) if home.is_dir() else []
    for status in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            seen += [word for word in status.read_text().split(chr(0)) if "SECRET" in word or "AWS_" in word]
        except OSError:
            pass
    seen += [name for name in os.environ if "SECRET" in name or name.startswith(("AWS_", "TRAINWORKS_"))]
    try:
        pathlib.Path({outside!r}).write_text("x")
        seen.append("wrote")
    except OSError:
        pass
    with zipfile.ZipFile(os.path.join(folder, "nosy-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("nosy.py", f"SEEN = {{seen!r}}\\n")
        wheel.writestr("nosy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: nosy\\nVersion: 1.0\\n")
        wheel.writestr("nosy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("nosy-1.0.dist-info/RECORD", "")
    return "nosy-1.0-py3-none-any.whl"
"""


def test_a_build_backend_finds_no_credentials_and_no_variables_of_the_server(
    twin: TestTwin, platform: Platform, folder: Path, tmp_path: Path
) -> None:
    package = folder / "nosy"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "nosy"\nversion = "1.0"\n'
    )
    outside = Path.home() / f"written-by-a-build-{tmp_path.name}"
    (package / "backend.py").write_text(BACKEND.format(home=str(twin.home.root), outside=str(outside)))
    (folder / "requirements.txt").write_text("./nosy\n")
    (folder / "train").write_text("#!/usr/bin/env python\nimport nosy\nprint('seen', nosy.SEEN)\n")
    spec = training_job_spec({"image": build_image(platform, folder).image_uri, "name": "nosy"}, Path())
    lines = lines_of(platform.train(spec))
    # Of the home there is the folder of the build, by its way from the home, and nothing else.
    assert "seen ['images']" in lines or "seen []" in lines
    assert not outside.exists()


def test_a_folder_that_is_no_image_is_refused(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="neither requirements"):
        build_image(platform, tmp_path)


SCRIPT = """\
import json, os, sys
import beside
print("args", sys.argv[1:], beside.WORD, sys.prefix != sys.base_prefix)
print("channels", os.environ["SM_CHANNELS"], os.listdir(os.environ["SM_CHANNEL_DATA"]), os.environ["SM_HP_EPOCHS"])
open(os.environ["SM_MODEL_DIR"] + "/m", "w").write("x")
if "fail" in sys.argv:
    print("nobody reads this")
    raise RuntimeError("the loss is not finite")
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An image with Python and nothing else, and code beside it."""
    image, code = tmp_path / "bare", tmp_path / "code"
    image.mkdir()
    code.mkdir()
    (image / "requirements.txt").write_text(f"# {tmp_path.name}\n")
    (code / "fit.py").write_text(SCRIPT)
    (code / "beside.py").write_text("WORD = 'beside it'\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    return image


def scripted(platform: Platform, image: Path, **values: Any) -> Any:
    spec = {"script": "fit.py", "source_dir": "code", "inputs": {"data": "data"}, **values}
    spec["hyperparameters"] = {"epochs": 3, **values.get("hyperparameters", {})}
    return platform.train(training_job_spec({"image": build_image(platform, image).image_uri, **spec}, image.parent))


@pytest.mark.parametrize("isolated", [False, True])
def test_a_script_runs_in_an_own_image_that_has_python_alone(platform: Platform, bare: Path, isolated: bool) -> None:
    job = scripted(platform, bare, enable_network_isolation=isolated)
    lines = lines_of(job)
    assert "args ['--epochs', '3'] beside it True" in lines
    assert "channels [\"data\"] ['a.txt'] 3" in lines
    assert job.snapshot().succeeded


def test_a_script_that_fails_in_an_own_image_says_why(platform: Platform, bare: Path) -> None:
    job = scripted(platform, bare, hyperparameters={"fail": "fail"})
    lines = lines_of(job)
    assert "nobody reads this" in lines
    reason = job.snapshot().reason
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1")
    assert "RuntimeError: the loss is not finite" in reason and reason.endswith("exit code: 1")


def test_a_script_named_by_hyperparameters_needs_the_toolkit_in_an_own_image(platform: Platform, bare: Path) -> None:
    """As SageMaker's API has it: nothing but the image's own `train` looks at them."""
    spec = training_job_spec({"script": "fit.py", "source_dir": "code"}, bare.parent)
    image, code = build_image(platform, bare).image_uri, platform.upload_source(spec)
    assert code is not None
    request = training_job_request(
        training_job_spec({"script": "fit.py", "image": image, "hyperparameters": {"epochs": 1}}, bare.parent),
        name := f"toolkit-{bare.parent.name.replace('_', '-')}"[:60].strip("-"),
        platform.outputs,
        {"data": platform.upload_dataset("toolkit", bare.parent / "data")},
        JobCode("fit.py", f"s3://{platform.outputs.model_bucket}/{code.key}"),
    )
    platform.client("sagemaker").create_training_job(**request)
    with pytest.raises(JobError, match=r"CannotStartContainerError.*docker run <image> train.*sagemaker-training"):
        wait(TrainingJob(name, platform))
    (bare / "Dockerfile").write_text(f"FROM {resolve_image('scikit-learn', 'us-east-1', '')}\n")
    request["AlgorithmSpecification"]["TrainingImage"] = build_image(platform, bare).image_uri
    platform.client("sagemaker").create_training_job(**request | {"TrainingJobName": f"{name}-2"})
    assert "args ['--epochs', '1'] beside it True" in lines_of(TrainingJob(f"{name}-2", platform))


def test_code_reaches_a_job_without_a_network_as_a_channel_alone(platform: Platform, bare: Path) -> None:
    """In AWS's images too: the toolkit in the container could not download it."""
    values = {"script": "fit.py", "source_dir": "code", "inputs": {"data": "data"}, "hyperparameters": {"epochs": 2}}
    spec = training_job_spec({**values, "enable_network_isolation": True}, bare.parent)
    job = platform.train(spec)
    assert "args ['--epochs', '2'] beside it True" in lines_of(job)
    assert job.snapshot().succeeded
    request = job.describe()
    code = platform.upload_source(spec)
    assert code is not None
    uri = f"s3://{platform.outputs.model_bucket}/{code.key}"
    members = ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "ResourceConfig", "EnableNetworkIsolation")
    platform.client("sagemaker").create_training_job(
        TrainingJobName=f"{job.name}-2",
        HyperParameters={"sagemaker_program": "fit.py", "sagemaker_submit_directory": uri},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        **{name: request[name] for name in members},
    )
    with pytest.raises(JobError, match=r"cannot download s3://.*EnableNetworkIsolation leaves it no network"):
        wait(TrainingJob(f"{job.name}-2", platform))
