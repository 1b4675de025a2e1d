"""`LocalCompute`: the compute port. What is accepted is a row in the caller's transaction; the engine does the rest."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from trainworks.aws.instance_types import instance_type
from trainworks.config.variables import sandbox_wish
from trainworks.twin.compute.agent.task import Task, TaskDoor, TaskMount, TaskTmpfs, TaskVolume
from trainworks.twin.compute.agent.task_monitor import MOST_PROCESSES
from trainworks.twin.compute.channel import Message
from trainworks.twin.compute.engine import Engine
from trainworks.twin.compute.fleet import Fleet
from trainworks.twin.compute.gpus import Gpus, devices_needed, find_gpus, truth
from trainworks.twin.compute.placement import Machine, QueuedTask, fits, offered
from trainworks.twin.compute.sandbox.process_limit import fence
from trainworks.twin.compute.tables import InstanceRow, Tables, schema
from trainworks.twin.ports import (
    InstanceInfo,
    Market,
    PoolSpec,
    TaskEvent,
    TaskListener,
    TaskSpec,
    TaskState,
    Usage,
)
from trainworks.twin.store import Database

_LOG = logging.getLogger(__name__)
_WELCOME_TIMEOUT_SECONDS = 10.0

InterruptionListener = Callable[[Connection, InstanceInfo], None]
"""Called with the open transaction in which a spot interruption is decided; as a `TaskListener`, it never blocks."""


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """`sandbox` is `auto`, `off` or a `SandboxMode` to insist on.

    `machine` is what shared pools may start at a time on this machine.
    """

    machine: Machine
    sandbox: str = "auto"
    keeps_spare: bool = True
    gpus: Gpus = field(default_factory=Gpus)

    @staticmethod
    def from_environment() -> ComputeSettings:
        """`TRAINWORKS_SANDBOX=off` switches namespaces off. The machine carries two vCPUs for each it has, four at
        least, and four fifths of its memory. Raises `ConfigurationError` for another value of the variable."""
        vcpus = len(os.sched_getaffinity(0))
        memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        return ComputeSettings(Machine(max(4, 2 * vcpus), memory_mib * 4 // 5), sandbox_wish(), gpus=find_gpus())


class LocalCompute:
    """Instances and tasks on this machine; see `ports.Compute`.

    Subscribe, then `start`; `close` leaves instances and tasks running for the next server, `end_all` does not.
    """

    def __init__(self, database: Database, home: Path, settings: ComputeSettings | None = None) -> None:
        self._database = database
        database.apply(schema())
        database.add_column("compute_tasks", "placed_again", "INTEGER NOT NULL DEFAULT 0")
        settings = settings or ComputeSettings.from_environment()
        self._gpus = settings.gpus
        self._listeners: list[tuple[str, TaskListener]] = []
        self._interruption_listeners: list[InterruptionListener] = []
        self._usage: dict[str, Usage] = {}
        self._welcome: Message | None = None
        self._welcomed = threading.Event()
        self._engine = Engine(
            database,
            Fleet(home, settings.sandbox),
            settings.machine,
            settings.gpus,
            notify=self._notify,
            on_usage=self._keep_usage,
            on_welcome=self._keep_welcome,
            keeps_spare=settings.keeps_spare,
        )

    def start(self) -> None:
        self._engine.start()

    def close(self) -> None:
        self._engine.close()
        self._welcomed.set()  # nobody may wait for a message that no longer comes

    def end_all(self, timeout_seconds: float = 10.0) -> None:
        """End every instance and wait for it: their tasks are LOST, queued ones CANCELLED."""
        for pool_id in self._pool_ids():
            self.delete_pool(pool_id)
        deadline = time.monotonic() + timeout_seconds
        while self.instances() and time.monotonic() < deadline:
            time.sleep(0.01)

    def subscribe(self, prefix: str, listener: TaskListener) -> None:
        self._listeners.append((prefix, listener))

    def on_interruption(self, listener: InterruptionListener) -> None:
        """Tell `listener` of each spot interruption, in the transaction that decides on it."""
        self._interruption_listeners.append(listener)

    def create_pool(self, tx: Connection, spec: PoolSpec) -> None:
        """Raises `UnknownInstanceTypeError` for a type that is not in the table."""
        for name in spec.instance_types:
            instance_type(name)
        Tables(tx).put_pool(spec)
        self._engine.wake()

    def delete_pool(self, pool_id: str) -> None:
        with self._database.transaction() as tx:
            tables = Tables(tx)
            self._cancel(tx, tables.queued_of_pool(pool_id), "instance terminated")
            tables.mark_pool_deleted(pool_id, "instance terminated")
        self._engine.wake()

    def submit(self, tx: Connection, tasks: Sequence[TaskSpec]) -> None:
        gangs: dict[str, list[TaskSpec]] = {}
        for task in tasks:
            gangs.setdefault(task.gang_id or task.task_id, []).append(task)
        hosts = {name: _addresses(name, members) for name, members in gangs.items()}
        Tables(tx).put_tasks([_row(task, hosts[task.gang_id or task.task_id]) for task in tasks])
        self._engine.wake()

    def stop(self, task_ids: Sequence[str], grace_seconds: float | None = None, reason: str = "stopped") -> None:
        with self._database.transaction() as tx:
            tables = Tables(tx)
            queued: list[str] = []
            for task_id in task_ids:
                row = tables.task(task_id)
                if row is not None and row["state"] == TaskState.QUEUED:
                    queued.append(task_id)
                elif row is not None:
                    tables.ask_stop(task_id, grace_seconds, reason)
            self._cancel(tx, queued, reason)
        self._engine.wake()

    def interrupt(self, instance_id: str, notice_seconds: float = 120.0) -> None:
        """Raises `LookupError` for an instance that is not running."""
        with self._database.transaction() as tx:
            tables = Tables(tx)
            row = next((row for row in tables.instances() if row.instance_id == instance_id), None)
            if row is None:
                raise LookupError(f"there is no running instance {instance_id}")
            if tables.interrupt_instance(instance_id, time.time() + notice_seconds):
                for listener in self._interruption_listeners:
                    listener(tx, _info(row, ()))
        self._engine.wake()

    def uses_folder(self, folder: Path) -> bool:
        """Whether a task that waits or runs has this folder, as its image or for its data."""
        with self._database.snapshot() as tx:
            return Tables(tx).uses_folder(str(folder))

    def fits(self, pool: PoolSpec, vcpus: float, memory_mib: int, gpus: int) -> bool:
        request = QueuedTask("", vcpus, memory_mib, gpus)
        kinds = [offered(name, exclusive=pool.exclusive) for name in pool.instance_types]
        return any(fits(kind, request) for kind in kinds if pool.max_vcpus is None or kind.vcpus <= pool.max_vcpus)

    def instances(self, pool_id: str | None = None) -> Sequence[InstanceInfo]:
        with self._database.snapshot() as tx:
            rows, tasks = Tables(tx).instances(), Tables(tx).active_tasks()
        return [_info(row, tasks.get(row.instance_id, ())) for row in rows if pool_id in (None, row.pool_id)]

    def usage(self) -> Sequence[Usage]:
        """The last sample of every running task; agents send one a second, the first 50 ms after a task's start."""
        samples = list(self._usage.values())
        if not self._gpus:
            return samples
        with self._database.transaction() as tx:
            devices = Tables(tx).devices()
        return [self._with_gpus(sample, devices.get(sample.task_id, [])) for sample in samples]

    def gpus_for(self, asked: int, instances: int = 1) -> int:
        return devices_needed(asked, instances, len(self._gpus))

    def gpu_note(self, what: str, asked: int, instances: int = 1) -> str:
        return truth(what, asked, instances, len(self._gpus))

    def _with_gpus(self, sample: Usage, device_ids: Sequence[str]) -> Usage:
        use = self._gpus.use(device_ids)
        return replace(sample, gpu_percent=use.gpu_percent, gpu_memory_percent=use.memory_percent)

    def sandbox_mode(self) -> str:
        """`user-namespace`, `root` or `off`, as an agent found it. Waits for the first agent's word after `start`."""
        return str(self._first_welcome()["sandbox"])

    def sandbox_warning(self) -> str:
        """What is not guaranteed on this machine; "" if the sandbox is complete. Logged once as well."""
        return _warning(self._first_welcome())

    def _first_welcome(self) -> Message:
        if not self._welcomed.wait(_WELCOME_TIMEOUT_SECONDS) or self._welcome is None:
            raise TimeoutError("no instance agent has answered; see agent.log in the twin's home under instances/")
        return self._welcome

    def _pool_ids(self) -> list[str]:
        with self._database.snapshot() as tx:
            return list(Tables(tx).pools())

    def _cancel(self, tx: Connection, task_ids: Sequence[str], reason: str) -> None:
        tables, now = Tables(tx), time.time()
        cancelled = [task_id for task_id in task_ids if tables.ended(task_id)]
        self._notify(tx, [TaskEvent(task_id, TaskState.CANCELLED, now, reason=reason) for task_id in cancelled])

    def _notify(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        for event in events:
            if event.state.is_end:
                self._usage.pop(event.task_id, None)
        for prefix, listener in self._listeners:
            if chosen := [event for event in events if event.task_id.startswith(prefix)]:
                listener(tx, chosen)

    def _keep_usage(self, usage: Usage) -> None:
        self._usage[usage.task_id] = usage

    def _keep_welcome(self, welcome: Message) -> None:
        if self._welcome is None and (warning := _warning(welcome)):
            _LOG.warning(warning)
        self._welcome = welcome
        self._welcomed.set()


def _info(row: InstanceRow, task_ids: Sequence[str]) -> InstanceInfo:
    market = Market(row.market)
    return InstanceInfo(
        row.instance_id, row.pool_id, row.instance_type, market, row.launched_at, row.pid, tuple(task_ids)
    )


_NO_FENCE = (
    f"This kernel ({os.uname().release}) has no limit on the processes of a job of root's twin: a job that starts more"
    f" than {MOST_PROCESSES} is ended once that is noticed. Run the twin as an ordinary user, or Linux 6.14 or newer."
)


def _warning(welcome: Message) -> str:
    if welcome["sandbox"] != "off":
        return "" if fence() else _NO_FENCE
    return (
        f"Jobs run without the sandbox ({welcome['why_not']}): /opt/ml is rewritten to the job's folder in arguments"
        " and environment; jobs see and may write what you can, network isolation and host names do "
        "not work, and a job's stray processes may outlive it."
    )


def _row(task: TaskSpec, hosts: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    wire = Task(
        task_id=task.task_id,
        argv=task.argv,
        env=dict(task.env),
        log_path=str(task.log_path),
        log_head=task.log_head,
        cwd=task.cwd,
        ml_root=None if task.ml_root is None else str(task.ml_root),
        python=None if task.python is None else str(task.python),
        mounts=tuple(TaskMount(str(each.source), each.target, each.read_only, each.overlay) for each in task.mounts),
        writable=tuple(str(path) for path in task.writable),
        volumes=tuple(TaskVolume(each.name, each.source, each.target, each.read_only) for each in task.volumes),
        tmpfs=tuple(TaskTmpfs(each.target, each.size_mib << 20, each.options) for each in task.tmpfs),
        shared_memory_bytes=None if task.shared_memory_mib is None else task.shared_memory_mib << 20,
        ulimits=tuple((each.name, each.soft, each.hard) for each in task.ulimits),
        vcpus=task.vcpus,
        memory_bytes=task.memory_mib << 20,
        gpus=task.gpus,
        network=task.network,
        endpoint_port=task.endpoint_port,
        door=None if task.door is None else TaskDoor(str(task.door.path), task.door.port),
        timeout_seconds=task.timeout_seconds,
        stop_grace_seconds=task.stop_grace_seconds,
        hostname=task.hostname,
        hosts=hosts,
    ).to_wire()
    return {
        "task_id": task.task_id,
        "pool_id": task.pool_id,
        "priority": task.priority,
        "vcpus": task.vcpus,
        "memory_mib": task.memory_mib,
        "gpus": task.gpus,
        "gang_id": task.gang_id,
        "gang_size": task.gang_size,
        "gang_index": task.gang_index,
        "hostname": task.hostname,
        "spec": json.dumps(wire, separators=(",", ":")),
    }


def _addresses(name: str, members: Sequence[TaskSpec]) -> tuple[tuple[str, str], ...]:
    """A loopback address for each member of a gang, apart from those of other gangs; none for a plain localhost."""
    if all(member.hostname == "localhost" for member in members):
        return ()
    first, second = blake2b(name.encode(), digest_size=2).digest()
    network = f"127.{1 + first % 254}"
    return tuple(
        (member.hostname, f"{network}.{(second + member.gang_index // 250) % 256}.{1 + member.gang_index % 250}")
        for member in sorted(members, key=lambda each: each.gang_index)
        if member.hostname != "localhost"
    )
