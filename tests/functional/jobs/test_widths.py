"""Every command that prints a table, at the widths of terminals that people have: what they copy is whole."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.functional.jobs.command import Command, command_line
from trainworks.cli.root import load
from trainworks.cli.verbs import VERBS
from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.jobs import Platform, wait
from trainworks.jobs.datasets import find_dataset, put_dataset, remove_dataset
from trainworks.testing import TestTwin

WIDTHS = (60, 80, 110, 200)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COPIED = re.compile(r"arn:|s3://|\.dkr\.ecr\.|^[A-Za-z/][A-Za-z0-9./_-]{11,}$")
"""ARNs, URIs, names, paths: what people copy. Times and figures, which differ from call to call, are none."""
COPIABLE = re.compile(
    r"arn:|s3://|\.dkr\.ecr\.|(?:^|[\s=('\"])(?=[^\s]*[-_/.:=0-9])[A-Za-z0-9$./_:=-]{12,}|\S{30}"
    r"|\S {2,}\S|(?:^|[\s`(])(?:trainworks|aws|sudo|pip|python3?) \S"
)
"""What makes a line longer than the terminal: a thing to copy, columns beside one, a command; prose has none of it."""
NAMELESS = {"twin status", "metrics {job}", "twin prune --dry-run"}
REFUSED = {"train nowhere-at-all.py", "describe {job}-that-is-not-there"}
NOTES_ALONE = {"twin stop", "twin reset"}
COMMANDS = (
    "status",
    "jobs",
    "jobs --metric loss --cost",
    "describe {job}",
    "describe {batch}",
    "logs {job}",
    "synth",
    "check --no-scanners",
    "cost",
    "doctor",
    "env",
    "twin prune --dry-run",
    "data put {folder} {dataset} --replace",
    "image build {folder}",
    "train nowhere-at-all.py",
    "describe {job}-that-is-not-there",
    "metrics {job}",
    "compare {job} {job}",
    "cost job {job}",
    "doctor {job}",
    "data list",
    "data list {dataset}",
    "image list",
    "twin status",
    "diff --template {old} {new}",
    "cost --template {new}",
    "cost --all --template {new}",
    "check --no-scanners --template {new}",
)
OLD = {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
NEW = {
    "Resources": {
        "QueueThatHasAVeryLongLogicalIdOfItsOwnSoThatItIsWiderThanAColumn": {"Type": "AWS::SQS::Queue"},
        "BucketThatHasAVeryLongLogicalIdOfItsOwnSoThatItIsWiderThanAColumn": {"Type": "AWS::S3::Bucket"},
    }
}


@pytest.fixture(scope="module")
def names(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A job whose name has all 63 characters, a dataset with a long name, and two templates."""
    folder = tmp_path_factory.mktemp("widths")
    (folder / "train.py").write_text("print('loss=0.5')\nopen('/opt/ml/model/m', 'w').close()\n")
    (folder / "old.json").write_text(json.dumps(OLD))
    (folder / "new.json").write_text(json.dumps(NEW))
    name = f"widths-{'x' * 49}-{platform.environment.environment_suffix}"[:63].strip("-")
    spec = TrainingJobSpec(script=folder / "train.py", metrics={"loss": "loss=([0-9.]+)"})
    wait(platform.train(spec, name))
    batch = platform.submit_batch(BatchJobSpec(command=("/bin/true",)), f"{name[:50]}-batch")
    wait(batch)
    dataset = f"widths-{'data-' * 12}set"
    put_dataset(platform, folder, dataset, replace=True)
    (folder / "requirements.txt").touch()
    yield {
        "job": name,
        "batch": batch.name,
        "folder": str(folder),
        "dataset": dataset,
        "old": str(folder / "old.json"),
        "new": str(folder / "new.json"),
    }
    remove_dataset(platform, find_dataset(platform, dataset))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, twin: TestTwin, platform: Platform, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    suffix = platform.environment.environment_suffix
    return command_line(monkeypatch, TRAINWORKS_HOME=str(twin.home.root), ENVIRONMENT_SUFFIX=suffix)


