"""`trainworks demo` as a user runs it: once, again, and with the server killed in the middle of training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainworks.twin import lifecycle
from trainworks.twin.home import Home

TRAINWORKS = Path(sys.executable).parent / "trainworks"
pytestmark = pytest.mark.slow


class DemoHome:
    """A twin's home for the demos of one test, with the processes that run in it."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.environment = {
            **os.environ,
            "TRAINWORKS_HOME": str(self.home.root),
            "XDG_CACHE_HOME": str(root / "cache"),
        }

    def start(self) -> subprocess.Popen[str]:
        command = [TRAINWORKS, "demo", "--output", "json", "--port", "0"]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self) -> dict[str, Any]:
        return finished(self.start())


def finished(demo: subprocess.Popen[str], on_line: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The summary of a demo that ended with exit code 0; `on_line` gets what it says meanwhile."""
    said = ""
    with demo:
        assert demo.stderr is not None
        assert demo.stdout is not None
        for line in demo.stderr:
            said += line
            on_line(line)
        summary = demo.stdout.read()
    assert demo.returncode == 0, said
    found: dict[str, Any] = json.loads(summary)
    return found


@pytest.fixture
def demo_home(tmp_path: Path) -> Iterator[DemoHome]:
    made = DemoHome(tmp_path)
    yield made
    lifecycle.stop(made.home)


def check(summary: dict[str, Any]) -> None:
    """What every demo has to show, whatever happened on the way."""
    job = summary["training_job"]
    statuses = [each["status"] for each in job["transitions"]]
    assert summary["accuracy"] > 0.9
    assert summary["images"] == 360
    assert job["status"] == "Completed"
    assert job["managed_spot"] is True
    assert job["interruptions"] == 1
    assert statuses[-1] == "Completed"
    assert statuses.index("Interrupted") < len(statuses) - 1 - statuses[::-1].index("Training")
    assert summary["interruption"]["repeated_epochs"] <= 1
    assert job["metrics"]["validation_accuracy"] > 0.9
    assert job["model_artifact_uri"].endswith(f"output/{job['name']}/output/model.tar.gz")
    assert summary["batch_job"]["array_status"] == {"SUCCEEDED": 8}


def test_demo_twice_in_a_row(demo_home: DemoHome) -> None:
    first, second = demo_home.run(), demo_home.run()
    check(first)
    check(second)
    assert first["resources_created"] > 50
    assert second["resources_created"] == 0
    assert first["training_job"]["name"] != second["training_job"]["name"]
    assert first["accuracy"] == second["accuracy"], "the same data, seed and checkpoints give the same model"


def test_demo_survives_the_death_of_the_server_during_training(demo_home: DemoHome) -> None:
    before = None

    def kill_once(line: str) -> None:
        nonlocal before
        if before is None and "epoch=1 " in line:
            before = lifecycle.find(demo_home.home)
            assert before is not None
            os.kill(before.pid, signal.SIGKILL)

    summary = finished(demo_home.start(), kill_once)
    assert before is not None
    check(summary)
    after = lifecycle.find(demo_home.home)
    assert after is not None
    assert after.pid != before.pid
    listed = subprocess.run(
        [TRAINWORKS, "jobs", "--output", "json"], capture_output=True, text=True, env=demo_home.environment, check=True
    )
    assert [each["kind"] for each in json.loads(listed.stdout)] == ["batch", "training"], "nothing is doubled"
