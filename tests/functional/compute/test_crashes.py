"""`kill -9` of the server and of agents: tasks go on or are reported lost, each runs once, no exit status is lost."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.functional.compute.agents import agents, freeze, kill
from tests.functional.compute.harness import Bench
from tests.patience import PATIENCE_SECONDS, until
from trainworks.twin.compute.fleet import Fleet
from trainworks.twin.compute.tables import InstanceRow, Tables
from trainworks.twin.ports import TaskState
from trainworks.twin.store import Database

_SERVER = Path(__file__).with_name("serve.py")


class Server:
    """The crash tests' server process."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process = self._start()

    def submit(self, names: list[str], *argv: str) -> None:
        ml_root = self._home / "ml"
        ml_root.mkdir(exist_ok=True)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"names": names, "argv": argv, "ml_root": str(ml_root)}) + "\n")
        self._process.stdin.flush()
        self._read("submitted")

    def kill(self) -> None:
        self._process.kill()
        self.close()

    def restart(self) -> None:
        self.kill()
        self._process = self._start()

    def close(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(_SERVER), str(self._home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._process = process
        self._read("started")
        return process

    def _read(self, expected: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == expected


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose instances are ended after the test."""
    path = tmp_path / "home"
    path.mkdir()
    yield path
    bench = Bench(path)
    bench.close()


def test_each_task_runs_once_through_kills_of_the_server(home: Path) -> None:
    server = Server(home)
    names = [f"t{number}" for number in range(300)]
    try:
        server.submit(names[:200], "/bin/sh", "-c", "echo $NAME >> /opt/ml/ran; exit ${NAME#t}")
        for _ in range(3):
            time.sleep(0.08)
            server.restart()
        server.submit(names[200:], "/bin/sh", "-c", "echo $NAME >> /opt/ml/ran; exit ${NAME#t}")
        server.restart()
        seen = _wait_for_ends(home, len(names))
    finally:
        server.kill()
    assert [entry for entry in seen if entry[1] in ("LOST", "CANCELLED")] == []
    assert Counter((home / "ml" / "ran").read_text().split()) == Counter(names)
    assert {name: code for name, state, code in seen if state == "EXITED"} == {
        name: int(name[1:]) % 256 for name in names
    }
    assert max(Counter((name, state) for name, state, _ in seen).values()) == 1


def test_a_task_that_ends_while_no_server_runs_is_reported_by_the_next_one(home: Path) -> None:
    server = Server(home)
    server.submit(["task"], "/bin/sh", "-c", "echo running > /opt/ml/ran; sleep 0.3; echo ended > /opt/ml/ran; exit 5")
    _wait_for_text(home / "ml" / "ran", "running")
    server.kill()
    _wait_for_text(home / "ml" / "ran", "ended")
    time.sleep(0.05)
    server = Server(home)
    try:
        assert ("task", "EXITED", 5) in _wait_for_ends(home, 1)
    finally:
        server.kill()


def test_killed_agent_takes_its_tasks_along_and_they_are_lost(sandboxed: Bench) -> None:
    sandboxed.pool()
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
while True:
    open(f"/opt/ml/alive-{os.getpid()}", "a").write("x")
    time.sleep(0.005)
"""
    mark = secrets.token_hex(8)
    sandboxed.submit(sandboxed.script("task", source, mark))
    marks = sandboxed.ml_root("task")
    until(lambda: len(list(marks.glob("alive-*"))) == 2, "the task and its child")
    assert len(_running_with(mark)) == 2
    (instance,) = sandboxed.compute.instances()
    os.kill(instance.pid, signal.SIGKILL)
    lost = sandboxed.wait("task")
    assert (lost.state, lost.reason) == (TaskState.LOST, "instance failed")
    until(lambda: not _running_with(mark), "the end of the task's processes")
    until(lambda: not sandboxed.compute.instances(), "the commit of what was told")


def test_agent_killed_while_no_server_runs(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    bench.wait("task", {TaskState.RUNNING})
    (instance,) = bench.compute.instances()
    bench.compute.close()
    os.kill(instance.pid, signal.SIGKILL)
    time.sleep(0.05)
    bench.restart_after_close()
    assert (bench.wait("task").state, bench.wait("task").reason) == (TaskState.LOST, "instance failed")


def test_orderly_restart_finds_running_tasks_again(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    bench.restart()
    bench.compute.stop(["task"], grace_seconds=0)
    assert bench.wait("task").reason == "stopped"


def test_a_stop_that_was_accepted_survives_the_server(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    bench.compute.close()
    bench.stop_in_tables("task")
    bench.restart_after_close()
    assert bench.wait("task").reason == "stopped"


def test_a_lease_that_was_committed_and_never_sent_is_sent_by_the_next_server(bench: Bench) -> None:
    bench.compute.close()
    fleet = Fleet(bench.home, "auto")
    agent = fleet.take(next(fleet.new_ids()))
    bench.pool()
    with bench.database.transaction() as tx:
        bench.compute.submit(tx, [bench.spec("task", "/bin/true")])
        tables = Tables(tx)
        row = InstanceRow(
            agent.instance_id, "pool", "ml.m5.large", "on-demand", time.time(), agent.pid, agent.started_at
        )
        tables.put_instance(row)
        tables.place(agent.instance_id, 1, [("task", False)])
    agent.close()
    fleet.close()
    bench.restart_after_close()
    assert bench.wait("task").exit_code == 0
    assert bench.wait("task").instance_id == agent.instance_id


def test_a_lost_connection_is_made_anew(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    fleet = Fleet(bench.home, "auto")
    # The agent gives up the server's connection for this one.
    fleet.connect(bench.compute.instances()[0].instance_id).close()
    fleet.close()
    bench.compute.stop(["task"])
    assert bench.wait("task").reason == "stopped"


def test_a_failing_listener_loses_nothing(bench: Bench) -> None:
    failures = iter([True, False])

    def fail_once(*_: object) -> None:
        if next(failures, False):
            raise OSError("disk full")

    bench.compute.subscribe("task", fail_once)
    bench.pool()
    assert bench.run(bench.spec("task", "/bin/true")).exit_code == 0


def test_a_task_that_never_began_is_placed_again(bench: Bench) -> None:
    bench.pool()
    bench.compute.sandbox_mode()
    frozen = freeze(bench.home)
    bench.submit(bench.script("task", "print('ran')"))
    claimed = bench.wait("task", {TaskState.PLACED})
    kill(frozen)
    ended = bench.wait("task")
    assert (ended.state, ended.exit_code) == (TaskState.EXITED, 0)
    assert ended.instance_id != claimed.instance_id
    assert bench.states("task") == [TaskState.PLACED, TaskState.PLACED, TaskState.RUNNING, TaskState.EXITED]
    assert bench.log("task") == "ran\n"


def test_one_of_a_gang_that_never_began_joins_the_others(sandboxed: Bench) -> None:
    """The other one has begun by then, and finds it by its name."""
    sandboxed.pool()
    frozen = freeze(sandboxed.home)
    greet = """
import socket, time
while True:
    try:
        socket.create_connection(("algo-1", 4000), 1).sendall(b"hello")
        break
    except OSError:
        time.sleep(0.02)
"""
    listen = """
import socket
with socket.create_server(("algo-1", 4000)) as server:
    print(server.accept()[0].recv(5).decode(), flush=True)
"""
    together = {"gang_id": "gang", "gang_size": 2}
    sandboxed.submit(
        sandboxed.script("first", listen, hostname="algo-1", gang_index=0, **together),
        sandboxed.script("second", greet, hostname="algo-2", gang_index=1, **together),
    )
    claimed = {task: sandboxed.wait(task, {TaskState.PLACED}).instance_id for task in ("first", "second")}
    assert any(agent.cmdline()[-2].endswith(str(claimed["first"])) for agent in frozen), "the first has the spare one"
    sandboxed.wait("second", {TaskState.RUNNING})
    kill(frozen)
    assert sandboxed.wait("first").exit_code == 0
    assert sandboxed.wait("second").exit_code == 0
    assert sandboxed.log("first") == "hello\n"


def test_a_task_whose_instances_all_fail_is_lost(bench: Bench) -> None:
    bench.pool()
    bench.compute.sandbox_mode()

    def lost() -> bool:
        kill(freeze(bench.home))
        return bench.states("task")[-1:] == [TaskState.LOST]

    frozen = freeze(bench.home)
    bench.submit(bench.script("task", "print('ran')"))
    bench.wait("task", {TaskState.PLACED})
    kill(frozen)
    until(lambda: lost() or bench.states("task")[-1] is TaskState.EXITED, "its end")
    assert bench.states("task").count(TaskState.PLACED) <= 4


def test_a_stop_ends_a_task_that_waits_to_be_placed_again(bench: Bench) -> None:
    bench.pool()
    bench.compute.sandbox_mode()
    frozen = freeze(bench.home)
    bench.submit(bench.script("task", "print('ran')"))
    bench.wait("task", {TaskState.PLACED})
    bench.compute.stop(["task"])
    kill(frozen)
    assert bench.wait("task").state is TaskState.LOST
    assert TaskState.RUNNING not in bench.states("task")


def test_no_task_begins_twice_whenever_its_instance_is_killed(sandboxed: Bench) -> None:
    sandboxed.pool()
    names = [f"t{number}" for number in range(20)]
    for number, name in enumerate(names):
        sandboxed.submit(sandboxed.spec(name, "/bin/sh", "-c", "echo ran", ml_root=sandboxed.ml_root(name)))
        sandboxed.wait(name, {TaskState.PLACED})
        time.sleep(0.001 * number)  # wherever it is by then
        kill(agents(sandboxed.home))
        sandboxed.wait(name)
    for name in names:
        ran, ended = sandboxed.log(name).count("ran"), sandboxed.wait(name)
        assert ran == 1 if ended.state is TaskState.EXITED else ran <= 1, (name, sandboxed.states(name))


def _wait_for_ends(home: Path, count: int) -> list[tuple[str, str, int | None]]:
    database = Database(home / "twin.db")
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            rows = database.read("SELECT task_id, state, code FROM seen")
            if sum(row["state"] in ("EXITED", "LOST", "CANCELLED") for row in rows) >= count:
                return [tuple(row) for row in rows]  # type: ignore[misc]
            assert time.monotonic() < deadline, [tuple(row) for row in rows][-20:]
            time.sleep(0.02)
    finally:
        database.close()


def _wait_for_text(path: Path, text: str) -> None:
    until(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")


def _running_with(mark: str) -> list[int]:
    """The processes that have this argument."""
    return [each.pid for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]
