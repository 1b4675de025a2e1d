"""Start, stop, status and reset, as a user meets them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import boto3
import pytest
from tests.patience import PATIENCE_SECONDS

from trainworks.errors import HomeVersionError, PortInUseError, TwinError
from trainworks.testing import TestTwin
from trainworks.twin import lifecycle
from trainworks.twin.home import Home
from trainworks.twin.process import end_processes, running_processes, start_time


def test_starting_what_runs_changes_nothing(own_twin: TestTwin) -> None:
    again = lifecycle.start(own_twin.home, 0)
    assert (again.pid, again.started) == (own_twin.server.pid, False)


def test_a_stopped_twin_is_gone_and_comes_back_with_all_it_had(own_twin: TestTwin) -> None:
    own_twin.client("s3").create_bucket(Bucket="kept")
    pid = own_twin.server.pid
    assert lifecycle.stop(own_twin.home)
    assert start_time(pid) is None
    assert lifecycle.find(own_twin.home) is None
    assert not lifecycle.stop(own_twin.home)
    own_twin.start()
    assert [bucket["Name"] for bucket in own_twin.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_a_record_left_by_a_crash_is_no_running_twin(own_twin: TestTwin) -> None:
    record = json.loads(own_twin.home.server_file.read_text())
    end_processes(running_processes([record["supervisor"]["pid"], record["server"]["pid"]]))
    assert own_twin.home.server_file.exists()
    assert lifecycle.find(own_twin.home) is None
    of_somebody_else = {"pid": os.getpid(), "start_time": 1.0}
    own_twin.home.server_file.write_text(json.dumps({**record, "server": of_somebody_else}))
    assert not lifecycle.stop(own_twin.home)
    assert start_time(os.getpid()) is not None


@pytest.mark.parametrize("crashed", [("server",), ("supervisor", "server")])
def test_a_stop_leaves_no_instance_of_a_server_that_was_killed(own_twin: TestTwin, crashed: tuple[str, ...]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not lifecycle.instances(own_twin.home):  # the spare
        assert time.monotonic() < deadline
        time.sleep(0.02)
    record = json.loads(own_twin.home.server_file.read_text())
    end_processes(running_processes([record[role]["pid"] for role in crashed]))
    lifecycle.stop(own_twin.home)
    assert lifecycle.instances(own_twin.home) == []


def test_a_server_that_dies_is_started_again_and_refuses_no_one_meanwhile(own_twin: TestTwin) -> None:
    """A client that retries a broken connection, as every AWS SDK does, sees nothing of it."""
    buckets = own_twin.client("s3", retries={"mode": "standard", "max_attempts": 3})
    for number in range(6):
        if number == 3:
            own_twin.kill()
        buckets.create_bucket(Bucket=f"survives-{number}")
    assert len(buckets.list_buckets()["Buckets"]) == 6
    before = own_twin.server.pid
    own_twin.start()
    assert own_twin.server.pid != before
    assert "the server died with -9; starting it again" in own_twin.home.log_file.read_text()


def test_a_server_that_cannot_start_is_not_started_for_ever(own_twin: TestTwin) -> None:
    own_twin.home.version_file.write_text("0\n")
    with pytest.raises(HomeVersionError, match="format '0'"):
        lifecycle.start(own_twin.home)
    own_twin.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while lifecycle.find(own_twin.home) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lifecycle.find(own_twin.home) is None
    assert "this trainworks reads format" in own_twin.home.log_file.read_text()


def test_after_a_crash_of_everything_it_comes_back_where_its_clients_know_it(own_twin: TestTwin) -> None:
    record = json.loads(own_twin.home.server_file.read_text())
    end_processes(running_processes([record["supervisor"]["pid"], record["server"]["pid"]]))
    assert lifecycle.start(own_twin.home).port == record["port"]


def test_whoever_starts_it_at_the_same_time_has_the_same_twin() -> None:
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    home = root / "home"
    command = [sys.executable, "-m", "trainworks.cli.main", "twin", "start", "--port", "0"]
    environment = {**os.environ, "TRAINWORKS_HOME": str(home)}
    try:
        starters = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(6)
        ]
        answers = [starter.communicate(timeout=PATIENCE_SECONDS) for starter in starters]
        assert [starter.returncode for starter in starters] == [0] * 6, answers
        running = lifecycle.find(Home(home))
        assert running is not None
        assert all(running.endpoint_url in out for out, _ in answers)
    finally:
        lifecycle.stop(Home(home))
        shutil.rmtree(root)


def test_it_starts_at_once_after_server_and_supervisor_were_killed(own_twin: TestTwin) -> None:
    """The server first: its supervisor has begun to start the next one when it is killed itself."""
    for delay in (0.02, 0.2):
        record = json.loads(own_twin.home.server_file.read_text())
        server, supervisor = running_processes([record["server"]["pid"], record["supervisor"]["pid"]])
        server.kill()
        time.sleep(delay)
        end_processes([supervisor])
        assert lifecycle.start(own_twin.home).port == record["port"]
        assert own_twin.client("sts", retries={"total_max_attempts": 3}).get_caller_identity()["Account"]
        lifecycle.stop(own_twin.home)  # the one that came up alone, where there was one
        lifecycle.start(own_twin.home, record["port"])


def test_what_dies_while_it_is_waited_for_is_started(own_twin: TestTwin) -> None:
    record = json.loads(own_twin.home.server_file.read_text())
    supervisor = record["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGSTOP)  # it seems to run, and starts no server
    end_processes(running_processes([record["server"]["pid"]]))
    found: list[lifecycle.RunningServer] = []
    starter = threading.Thread(target=lambda: found.append(lifecycle.start(own_twin.home, record["port"])))
    starter.start()
    time.sleep(0.3)
    assert starter.is_alive()
    os.kill(supervisor, signal.SIGKILL)
    starter.join()
    assert [each.port for each in found] == [record["port"]]
    assert found[0].started


def test_a_port_that_is_taken_names_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} is in use by .*\(pid {os.getpid()}\)") as error:
            lifecycle.start(Home(tmp_path / "home"), port)
    assert "--port" in error.value.fix


def test_reset_deletes_a_twins_home_and_nothing_else(own_twin: TestTwin, tmp_path: Path) -> None:
    lifecycle.reset(own_twin.home)
    assert list(own_twin.home.root.iterdir()) == []
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    with pytest.raises(TwinError, match="not a twin's home"):
        lifecycle.reset(Home(precious))
    with pytest.raises(TwinError, match="not empty"):
        lifecycle.start(Home(precious), 0)
    assert (precious / "file").exists()


@pytest.mark.parametrize("version", ["1.2", "1"])
def test_a_folder_with_a_version_file_of_its_own_is_no_home(tmp_path: Path, version: str) -> None:
    (tmp_path / "version").write_text(f"{version}\n")
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(TwinError, match="not a twin's home"):
        lifecycle.reset(Home(tmp_path))
    with pytest.raises(TwinError, match="not empty"):
        lifecycle.start(Home(tmp_path), 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt", "version"]


def test_a_home_that_cannot_be_made_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TwinError, match="file cannot be made: File exists") as error:
        lifecycle.start(Home(tmp_path / "file"), 0)
    assert "TRAINWORKS_HOME" in error.value.fix


def test_another_versions_home_is_refused_with_the_way_out(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.version_file.write_text("99\n")
    with pytest.raises(HomeVersionError, match="'99'") as error:
        lifecycle.start(home, 0)
    assert "reset" in error.value.fix


def test_a_server_that_cannot_start_shows_why(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.emulator_db.write_bytes(b"this is no database" * 100)
    with pytest.raises(TwinError, match="not a database"):
        lifecycle.start(home, 0)


def test_env_lets_any_client_in(own_twin: TestTwin) -> None:
    environment = {**os.environ, "TRAINWORKS_HOME": str(own_twin.home.root)}
    command = [sys.executable, "-m", "trainworks.cli.main", "env"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    exports = dict(shlex.split(line)[1].split("=", 1) for line in printed.splitlines() if line.startswith("export "))
    client = boto3.client(
        "sts",
        endpoint_url=exports["AWS_ENDPOINT_URL"],
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        region_name=exports["AWS_DEFAULT_REGION"],
    )
    assert client.get_caller_identity()["Account"] == "000000000000"
    assert exports["AWS_REGION"] == exports["AWS_DEFAULT_REGION"]


def test_env_of_a_twin_that_does_not_run_says_how_to_start_it(tmp_path: Path) -> None:
    environment = {**os.environ, "TRAINWORKS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "trainworks.cli.main", "env"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "trainworks twin start" in done.stderr


@pytest.mark.parametrize(("sandbox", "expected"), [("off", True), ("auto", False)])
def test_start_and_status_warn_where_jobs_run_without_the_sandbox(tmp_path: Path, sandbox: str, expected: bool) -> None:
    environment = {**os.environ, "TRAINWORKS_HOME": str(tmp_path / "home"), "TRAINWORKS_SANDBOX": sandbox}
    command = [sys.executable, "-m", "trainworks.cli.main", "twin"]
    try:
        for verb in (["start", "--port", "0"], ["status"]):
            done = subprocess.run([*command, *verb], env=environment, capture_output=True, text=True, check=True)
            assert ("warning: Jobs run without the sandbox" in " ".join(done.stderr.split())) is expected
    finally:
        lifecycle.stop(Home(tmp_path / "home"))
