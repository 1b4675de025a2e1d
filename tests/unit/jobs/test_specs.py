"""What a user names to start a job: a script, the file of a spec, or a spec, with values beside it."""

from pathlib import Path

import pytest

from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.errors import ConfigurationError, RequestError
from trainworks.jobs.specs import batch_spec, training_spec


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "train.toml").write_text(
        '[training_job]\nscript = "train.py"\n[training_job.inputs]\nheld = "held.csv"\n'
    )
    monkeypatch.chdir(tmp_path)


def test_a_script_is_run_from_the_folder_that_is_packed() -> None:
    spec = training_spec("elsewhere/train.py", {"source_dir": ".", "hyperparameters": {"epochs": 2}})
    assert spec.script == Path("elsewhere/train.py") and spec.source_path == Path.cwd()
    assert spec.hyperparameters == {"epochs": 2}
    assert training_spec(Path("train.py"), {}).source_path is None


def test_values_beside_a_file_are_relative_to_where_they_were_given() -> None:
    spec = training_spec("elsewhere/train.toml", {"inputs": {"training": "data", "other": "dataset:digits"}})
    assert spec.base_dir == Path("elsewhere")
    held, *given = (spec.inputs[name] for name in ("held", "training", "other"))
    assert (held, given) == ("held.csv", [str(Path.cwd() / "data"), "dataset:digits"])


def test_values_replace_those_of_a_spec_which_stays_as_it_is() -> None:
    spec = TrainingJobSpec(script=Path("train.py"), hyperparameters={"a": 1, "b": 2})
    changed = training_spec(spec, {"hyperparameters": {"b": 3}, "spot": False})
    assert (changed.hyperparameters, changed.spot, spec.spot) == ({"a": 1, "b": 3}, False, True)
    assert training_spec(spec, {}) is spec


def test_values_beside_a_spec_are_relative_to_where_they_were_given() -> None:
    values = {"inputs": {"other": "data"}, "source_dir": "code"}
    script, folder = Path("run.py"), Path("elsewhere")
    for spec in (
        training_spec(TrainingJobSpec(script=script, inputs={"held": "held"}, base_dir=folder), values),
        batch_spec(BatchJobSpec(script=script, inputs={"held": "held"}, base_dir=folder), values),
    ):
        assert spec.base_dir == folder
        assert spec.inputs == {"held": "held", "other": str(Path.cwd() / "data")}
        assert spec.source_path == Path.cwd() / "code"


def test_what_is_wrong_is_said_with_the_fix() -> None:
    with pytest.raises(ConfigurationError, match="unknown key") as unknown:
        training_spec("train.py", {"hyperparameter": {"a": 1}})
    assert "hyperparameters" in unknown.value.fix
    with pytest.raises(RequestError, match="is the spec of a training job"):
        batch_spec("elsewhere/train.toml", {})
    with pytest.raises(RequestError, match="a TrainingJobSpec, not a BatchJobSpec"):
        training_spec(BatchJobSpec(command=("true",)), {})  # type: ignore[arg-type]
