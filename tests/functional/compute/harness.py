"""A compute plane in a temporary home, without the rest of the twin."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from tests.patience import PATIENCE_SECONDS
from trainworks.twin.compute.gpus import Gpus
from trainworks.twin.compute.placement import Machine
from trainworks.twin.compute.scheduler import ComputeSettings, LocalCompute
from trainworks.twin.compute.tables import Tables
from trainworks.twin.ports import PoolSpec, TaskEvent, TaskSpec, TaskState
from trainworks.twin.store import Database

FINAL = {TaskState.EXITED, TaskState.LOST, TaskState.CANCELLED}
PYTHON = sys.executable


class Bench:
    """`compute` with a pool `pool` of one-task `ml.m5.large` and a shared one, `shared`; collects all events."""

    def __init__(
        self, home: Path, sandbox: str = "auto", machine: Machine | None = None, gpus: Gpus | None = None
    ) -> None:
        self.home = home
        self.database = Database(home / "twin.db")
        self._settings = ComputeSettings(machine or Machine(8, 1 << 20), sandbox, gpus=gpus or Gpus())
        self.compute = LocalCompute(self.database, home, self._settings)
        self.events: list[TaskEvent] = []
        self._changed = threading.Condition()
        self.compute.subscribe("", self._listen)
        self.compute.start()

    def pool(self, pool_id: str = "pool", types: tuple[str, ...] = ("ml.m5.large",), **options: Any) -> str:
        spec = PoolSpec(pool_id, types, **{"exclusive": True, **options})
        with self.database.transaction() as tx:
            self.compute.create_pool(tx, spec)
        return pool_id

    def spec(self, task_id: str, *argv: str, pool_id: str = "pool", **options: Any) -> TaskSpec:
        env = options.pop("env", {})
        return TaskSpec(task_id, pool_id, argv, env, self.log_path(task_id), **options)

    def script(self, task_id: str, source: str, *argv: str, **options: Any) -> TaskSpec:
        """A Python script in the job's own folder."""
        ml_root = self.ml_root(task_id)
        (ml_root / "code").mkdir(parents=True, exist_ok=True)
        (ml_root / "code" / "main.py").write_text(source)
        return self.spec(task_id, PYTHON, "/opt/ml/code/main.py", *argv, ml_root=ml_root, **options)

    def submit(self, *tasks: TaskSpec) -> None:
        with self.database.transaction() as tx:
            self.compute.submit(tx, tasks)

    def run(self, task: TaskSpec, timeout_seconds: float = PATIENCE_SECONDS) -> TaskEvent:
        self.submit(task)
        return self.wait(task.task_id, timeout_seconds=timeout_seconds)

    def wait(
        self, task_id: str, states: set[TaskState] | None = None, timeout_seconds: float = PATIENCE_SECONDS
    ) -> TaskEvent:
        """The first event of the task in one of `states`, by default the final ones."""
        wanted = FINAL if states is None else states

        def found() -> TaskEvent | None:
            return next((each for each in self.events if each.task_id == task_id and each.state in wanted), None)

        with self._changed:
            assert self._changed.wait_for(found, timeout_seconds), f"{task_id} never was {wanted}: {self.events}"
            event = found()
        assert event is not None
        return event

    def wait_for_log(self, task_id: str, text: str, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + timeout_seconds
        while text not in self.log(task_id):
            assert time.monotonic() < deadline, f"{text!r} never came: {self.log(task_id)}"
            time.sleep(0.005)

    def states(self, task_id: str) -> list[TaskState]:
        return [event.state for event in self.events if event.task_id == task_id]

    def log_path(self, task_id: str) -> Path:
        return self.home / "jobs" / task_id / "log"

    def ml_root(self, task_id: str) -> Path:
        path = self.home / "jobs" / task_id / "ml"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, task_id: str) -> str:
        path = self.log_path(task_id)
        return path.read_text() if path.exists() else ""

    def restart(self) -> None:
        """A server that ends in good order and a new one; instances go on."""
        self.compute.close()
        self.restart_after_close()

    def restart_after_close(self) -> None:
        self.compute = LocalCompute(self.database, self.home, self._settings)
        self.compute.subscribe("", self._listen)
        self.compute.start()

    def stop_in_tables(self, task_id: str) -> None:
        """What `stop` commits, by a server that ends before it has told the agent."""
        with self.database.transaction() as tx:
            Tables(tx).ask_stop(task_id, 0.0, "stopped")

    def close(self) -> None:
        self.compute.end_all()
        self.compute.close()
        self.database.close()

    def _listen(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        with self._changed:
            self.events.extend(events)
            self._changed.notify_all()
