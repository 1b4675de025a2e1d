"""What a container finds: files, variables, arguments, command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.twin.services.sagemaker.training.records import job
from trainworks.aws.script_start import command_line_arguments
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker.training.container import command, write_contract
from trainworks.twin.services.sagemaker.training.environment import (
    container_environment,
    script_mode,
)
from trainworks.twin.services.sagemaker.training.failures import JobFailedError

PYTHON = Path("/usr/bin/env")
CHANNEL = {
    "ChannelName": "train",
    "ContentType": "text/csv",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train"}},
}
PAIR = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}


OWN_ENTRYPOINT = {"TrainingImage": "i", "TrainingInputMode": "File", "ContainerEntrypoint": ["python3"]}


def test_the_configuration_files(tmp_path: Path) -> None:
    checkpoints = {"S3Uri": "s3://models/c", "LocalPath": "/opt/ml/saved/"}
    made = job({"InputDataConfig": [CHANNEL], "ResourceConfig": PAIR, "CheckpointConfig": checkpoints})
    write_contract(made, "algo-2", tmp_path)
    config = {path.name: json.loads(path.read_text()) for path in (tmp_path / "input" / "config").iterdir()}
    assert config["hyperparameters.json"] == made.request["HyperParameters"]
    assert config["inputdataconfig.json"] == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "ContentType": "text/csv",
        }
    }
    assert config["resourceconfig.json"]["hosts"] == ["algo-1", "algo-2"]
    assert config["resourceconfig.json"]["current_host"] == "algo-2"
    assert config["checkpointconfig.json"] == checkpoints
    for folder in ("input/data/train", "model", "output/data", "code", "saved"):
        assert (tmp_path / folder).is_dir()
    assert "secret" not in json.dumps(config)


def environment(members: dict[str, Any], **runtime: Any) -> dict[str, str]:
    return container_environment(job(members), Runtime("image", PYTHON, **runtime), "algo-1", "http://127.0.0.1:1", 0)


@pytest.mark.parametrize("level", ["debug", "null", "[]", "1e999"])
def test_a_log_level_that_is_no_number_fails_the_job_by_its_name(level: str) -> None:
    with pytest.raises(JobFailedError, match="ClientError: The hyperparameter sagemaker_container_log_level is"):
        environment({"HyperParameters": {"sagemaker_program": "t.py", "sagemaker_container_log_level": level}})


def test_the_variables_of_script_mode() -> None:
    hyperparameters = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://models/code.tar.gz"',
        "sagemaker_container_log_level": "10",
        "epochs": "3",
        "name": '"a b"',
        "plain": "text",
        "layers": "[1, 2]",
        "deep": "true",
    }
    members = {"HyperParameters": hyperparameters, "InputDataConfig": [CHANNEL], "ResourceConfig": PAIR}
    variables = environment({**members, "Environment": {"MINE": "1"}}, env={"PATH": "/image"})
    assert variables["MINE"] == "1"
    assert variables["PATH"] == "/image"
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert json.loads(variables["SM_CHANNELS"]) == ["train"]
    user = {"epochs": 3, "name": "a b", "plain": "text", "layers": [1, 2], "deep": True}
    assert json.loads(variables["SM_HPS"]) == user
    assert variables["SM_HP_EPOCHS"] == "3"
    assert variables["SM_HP_NAME"] == "a b"
    assert variables["SM_NUM_CPUS"] == "4"
    assert variables["SM_NUM_GPUS"] == "0"
    assert json.loads(variables["SM_HOSTS"]) == ["algo-1", "algo-2"]
    assert variables["SM_LOG_LEVEL"] == "10"
    assert variables["SM_MODULE_NAME"] == "train"
    assert variables["SM_USER_ENTRY_POINT"] == "train.py"
    assert json.loads(variables["SM_USER_ARGS"])[:2] == ["--deep", "True"]
    document = json.loads(variables["SM_TRAINING_ENV"])
    assert document["hyperparameters"] == user
    assert document["channel_input_dirs"] == {"train": "/opt/ml/input/data/train"}
    assert document["is_master"] is True
    assert variables["TRAINING_JOB_NAME"] == "job-1"
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["PYTHONUNBUFFERED"] == "1"


def test_an_isolated_container_has_no_credentials() -> None:
    assert "AWS_SECRET_ACCESS_KEY" in environment({})
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"} & set(environment({"EnableNetworkIsolation": True}))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers() | st.floats(allow_nan=False)))
def test_arguments_are_pairs_in_order_of_names(hyperparameters: dict[str, Any]) -> None:
    arguments = command_line_arguments(hyperparameters)
    names = [name.lstrip("-") for name in arguments[::2]]
    assert names == sorted(hyperparameters)
    assert arguments[1::2] == [str(hyperparameters[name]) for name in names]
    assert all(name.startswith("--") == (len(name.lstrip("-")) > 1) for name in arguments[::2])


def argv(tmp_path: Path, members: dict[str, Any], **runtime: Any) -> tuple[str, ...]:
    made = job(members)
    return command(made, Runtime("image", PYTHON, **runtime), script_mode(made), tmp_path)[0]


def test_the_script_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    hyperparameters = {"sagemaker_program": "train.py", "lr": "0.1"}
    expected = (str(PYTHON), "/opt/ml/code/train.py", "--lr", "0.1")
    assert argv(tmp_path, {"HyperParameters": hyperparameters}) == expected


def test_an_entrypoint_comes_before_the_script(tmp_path: Path) -> None:
    algorithm = {
        "TrainingImage": "i",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["python3", "-c"],
        "ContainerArguments": ["print(1)"],
    }
    assert argv(tmp_path, {"AlgorithmSpecification": algorithm}) == (str(PYTHON), "-c", "print(1)")


def test_an_own_image_runs_train(tmp_path: Path) -> None:
    train = tmp_path / "image" / "train"
    train.parent.mkdir()
    train.touch(mode=0o755)
    image = {"root": train.parent, "env": {"PATH": str(train.parent)}}
    assert argv(tmp_path, {"HyperParameters": {}}, **image) == (str(train),)
    # Its own program is what `docker run IMAGE train` finds; whether it looks at the hyperparameters is its matter.
    script = {"HyperParameters": {"sagemaker_program": "train.py"}}
    assert argv(tmp_path, script, **image, has_toolkit=False) == (str(train),)
    train.chmod(0o644)
    with pytest.raises(JobFailedError, match=r"docker run <image> train.*no executable 'train'.*chmod \+x"):
        argv(tmp_path, {"HyperParameters": {}}, **image, has_toolkit=False)


def test_an_own_image_without_the_toolkit_starts_no_script(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    script = {"HyperParameters": {"sagemaker_program": "train.py"}}
    image = {"root": tmp_path / "image", "env": {"PATH": str(tmp_path)}}
    assert argv(tmp_path, script, **image, has_toolkit=True)[1] == "/opt/ml/code/train.py"
    with pytest.raises(JobFailedError, match=r"CannotStartContainerError.*start train.py.*sagemaker-training"):
        argv(tmp_path, script, **image, has_toolkit=False)


@pytest.mark.parametrize("members", [{"AlgorithmSpecification": OWN_ENTRYPOINT}, {"HyperParameters": {}}])
def test_what_the_toolkit_does_not_start_has_no_variables_of_it(members: dict[str, Any]) -> None:
    assert not [name for name in environment(members, has_toolkit=False) if name.startswith("SM_")]


@pytest.mark.parametrize("hyperparameters", [{}, {"sagemaker_program": "../up.py"}, {"sagemaker_program": "no.py"}])
def test_nothing_to_run(tmp_path: Path, hyperparameters: dict[str, str]) -> None:
    with pytest.raises(JobFailedError, match=r"ClientError: The (image|script)"):
        argv(tmp_path, {"HyperParameters": hyperparameters}, env={"PATH": str(tmp_path)})
