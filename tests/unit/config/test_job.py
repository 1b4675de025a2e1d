"""Job specs: what is accepted, and what an error says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.config.job import BatchJobSpec, TrainingJobSpec, batch_job_spec, load_spec, training_job_spec
from trainworks.errors import ConfigurationError

TRAINING = """\
[training_job]
script = "train.py"
instance_type = "ml.m5.xlarge"
max_runtime_seconds = 600

[training_job.inputs]
training = "data"

[training_job.hyperparameters]
epochs = 3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "job.toml"
    path.write_text(text)
    return path


def test_a_training_spec_is_read_with_paths_relative_to_its_file(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, TRAINING))
    assert isinstance(spec, TrainingJobSpec)
    assert spec.script_path == tmp_path / "train.py"
    assert spec.hyperparameters == {"epochs": 3}
    assert spec.spot and spec.checkpoints is True


def test_overrides_replace_values_and_extend_tables(tmp_path: Path) -> None:
    overrides = {"instance_type": "ml.c5.large", "hyperparameters": {"rate": 0.1}}
    spec = load_spec(write(tmp_path, TRAINING), overrides)
    assert isinstance(spec, TrainingJobSpec)
    assert spec.instance_type == "ml.c5.large"
    assert spec.hyperparameters == {"epochs": 3, "rate": 0.1}


def test_an_unknown_key_is_named_with_file_line_and_the_likely_one(tmp_path: Path) -> None:
    path = write(tmp_path, TRAINING.replace("instance_type", "instance_typ"))
    with pytest.raises(ConfigurationError) as caught:
        load_spec(path)
    assert caught.value.message.startswith(f"{path}:3: training_job.instance_typ: unknown key; allowed: ")
    assert caught.value.fix == "did you mean instance_type?"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"instance_type": "m5.large"}, "training_job.instance_type: is 'm5.large'"),
        (
            {"max_runtime_seconds": 60, "max_wait_seconds": 59},
            "max_wait_seconds (59) is below max_runtime_seconds (60)",
        ),
        ({"max_wait_seconds": 60, "spot": False}, "max_wait_seconds holds for spot jobs only"),
        ({"metrics": {"loss": "loss=("}}, "loss: not a regular expression"),
        ({"metrics": {"loss": "loss=.*"}}, "loss: needs exactly one group"),
        ({"instance_count": 0}, "training_job.instance_count: is 0"),
        ({"inputs": {"a b": "data"}}, "training_job.inputs.a b"),
        ({"script": None}, "needs script"),
        ({"checkpoints": "checkpoints/"}, "training_job.checkpoints: is 'checkpoints/'"),
    ],
)
def test_a_wrong_training_value_is_named(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        training_job_spec({"script": "train.py", **values}, Path())
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "give either script or command"),
        ({"script": "a.py", "command": ["true"]}, "give either script or command"),
        ({"command": ["true"], "arguments": ["x"]}, "arguments belong to script"),
        ({"command": ["true"], "array_size": 1}, "batch_job.array_size: is 1"),
        ({"command": ["true"], "array_size": 10_001}, "batch_job.array_size: is 10001"),
        ({"command": ["true"], "environment": {"A-B": "x"}}, "batch_job.environment.A-B"),
    ],
)
def test_a_wrong_batch_value_is_named(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        batch_job_spec(values, Path())
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"instance_type": "m5.large"}, "such as ml.m5.large"),
        ({"metrics": {"loss": "loss=.*"}}, "such as loss=([0-9.]+)"),
        ({"inputs": {"training": 5}}, "such as a local path, s3://BUCKET/PREFIX, dataset:NAME, model:JOB"),
    ],
)
def test_the_fix_of_a_wrong_value_is_an_example(values: dict[str, object], fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        training_job_spec({"script": "train.py", **values}, Path())
    assert caught.value.fix == f"give an allowed value, {fix}"


def test_a_table_that_is_nearly_called_so_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_spec(write(tmp_path, '[training_jobs]\nscript = "train.py"\n'))
    assert caught.value.fix == "did you mean [training_job]?"


@pytest.mark.parametrize("text", ["", "[other]\n", TRAINING + '\n[batch_job]\nscript = "a.py"\n'])
def test_a_file_that_is_not_one_spec_says_what_is_allowed(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="exactly one of training_job, batch_job"):
        load_spec(write(tmp_path, text))


def test_a_script_in_the_place_of_a_spec_is_named_as_one(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("print(1)\n")
    with pytest.raises(ConfigurationError, match=r"train\.py: is a Python script") as error:
        load_spec(script)
    assert "TrainingJobSpec(script=" in error.value.fix


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2"):
        load_spec(write(tmp_path, "[training_job]\nscript =\n"))


def test_numbers_for_processes_become_text() -> None:
    spec = batch_job_spec({"script": "a.py", "environment": {"N": 3, "ON": True}, "arguments": [1, "x"]}, Path())
    assert spec.environment == {"N": "3", "ON": "true"}
    assert spec.arguments == ("1", "x")


@given(st.text(min_size=1, max_size=60).filter(lambda text: "/" not in text and "\0" not in text))
def test_any_script_name_gives_a_base_name_that_a_job_may_have(stem: str) -> None:
    spec = BatchJobSpec(script=Path(stem + ".py"))
    assert 1 <= len(spec.base_name) <= 40
    assert spec.base_name.replace("-", "a").isalnum() and spec.base_name.isascii()
    assert not spec.base_name.startswith("-") and not spec.base_name.endswith("-")


@given(runtime=st.integers(1, 2_000_000), wait=st.integers(1, 2_000_000))
def test_a_wait_time_is_accepted_exactly_when_it_covers_the_run_time(runtime: int, wait: int) -> None:
    values = {"script": "train.py", "max_runtime_seconds": runtime, "max_wait_seconds": wait}
    if wait >= runtime:
        assert training_job_spec(values, Path()).max_wait_seconds == wait
    else:
        with pytest.raises(ConfigurationError):
            training_job_spec(values, Path())
