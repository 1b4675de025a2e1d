"""A printed command acts on the environment that the sentence is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.test_main import run
from trainworks.cli.addressed import LOCAL, addressed, use
from trainworks.cli.verbs import VERBS


@pytest.fixture(autouse=True)
def _of_one() -> Iterator[None]:
    use("one")
    yield
    use(LOCAL)


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("trainworks up", "trainworks up --env one"),
        (
            "trainworks up --recreate, or trainworks down",
            "trainworks up --env one --recreate, or trainworks down --env one",
        ),
        ("deploy the platform again (trainworks up), or", "deploy the platform again (trainworks up --env one), or"),
        ("`trainworks up` leaves drift", "`trainworks up --env one` leaves drift"),
        ("trainworks doctor job-1:3", "trainworks doctor --env one job-1:3"),
        ("trainworks batch submit x.toml", "trainworks batch submit --env one x.toml"),
        ("trainworks cost job x", "trainworks cost job --env one x"),
        ("trainworks image build FOLDER", "trainworks image build --env one FOLDER"),
        ("trainworks check --env two shows each", "trainworks check --env two shows each"),
        ("trainworks jobs --env two, trainworks status", "trainworks jobs --env two, trainworks status --env one"),
        ("trainworks twin start", "trainworks twin start"),
        ("take it out of trainworks.toml", "take it out of trainworks.toml"),
        ("trainworks upside down, a trainworks-up", "trainworks upside down, a trainworks-up"),
        ("", ""),
    ],
)
def test_commands_name_the_environment_in_use(said: str, printed: str) -> None:
    assert addressed(said) == printed
    use(LOCAL)
    assert addressed(said) == said


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if verb.name not in {"demo", "twin"}])
def test_every_verb_that_takes_an_environment_is_known(verb: str) -> None:
    assert addressed(f"trainworks {verb}") == f"trainworks {verb} --env one"


def test_an_error_of_a_verb_names_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trainworks.toml").write_text("[environments.two]\ntwin = true\n")
    Path("batch.toml").write_text('[batch_job]\ncommand = ["true"]\n')
    assert run("train", "batch.toml", "--env", "two") == 2
    assert "fix: trainworks batch submit --env two batch.toml" in capsys.readouterr().err
    assert run("train", "batch.toml") == 2
    assert "fix: trainworks batch submit batch.toml" in capsys.readouterr().err
