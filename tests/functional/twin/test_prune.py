"""`trainworks twin prune` and `retention`: what has ended goes with its files, what is live stays."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from tests.functional.batch.test_jobs import Platform
from tests.patience import PATIENCE_SECONDS, until

from trainworks.errors import TwinError
from trainworks.testing import TestTwin
from trainworks.twin.control_client import ask
from trainworks.twin.home import RootCredentials


def trainworks(twin: TestTwin, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainworks.cli.main", "twin", *arguments, "--home", str(twin.home.root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answer(twin: TestTwin, *arguments: str) -> Any:
    done = trainworks(twin, *arguments, "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def age(twin: TestTwin, seconds: float) -> None:
    """Let every ended job have ended so much earlier."""
    database = sqlite3.connect(twin.home.twin_db, timeout=30)
    with database:
        database.execute("UPDATE batch_job SET stopped_at = stopped_at - ?", (int(seconds * 1000),))
    database.close()


def test_ended_jobs_go_with_their_files_and_live_ones_stay(own_twin: TestTwin) -> None:
    platform = Platform(own_twin)
    ended = platform.submit(["echo", "hello"], arrayProperties={"size": 3})
    platform.until(ended, lambda job: job["status"] == "SUCCEEDED")
    running = platform.submit(["sleep", "60"])
    platform.until(running, lambda job: job["status"] == "RUNNING")
    folder = own_twin.home.jobs_dir / "batch" / ended
    assert list(folder.iterdir())

    assert answer(own_twin, "prune", "--older-than", "0s")["batch_jobs"] == 0  # its output may be under way still
    age(own_twin, 2 * 86_400)
    assert answer(own_twin, "prune", "--older-than", "7d")["batch_jobs"] == 0
    would = answer(own_twin, "prune", "--older-than", "1d", "--dry-run")
    assert (would["batch_jobs"], would["training_jobs"], would["freed_bytes"] > 0) == (1, 0, True)
    assert platform.job(ended)["status"] == "SUCCEEDED"

    own_twin.kill()
    own_twin.start()
    platform.batch = own_twin.client("batch")
    assert answer(own_twin, "prune", "--older-than", "1d") == {**would, "dry_run": False}
    assert platform.batch.describe_jobs(jobs=[ended, f"{ended}:0"])["jobs"] == []
    assert not folder.exists()
    assert platform.job(running)["status"] == "RUNNING"
    assert (own_twin.home.jobs_dir / "batch" / running).is_dir()
    assert answer(own_twin, "prune", "--older-than", "1d")["batch_jobs"] == 0


def test_what_cannot_be_removed_is_named_and_all_else_is_removed(own_twin: TestTwin) -> None:
    """More than one part of them: a prune ends, however many stay."""
    platform = Platform(own_twin)
    staying = platform.submit(["true"])
    platform.until(staying, lambda job: job["status"] == "SUCCEEDED")
    going = [platform.submit(["true"]) for _ in range(3)]
    for job_id in going:
        platform.until(job_id, lambda job: job["status"] == "SUCCEEDED")
    age(own_twin, 2 * 86_400)
    database = sqlite3.connect(own_twin.home.twin_db, timeout=30)
    with database:
        database.execute(
            f"CREATE TRIGGER keep BEFORE DELETE ON batch_job WHEN old.job_id = '{staying}' "
            "BEGIN SELECT RAISE(ABORT, 'this one stays'); END"
        )
    database.close()

    would = answer(own_twin, "prune", "--older-than", "1d", "--dry-run")
    assert (would["batch_jobs"], would["failed"]) == (4, {})
    done = trainworks(own_twin, "prune", "--older-than", "1d", "--output", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout) | {"freed_bytes": 0} == would | {
        "dry_run": False, "freed_bytes": 0, "batch_jobs": 3, "failed": {"batch_jobs": {staying: "this one stays"}},
    }  # fmt: skip
    assert f"{staying}: this one stays" in done.stderr
    assert [job["jobId"] for job in platform.batch.describe_jobs(jobs=[staying, *going])["jobs"]] == [staying]
    answer(own_twin, "retention", "12h")  # in the background a pass ends as well
    last = platform.submit(["true"])
    platform.until(last, lambda job: job["status"] == "SUCCEEDED")
    age(own_twin, 2 * 86_400)
    answer(own_twin, "retention", "11h")
    until(lambda: not platform.batch.describe_jobs(jobs=[last])["jobs"], "the end of what is behind it")


def test_an_age_that_is_set_is_kept_in_the_background_and_over_a_restart(own_twin: TestTwin) -> None:
    platform = Platform(own_twin)
    assert answer(own_twin, "retention") == {"older_than_seconds": None}
    ended = platform.submit(["true"])
    platform.until(ended, lambda job: job["status"] == "SUCCEEDED")
    age(own_twin, 86_400)
    assert answer(own_twin, "retention", "12h") == {"older_than_seconds": 43_200.0}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while platform.batch.describe_jobs(jobs=[ended])["jobs"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    own_twin.kill()
    own_twin.start()
    assert answer(own_twin, "retention") == {"older_than_seconds": 43_200.0}
    assert answer(own_twin, "retention", "forever") == {"older_than_seconds": None}


@pytest.mark.parametrize("arguments", [("prune", "--older-than", "a week"), ("retention", "-1")])
def test_what_is_no_age_is_refused_with_the_fix(twin: TestTwin, arguments: tuple[str, ...]) -> None:
    done = trainworks(twin, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_who_may_not_prune_is_refused(twin: TestTwin) -> None:
    iam = twin.client("iam")
    iam.create_user(UserName="no-pruner")
    key = iam.create_access_key(UserName="no-pruner")["AccessKey"]
    somebody: Any = SimpleNamespace(
        endpoint_url=twin.endpoint_url, credentials=RootCredentials(key["AccessKeyId"], key["SecretAccessKey"])
    )
    for action, request in (("prune", {"older_than_seconds": 0}), ("retention", {"older_than_seconds": 0})):
        with pytest.raises(TwinError, match="trainworks:Prune"):
            ask(somebody, action, request)
