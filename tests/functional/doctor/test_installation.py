"""A machine, a home and an account with something really wrong with them, by the command as people run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.patience import PATIENCE_SECONDS
from trainworks.application.doctor_installation import diagnose_this_installation
from trainworks.cli.doctor_view import diagnosis_record
from trainworks.testing import TestTwin
from trainworks.twin.home import Home

Doctor = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """(exit code, record by finding code) of doctor with a home and variables, in this process."""

    def run(home: Path, environment: str = "local", **environ: str) -> tuple[int, dict[str, Any]]:
        with monkeypatch.context() as patch:
            patch.chdir(home.parent)
            variables = {"TRAINWORKS_HOME": str(home), "XDG_CACHE_HOME": str(home.parent / "cache"), **environ}
            for name, value in variables.items():
                patch.setenv(name, value)
            found = diagnose_this_installation(environment)
        return found.exit_code, by_code(json.loads(json.dumps(diagnosis_record(found), default=str)))

    return run


def by_code(record: Any) -> dict[str, Any]:
    """The first finding of each code."""
    return {finding["code"]: finding for finding in reversed(record["findings"])}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tw-"))
    yield made
    shutil.rmtree(made)


def test_a_twin_that_runs(twin: TestTwin, doctor: Doctor) -> None:
    code, found = doctor(twin.home.root)
    assert code == 0, found
    assert found["twin"]["outcome"] == "ok"
    assert found["account"]["what"].startswith("the twin: account 000000000000")
    assert {"python", "packages", "node", "disk", "not-deployed"} <= set(found)
    assert {"sandbox", "no-sandbox", "sandbox-as-root"} & set(found)


def test_nothing_was_ever_started_and_values_that_mean_nothing(folder: Path, doctor: Doctor) -> None:
    code, found = doctor(folder / "home", TRAINWORKS_SANDBOX="banana", TRAINWORKS_HOEM="x")
    assert code == 1
    assert next(iter(reversed(found))) == "variable-wrong"
    assert found["variable-wrong"]["what"] == "TRAINWORKS_SANDBOX is 'banana'; allowed: auto or off"
    assert "TRAINWORKS_HOME" in found["variable-unknown"]["fix"]
    assert found["twin-stopped"]["fix"] == "trainworks twin start"
    assert not (folder / "home").exists()


def test_keys_that_others_may_read_and_a_home_of_another_version(folder: Path, doctor: Doctor) -> None:
    home = Home(folder / "home")
    home.prepare()
    home.make_credentials()
    home.credentials_file.chmod(0o644)
    code, found = doctor(home.root)
    assert code == 1
    assert found["credentials-readable"]["fix"].startswith(f"chmod 600 {home.credentials_file}")
    home.version_file.write_text("99\n")
    assert "'99'" in doctor(home.root)[1]["home-version"]["what"]


def test_a_port_that_somebody_else_has(folder: Path, doctor: Doctor) -> None:
    home = Home(folder / "home")
    home.prepare()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = {"pid": 2**22 - 1, "start_time": 1.0}
        home.server_file.write_text(json.dumps({"port": port, "server": process, "supervisor": process}))
        code, found = doctor(home.root)
    assert code == 1
    assert f"port {port}" in found["port-taken"]["what"]
    assert f"(pid {os.getpid()})" in found["port-taken"]["what"]
    assert found["stale-record"]["fix"].startswith("trainworks twin start")


def test_a_twin_whose_processes_were_killed(own_twin: TestTwin, doctor: Doctor) -> None:
    record = json.loads(own_twin.home.server_file.read_text())
    processes = [psutil.Process(record[role]["pid"]) for role in ("supervisor", "server")]
    processes[1].send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: dict[str, Any] = {}
    while "server-died" not in found and time.monotonic() < deadline:
        found = doctor(own_twin.home.root)[1]
    assert found["server-died"]["what"] == "the server died 1 times since its last start"
    record = json.loads(own_twin.home.server_file.read_text())
    for role in ("supervisor", "server"):
        psutil.Process(record[role]["pid"]).kill()
    psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    until_dead(record["server"]["pid"])
    code, found = doctor(own_twin.home.root)
    assert (code, found["stale-record"]["outcome"]) == (1, "problem")


def until_dead(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_disk_that_is_full(folder: Path) -> None:
    """The command itself, since only a process can have a small disk of its own."""
    home = folder / "home"
    home.mkdir()
    script = f'mount -t tmpfs -o size=1m,nr_inodes=2000 none {home} && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no namespaces to mount a small disk in")
    ended = subprocess.run(
        [*prefix, sys.executable, "-m", "trainworks.cli.main", "doctor", "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRAINWORKS_HOME": str(home)},
        cwd=folder,
    )
    assert ended.returncode == 1, ended.stderr
    found = by_code(json.loads(ended.stdout))
    assert found["disk-full"]["what"].startswith("the disk of the twin's home is full: 1.0 MiB")


def test_an_account_that_nobody_answers_for(folder: Path, doctor: Doctor) -> None:
    (folder / "trainworks.toml").write_text('[environments.far]\nprofile = "dev"\n')
    code, found = doctor(
        folder / "home",
        "far",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="AKIAABCDEFGHIJKLMNOP",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_MAX_ATTEMPTS="1",
    )
    assert code == 1
    assert found["unreachable"]["outcome"] == "problem"
    assert found["could-not-look"]["outcome"] == "could not look"
    assert "twin-stopped" not in found


def test_an_account_as_aws_is_asked(twin: TestTwin, folder: Path, doctor: Doctor) -> None:
    """The twin stands in for AWS here: the same calls, the ones it does not offer named."""
    settings = '[environments.far]\nprofile = "dev"\nregion = "eu-west-3"\naccount = "123456789012"\n'
    (folder / "trainworks.toml").write_text(settings)
    keys = twin.home.credentials()
    code, found = doctor(
        folder / "home",
        "far",
        AWS_ENDPOINT_URL=twin.endpoint_url,
        AWS_ACCESS_KEY_ID=keys.access_key_id,
        AWS_SECRET_ACCESS_KEY=keys.secret_access_key,
    )
    assert code == 1
    assert "000000000000; environment far is in account 123456789012" in found["wrong-account"]["what"]
    assert found["bootstrap-bucket-missing"]["fix"] == "trainworks up --bootstrap --env far"
    assert found["no-service-linked-role"]["fix"].endswith(".amazonaws.com")
    assert "operation not offered by this endpoint" in found["could-not-look"]["what"]
    assert found["billing-access"]["what"] == "budgets can be read"


def test_a_mistyped_sandbox_does_not_start(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "trainworks.cli.main", "twin", "start", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRAINWORKS_HOME": str(folder / "home"), "TRAINWORKS_SANDBOX": "banana"},
    )
    assert ended.returncode == 2
    assert "TRAINWORKS_SANDBOX is 'banana'; allowed: auto or off" in ended.stderr
    assert not (folder / "home").exists()
