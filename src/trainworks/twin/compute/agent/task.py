"""A task as it travels from the scheduler to the slot that runs it: `TaskSpec` in plain JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RARE = ("volumes", "tmpfs", "ulimits", "devices", "door")


@dataclass(frozen=True)
class TaskMount:
    """`source` shown at `target`. With `overlay` the task may write, and what it writes is thrown away."""

    source: str
    target: str
    read_only: bool = False
    overlay: bool = False


@dataclass(frozen=True)
class TaskVolume:
    """Shown at `target`: what the instance has at `source`, or an empty folder if there is none.

    An empty folder is the same for all volumes of a task with the same `name`.
    """

    name: str
    source: str | None
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class TaskTmpfs:
    """A file system in memory; `options` as Docker takes them."""

    target: str
    size_bytes: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskDoor:
    """A Unix socket at `path` of this machine, behind which is `port` of a task that has a network of its own."""

    path: str
    port: int


@dataclass(frozen=True)
class Task:
    """One process tree; see `ports.TaskSpec`. `memory_bytes` is the limit that holds here, 0 for none.

    `devices` are `(path here, path in the task)` of files and folders in /dev that this task alone has.
    `shared_memory_bytes` is the size of its /dev/shm, None for half of its memory.
    `endpoint_port` is what it reaches of this machine without `network`, None for nothing; `door` is how it is reached.
    `ulimits` are `(name, soft, hard)`, -1 for unlimited.
    """

    task_id: str
    argv: tuple[str, ...]
    env: dict[str, str]
    log_path: str
    cwd: str = "/"
    ml_root: str | None = None
    mounts: tuple[TaskMount, ...] = ()
    writable: tuple[str, ...] = ()
    volumes: tuple[TaskVolume, ...] = ()
    tmpfs: tuple[TaskTmpfs, ...] = ()
    shared_memory_bytes: int | None = None
    ulimits: tuple[tuple[str, int, int], ...] = ()
    vcpus: float = 1.0
    memory_bytes: int = 0
    gpus: int = 0
    devices: tuple[tuple[str, str], ...] = ()
    network: bool = True
    endpoint_port: int | None = None
    door: TaskDoor | None = None
    timeout_seconds: float | None = None
    stop_grace_seconds: float = 120.0
    hostname: str = "localhost"
    hosts: tuple[tuple[str, str], ...] = ()
    python: str | None = None
    log_head: str = ""

    @property
    def volume_targets(self) -> tuple[str, ...]:
        """The paths at which volumes and file systems in memory are visible."""
        return (*(volume.target for volume in self.volumes), *(each.target for each in self.tmpfs))

    def to_wire(self) -> dict[str, Any]:
        """What few tasks have is left out where a task lacks it: there may be 10,000 of them."""
        wire = {**vars(self), "mounts": [vars(mount) for mount in self.mounts]}
        wire |= {
            "volumes": [vars(volume) for volume in self.volumes],
            "tmpfs": [vars(each) for each in self.tmpfs],
            "door": None if self.door is None else vars(self.door),
        }
        return {name: value for name, value in wire.items() if value or name not in _RARE}

    @staticmethod
    def from_wire(wire: dict[str, Any]) -> Task:
        fields = {
            **wire,
            "argv": tuple(wire["argv"]),
            "mounts": tuple(TaskMount(**mount) for mount in wire["mounts"]),
            "writable": tuple(wire["writable"]),
            "volumes": tuple(TaskVolume(**volume) for volume in wire.get("volumes", ())),
            "tmpfs": tuple(TaskTmpfs(**{**each, "options": tuple(each["options"])}) for each in wire.get("tmpfs", ())),
            "ulimits": tuple((name, soft, hard) for name, soft, hard in wire.get("ulimits", ())),
            "devices": tuple((source, target) for source, target in wire.get("devices", ())),
            "door": TaskDoor(**wire["door"]) if wire.get("door") else None,
            "hosts": tuple((name, address) for name, address in wire["hosts"]),
        }
        return Task(**fields)
