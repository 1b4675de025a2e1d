"""Rows of pools, instances and tasks in `twin.db`: all SQL is in `queries.sql`, all of it called from here."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from trainworks.twin.ports import Market, PoolSpec

_FOLDER = Path(__file__).parent


def schema() -> str:
    return (_FOLDER / "schema.sql").read_text()


@cache
def _queries() -> Mapping[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", (_FOLDER / "queries.sql").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def query(name: str) -> str:
    return _queries()[name]


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance as committed. `interrupt_at` and `end_reason` say that it will end, and why."""

    instance_id: str
    pool_id: str
    instance_type: str
    market: str
    launched_at: float
    pid: int
    pid_started_at: int
    journal_offset: int = 0
    last_lease: int = 0
    idle_since: float | None = None
    interrupt_at: float | None = None
    end_reason: str | None = None

    @property
    def takes_tasks(self) -> bool:
        return self.interrupt_at is None and self.end_reason is None


@dataclass(frozen=True, slots=True)
class PoolRow:
    spec: PoolSpec
    deleted: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What is placed on an instance, `backlog` tasks that wait in its agent included: they may run by now."""

    tasks: int = 0
    backlog: int = 0
    vcpus: float = 0.0
    memory_mib: int = 0
    gpus: int = 0


class Tables:
    """Reads and writes through one connection, inside the caller's transaction or outside of any for reads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def pools(self) -> dict[str, PoolRow]:
        return {row["pool_id"]: PoolRow(pool_from(row["spec"]), bool(row["deleted"])) for row in self._all("pools")}

    def put_pool(self, spec: PoolSpec) -> None:
        self._run("put_pool", pool_id=spec.pool_id, spec=json.dumps(asdict(spec)))

    def mark_pool_deleted(self, pool_id: str, end_reason: str) -> None:
        self._run("mark_pool_deleted", pool_id=pool_id)
        self._run("end_pool_instances", pool_id=pool_id, end_reason=end_reason)

    def uses_folder(self, folder: str) -> bool:
        """Whether a task that waits or runs names the folder."""
        return bool(self._all("uses_folder", folder=folder))

    def forget_pool(self, pool_id: str) -> None:
        self._run("forget_pool", pool_id=pool_id)
        self._run("forget_queued_tasks", pool_id=pool_id)

    def instances(self) -> list[InstanceRow]:
        return [InstanceRow(**dict(row)) for row in self._all("instances")]

    def put_instance(self, row: InstanceRow) -> None:
        self._run("put_instance", **asdict(row))

    def load(self) -> dict[str, Load]:
        return {
            row["instance_id"]: Load(row["tasks"], row["backlog"], row["vcpus"], row["memory_mib"], row["gpus"])
            for row in self._all("load")
        }

    def queued(self, pool_id: str, limit: int) -> list[sqlite3.Row]:
        return self._all("queued", pool_id=pool_id, row_limit=limit)

    def pools_with_queue(self) -> list[str]:
        return [row["pool_id"] for row in self._all("pools_with_queue")]

    def queued_of_pool(self, pool_id: str) -> list[str]:
        return [row["task_id"] for row in self._all("queued_of_pool", pool_id=pool_id)]

    def active_tasks(self) -> dict[str, list[str]]:
        """Ids of placed and running tasks by instance."""
        tasks: dict[str, list[str]] = {}
        for row in self._all("active_tasks"):
            tasks.setdefault(row["instance_id"], []).append(row["task_id"])
        return tasks

    def place(self, instance_id: str, lease: int, tasks: Iterable[tuple[str, bool]]) -> None:
        self._db.executemany(
            query("place"),
            [
                {"instance_id": instance_id, "lease": lease, "task_id": task_id, "backlog": int(backlog)}
                for task_id, backlog in tasks
            ],
        )
        self._run("set_lease", instance_id=instance_id, lease=lease)

    def leased(self, instance_id: str, after_lease: int) -> list[sqlite3.Row]:
        return self._all("leased", instance_id=instance_id, lease=after_lease)

    def stops(self) -> list[sqlite3.Row]:
        return self._all("stops")

    def task(self, task_id: str) -> sqlite3.Row | None:
        rows = self._all("task", task_id=task_id)
        return rows[0] if rows else None

    def running(self, task_id: str) -> bool:
        """PLACED to RUNNING; False when the task was in no state for that."""
        return self._run("task_running", task_id=task_id) == 1

    def placed_of(self, instance_id: str, task_ids: Sequence[str]) -> list[str]:
        """Those of the tasks that are on the instance and, as far as was told, have not begun."""
        rows = self._all("placed_of", instance_id=instance_id)
        return [row["task_id"] for row in rows if row["task_id"] in set(task_ids)]

    def queue_again(self, task_id: str, most: int) -> bool:
        """PLACED to QUEUED, without its devices; False if it began, is to stop, or was placed again so often."""
        if self._run("queue_again", task_id=task_id, most=most) == 0:
            return False
        self._run("release_devices", task_id=task_id)
        return True

    def ended(self, task_id: str) -> bool:
        """Forget a task that has ended; False when it had before, so that an event is reported once."""
        return self._run("task_ended", task_id=task_id) == 1

    def devices(self) -> dict[str, list[str]]:
        """Devices in use, by task."""
        found: dict[str, list[str]] = {}
        for row in self._all("devices"):
            found.setdefault(row["task_id"], []).append(row["device_id"])
        return found

    def take_devices(self, task_id: str, device_ids: Sequence[str]) -> None:
        """Raises `sqlite3.IntegrityError` for a device that another task has."""
        for device_id in device_ids:
            self._run("take_device", device_id=device_id, task_id=task_id)

    def release_orphans(self) -> None:
        """Free the devices of tasks that have gone."""
        self._run("release_orphans")

    def ask_stop(self, task_id: str, grace_seconds: float | None, reason: str) -> None:
        self._run("ask_stop", task_id=task_id, grace=grace_seconds, reason=reason)

    def interrupt_instance(self, instance_id: str, at: float) -> bool:
        return self._run("interrupt_instance", instance_id=instance_id, interrupt_at=at) == 1

    def end_instance(self, instance_id: str, reason: str) -> None:
        self._run("end_instance", instance_id=instance_id, end_reason=reason)

    def forget_instance(self, instance_id: str) -> None:
        self._run("forget_instance", instance_id=instance_id)

    def set_journal_offset(self, instance_id: str, offset: int) -> None:
        self._run("set_journal_offset", instance_id=instance_id, journal_offset=offset)

    def set_idle_since(self, instance_id: str, at: float) -> None:
        self._run("set_idle_since", instance_id=instance_id, idle_since=at)

    def put_tasks(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Queue tasks. A task id may come again once its earlier run has ended."""
        self._db.executemany(query("put_task"), rows)

    def _all(self, name: str, **parameters: object) -> list[sqlite3.Row]:
        return self._db.execute(query(name), parameters).fetchall()

    def _run(self, name: str, **parameters: object) -> int:
        return self._db.execute(query(name), parameters).rowcount


@lru_cache(maxsize=1024)
def pool_from(text: str) -> PoolSpec:
    values = json.loads(text)
    values["instance_types"] = tuple(values["instance_types"])
    values["market"] = Market(values["market"])
    return PoolSpec(**values)