def copied(said: str) -> set[str]:
    words = (word.strip("'():,.") for word in ESCAPES.sub("", said).split())
    return {word for word in words if COPIED.search(word)}


def lines_of(said: str) -> list[str]:
    """Lines as they end up: what moves writes over itself, after a carriage return."""
    return re.split(r"[\r\n]+", ESCAPES.sub("", said))


@pytest.mark.parametrize("line", COMMANDS)
def test_what_people_copy_is_whole_at_every_width(
    command: Command, names: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = line.format(**names).split()
    piped = command(*words)
    assert piped.code in (0, 1) or line in REFUSED, piped.err
    assert "\x1b" not in piped.out + piped.err
    assert not [each for each in (piped.out + piped.err).splitlines() if each.endswith(" ")]
    whole = copied(piped.out + piped.err if line in REFUSED else piped.out)
    assert whole or line in NAMELESS, piped.out
    for width in WIDTHS:
        shown = command(*words, terminal=width)
        said = shown.out + shown.err
        # A cost by resource has other columns on a terminal: names there are below their stack's.
        missing = set() if line.split(maxsplit=1)[0] == "cost" and "job" not in line else whole - copied(said)
        assert not missing, (width, said)
        wide = [each for each in lines_of(said) if cell_len(each) > width and not COPIABLE.search(each)]
        assert not wide, (width, wide)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in command(*words, terminal=80).out


@pytest.mark.parametrize("line", ["cost --template {new}", "cost --all --template {new}"])
def test_the_resources_of_a_cost_are_whole(command: Command, names: dict[str, str], line: str) -> None:
    for width in WIDTHS:
        said = copied(command(*line.format(**names).split(), terminal=width).out)
        assert set(NEW["Resources"]) <= said


def test_a_list_of_jobs_has_one_record_a_line_in_a_pipe(command: Command, names: dict[str, str]) -> None:
    heading, *lines = command("jobs", "--limit", "1000").out.splitlines()
    listed = command("jobs", "--limit", "1000", "-o", "json").data
    assert heading.split() == ["job", "kind", "status", "age", "took"]
    assert [line.split()[:2] for line in lines] == [[each["name"], each["kind"]] for each in listed]
    assert [names["job"], "training", "Completed"] in [line.split()[:3] for line in lines]


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_real_terminal_too(
    names: dict[str, str], twin: TestTwin, platform: Platform, tmp_path: Path, no_color: str
) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    variables = {
        **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")},
        "TRAINWORKS_HOME": str(twin.home.root),
        "ENVIRONMENT_SUFFIX": platform.environment.environment_suffix,
        "TERM": "xterm-256color",
        **({"NO_COLOR": no_color} if no_color else {}),
    }
    argv = [sys.executable, "-m", "trainworks.cli.main", "describe", names["job"]]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, cwd=tmp_path) as running:
        os.close(theirs)
        said = _all_of(ours)
        assert running.wait() == 0, said
    model = platform.job(names["job"]).describe()["ModelArtifacts"]["S3ModelArtifacts"]
    assert {names["job"], model} <= set(ESCAPES.sub("", said).split())
    assert ("\x1b[" in said) is not bool(no_color)


def _all_of(terminal: int) -> str:
    """What was written until the last writer was gone, which a terminal tells as an error."""
    said = b""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                part = file.read(65536)
            except OSError:
                break
            if not part:
                break
            said += part
    return said.decode()


def test_every_command_that_prints_data_prints_it_as_json_too() -> None:
    without = set()
    for verb in VERBS:
        command = load(verb)
        for name, leaf in getattr(command, "commands", {"": command}).items():
            if "output" not in {parameter.name for parameter in leaf.params}:
                without.add(f"{verb.name} {name}".strip())
    assert without == NOTES_ALONE
