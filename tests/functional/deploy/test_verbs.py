"""The verbs of the platform as a user types them, against a running twin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainworks.testing import TestTwin, temporary_twin

_NOTHING = {"low": "0", "high": "0"}


@pytest.fixture(scope="module")
def verbs_twin() -> Iterator[TestTwin]:
    """A twin of its own: the dev platform of the local environment has one fixed name."""
    with temporary_twin() as running:
        yield running


@pytest.fixture(scope="module")
def environment(verbs_twin: TestTwin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        **os.environ,
        "TRAINWORKS_HOME": str(verbs_twin.home.root),
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "ENVIRONMENT_SUFFIX": "verbs",
    }


def _run(environment: dict[str, str], *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainworks.cli.main", *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def _json(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    finished = _run(environment, *arguments, "--output", "json")
    assert finished.returncode == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def test_the_platform_goes_up_once_and_comes_down_clean(environment: dict[str, str], verbs_twin: TestTwin) -> None:
    planned = _json(environment, "diff")
    assert planned["changed"]
    assert {change["action"] for change in planned["changes"]} == {"Add"}
    monthly = planned["monthly_cost"]
    assert monthly["before"]["low"] == "0"
    assert monthly["difference"] == monthly["after"] == _json(environment, "cost")["total"]

    finished = _run(environment, "up", "--output", "json")
    assert finished.returncode == 0, finished.stderr
    created = json.loads(finished.stdout)
    assert (created["status"], created["changed"]) == ("CREATE_COMPLETE", True)
    assert created["outputs"]["EnvironmentSuffix"] == "verbs"
    events = [json.loads(line) for line in finished.stderr.splitlines()]
    assert {"ResourceProgress", "AssetUploaded", "ChangesPlanned"} <= {event["event"] for event in events}
    places = {event["place"] for event in events if event["event"] == "ResourceProgress"}
    assert {change["place"] for change in planned["changes"]} <= places

    assert not _json(environment, "up")["changed"]
    unchanged = _json(environment, "diff")
    assert not unchanged["changed"]
    assert unchanged["monthly_cost"] == {**monthly, "before": monthly["after"], "difference": _NOTHING, "changes": []}
    status = _json(environment, "status")
    assert (status["status"], status["outputs"]) == ("CREATE_COMPLETE", created["outputs"])
    assert {nested["name"] for nested in status["nested"]} == {
        "Network",
        "Storage",
        "Monitoring",
        "Training",
        "Batch",
        "Cost",
    }

    bucket = created["outputs"]["DatasetBucketName"]
    verbs_twin.client("s3").put_object(Bucket=bucket, Key="precious.csv", Body=b"1")
    asked = _run(environment, "down")
    assert asked.returncode == 2
    assert f"1 objects in {bucket} are deleted" in asked.stderr
    assert "--yes" in asked.stderr
    assert _json(environment, "status")["status"] == "CREATE_COMPLETE"

    assert _json(environment, "down", "--yes") == {"stack_name": "trainworks-verbs", "existed": True, "retained": []}
    assert _json(environment, "status")["status"] == "NOT_DEPLOYED"
    assert not _json(environment, "down")["existed"]


def test_synth_prints_where_the_assembly_is(environment: dict[str, str]) -> None:
    finished = _run(environment, "synth")
    assert finished.returncode == 0, finished.stderr
    assert (Path(finished.stdout.strip()) / "trainworks-verbs.template.json").is_file()


def test_without_a_twin_the_fix_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    finished = _run({**environment, "TRAINWORKS_HOME": str(tmp_path)}, "up")
    assert finished.returncode == 1
    assert "trainworks twin start" in finished.stderr


def test_an_unknown_environment_is_a_wrong_request(environment: dict[str, str], tmp_path: Path) -> None:
    finished = _run(environment, "up", "--env", "nowhere", folder=tmp_path)
    assert finished.returncode == 2
    assert "nowhere" in finished.stderr


def test_up_refuses_templates_with_errors_before_it_touches_anything(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "trainworks.toml").write_text(
        '[environments.unsafe]\ntwin = true\nprofile = "prod"\n[environments.unsafe.storage]\nretain = false\n'
    )
    environment = {**environment, "ENVIRONMENT_SUFFIX": "unsafe"}
    refused = _run(environment, "up", "--env", "unsafe", "--yes", folder=tmp_path)
    assert refused.returncode == 1
    assert "nothing was deployed" in refused.stderr
    assert "TW21 Storage/ModelBucket" in refused.stderr
    assert "--no-check" in refused.stderr
    assert "is not deployed" in _run(environment, "status", "--env", "unsafe", folder=tmp_path).stdout

    checked = _run(environment, "check", "--env", "unsafe", "--no-scanners", "--output", "json", folder=tmp_path)
    assert checked.returncode == 1
    found = {each["place"] for each in json.loads(checked.stdout)["findings"] if each["code"] == "TW21"}
    assert "Storage/ModelBucket" in found


def test_two_ups_at_the_same_moment_both_end_well(tmp_path: Path) -> None:
    with temporary_twin() as fresh:
        environment = {
            **os.environ, "TRAINWORKS_HOME": str(fresh.home.root), "XDG_CACHE_HOME": str(tmp_path),
            "ENVIRONMENT_SUFFIX": "twice",
        }  # fmt: skip
        command = [sys.executable, "-m", "trainworks.cli.main", "up", "--output", "json"]
        assert _run(environment, "synth").returncode == 0  # so that both begin at the same moment
        # Into files: a pipe that nobody reads would hold up the one whose turn it is.
        both = []
        for number in range(2):
            with (tmp_path / f"out{number}").open("w") as out, (tmp_path / f"err{number}").open("w") as err:
                both.append(subprocess.Popen(command, env=environment, stdout=out, stderr=err))
        codes = [each.wait(timeout=240) for each in both]
    assert codes == [0, 0], [(tmp_path / f"err{number}").read_text()[-1500:] for number in range(2)]
    said = [json.loads((tmp_path / f"out{number}").read_text()) for number in range(2)]
    assert [each["status"] for each in said] == ["CREATE_COMPLETE", "CREATE_COMPLETE"]
    assert sorted(each["changed"] for each in said) == [False, True]
