"""Which queued task goes on which instance, and which instances to launch: a pure function of what there is.

Rules, in AWS Batch's order of things:
- Tasks are placed by priority, then by age. A task that could run but has no room yet holds back those behind it in
  its pool, so that a large one is not starved by small ones.
- A task goes on the fullest instance that has room; else the smallest allowed type that fits is launched, as long as
  the pool stays within `max_vcpus`.
- Tasks of a gang go on instances of their own, all of them or none; one whose instance was lost before it began follows
  by itself. An `exclusive` instance runs one task.
- Declared vCPUs count, as on AWS, not this machine's. But shared pools start no more work at a time than the machine is
  told to carry (`Machine`); a single task larger than that runs alone. Exclusive pools are exempt: one asked for them.
- GPUs are this machine's own: a task waits until as many are free as it gets, in exclusive pools too.
- Where recent tasks of a pool were very short, its instances hold a backlog, started by the agent without a round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trainworks.aws.instance_types import InstanceType, instance_type, schedulable_memory_mib
from trainworks.twin.compute.gpus import devices_needed


@dataclass(frozen=True, slots=True)
class QueuedTask:
    """A queued task. `memory_mib` is what it reserves. One that is placed again has its gang placed already."""

    task_id: str
    vcpus: float
    memory_mib: int
    gpus: int = 0
    gang_id: str | None = None
    gang_size: int = 1
    placed_again: int = 0

    @property
    def is_alone(self) -> bool:
        return self.gang_id is None or self.placed_again > 0


@dataclass(frozen=True, slots=True)
class Host:
    """An instance and what is placed on it; `backlog` tasks wait in its agent and hold no capacity."""

    instance_id: str
    kind: InstanceType
    vcpus: float = 0.0
    memory_mib: int = 0
    gpus: int = 0
    tasks: int = 0
    backlog: int = 0

    def has_room_for(self, request: QueuedTask) -> bool:
        return (
            self.vcpus + request.vcpus <= self.kind.vcpus
            and self.memory_mib + request.memory_mib <= self.kind.memory_mib
            and self.gpus + request.gpus <= self.kind.gpus
        )

    def with_task(self, request: QueuedTask) -> Host:
        return replace(
            self,
            vcpus=self.vcpus + request.vcpus,
            memory_mib=self.memory_mib + request.memory_mib,
            gpus=self.gpus + request.gpus,
            tasks=self.tasks + 1,
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine is told to carry for shared pools at a time, and the GPUs that it has, for all pools."""

    vcpus: float
    memory_mib: int
    gpus: int = 0
    free_gpus: int = 0


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool, its allowed types, its instances that can take tasks. `other_vcpus` belong to instances that end."""

    pool_id: str
    kinds: Sequence[InstanceType]
    hosts: Sequence[Host]
    exclusive: bool = False
    max_vcpus: int | None = None
    other_vcpus: int = 0
    backlog_limit: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    task_id: str
    instance_id: str
    backlog: bool = False
    devices: int = 0


@dataclass(frozen=True, slots=True)
class Launch:
    """An instance to launch; `instance_id` is the name by which `Placement` means it."""

    instance_id: str
    kind: InstanceType


@dataclass(frozen=True, slots=True)
class Plan:
    placements: tuple[Placement, ...]
    launches: tuple[Launch, ...]
    machine: Machine


def offered(type_name: str, *, exclusive: bool) -> InstanceType:
    """A type as tasks may use it: all of it if a job has the host for itself, else what system and agent leave."""
    kind = instance_type(type_name)
    return kind if exclusive else replace(kind, memory_mib=schedulable_memory_mib(kind))


def fits(kind: InstanceType, request: QueuedTask) -> bool:
    return kind.vcpus >= request.vcpus and kind.memory_mib >= request.memory_mib and kind.gpus >= request.gpus


def place(pool: PoolView, queue: Sequence[QueuedTask], machine: Machine, new_ids: Iterator[str]) -> Plan:
    """Place what can be placed of `queue` (in order). `machine` is what is left of it, the plan's what is left then.

    `new_ids` name the instances that may be launched: no more than these are.
    """
    planner = _Planner(pool, machine, new_ids)
    for unit in _units(queue):
        if not all(any(fits(kind, request) for kind in pool.kinds) for request in unit):
            continue
        if not planner.place(unit):
            break
    return Plan(tuple(planner.placements), tuple(planner.launches), planner.machine)


def _units(queue: Sequence[QueuedTask]) -> list[list[QueuedTask]]:
    """Single tasks and complete gangs, in queue order; a gang stands where its first task does."""
    units: dict[str, list[QueuedTask]] = {}
    for request in queue:
        name = None if request.is_alone else request.gang_id
        units.setdefault(name or f"\0{request.task_id}", []).append(request)
    return [unit for unit in units.values() if unit[0].is_alone or len(unit) == unit[0].gang_size]


class _Planner:
    def __init__(self, pool: PoolView, machine: Machine, new_ids: Iterator[str]) -> None:
        self._pool = pool
        self._hosts: dict[str, Host] = {host.instance_id: host for host in pool.hosts}
        self._new_ids = new_ids
        self._by_size = sorted(pool.kinds, key=lambda kind: kind.size)
        self.machine = machine
        self.placements: list[Placement] = []
        self.launches: list[Launch] = []

    def place(self, unit: Sequence[QueuedTask]) -> bool:
        if len(unit) == 1 and not self._pool.exclusive and self._place_in_backlog(unit[0]):
            return True
        if not self._machine_carries(unit):
            return False
        before = dict(self._hosts), list(self.launches)
        chosen: dict[str, QueuedTask] = {}
        for request in unit:
            host = self._open_host(request, taken=chosen) or self._launch(request)
            if host is None:
                self._hosts, self.launches = before
                return False
            self._hosts[host.instance_id] = host.with_task(request)
            chosen[host.instance_id] = request
        self.placements += [
            Placement(request.task_id, instance_id, devices=self._devices(request))
            for instance_id, request in chosen.items()
        ]
        self._charge_machine(unit)
        return True

    def _open_host(self, request: QueuedTask, taken: Mapping[str, QueuedTask]) -> Host | None:
        open_hosts = [
            host
            for host in self._hosts.values()
            if host.instance_id not in taken
            and host.has_room_for(request)
            and (host.tasks == 0 or not self._pool.exclusive)
        ]
        return min(open_hosts, key=lambda host: (host.kind.vcpus - host.vcpus, host.kind.size), default=None)

    def _launch(self, request: QueuedTask) -> Host | None:
        used = self._pool.other_vcpus + sum(host.kind.vcpus for host in self._hosts.values())
        for kind in self._by_size:
            within = self._pool.max_vcpus is None or used + kind.vcpus <= self._pool.max_vcpus
            if fits(kind, request) and within:
                instance_id = next(self._new_ids, None)
                if instance_id is None:
                    return None
                host = Host(instance_id, kind)
                self.launches.append(Launch(host.instance_id, kind))
                return host
        return None

    def _place_in_backlog(self, request: QueuedTask) -> bool:
        """Placed behind short tasks, if the machine or the pool has no room anyway."""
        if self._pool.backlog_limit == 0 or request.gang_id is not None or self._devices(request):
            return False
        if self._machine_carries([request]) and self._open_host(request, {}):
            return False
        busy = [
            host
            for host in self._hosts.values()
            if host.tasks > 0 and host.backlog < self._pool.backlog_limit and fits(host.kind, request)
        ]
        if not busy:
            return False
        host = min(busy, key=lambda each: each.backlog)
        self._hosts[host.instance_id] = replace(host, backlog=host.backlog + 1, tasks=host.tasks + 1)
        self.placements.append(Placement(request.task_id, host.instance_id, backlog=True))
        return True

    def _machine_carries(self, unit: Sequence[QueuedTask]) -> bool:
        if sum(self._devices(each) for each in unit) > self.machine.free_gpus:
            return False
        if self._pool.exclusive:
            return True
        nothing_runs = all(host.tasks == 0 for host in self._hosts.values())
        vcpus, memory_mib = sum(each.vcpus for each in unit), sum(each.memory_mib for each in unit)
        return nothing_runs or (vcpus <= self.machine.vcpus and memory_mib <= self.machine.memory_mib)

    def _charge_machine(self, unit: Sequence[QueuedTask]) -> None:
        self.machine = replace(
            self.machine, free_gpus=self.machine.free_gpus - sum(self._devices(each) for each in unit)
        )
        if not self._pool.exclusive:
            self.machine = replace(
                self.machine,
                vcpus=self.machine.vcpus - sum(each.vcpus for each in unit),
                memory_mib=self.machine.memory_mib - sum(each.memory_mib for each in unit),
            )

    def _devices(self, request: QueuedTask) -> int:
        return devices_needed(request.gpus, request.gang_size, self.machine.gpus)
