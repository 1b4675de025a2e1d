"""TW03: a Batch job that fits no host of its compute environments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.instance_types import (
    DEFAULT_FAMILIES,
    InstanceType,
    UnknownInstanceTypeError,
    expand_instance_types,
    holds,
    instance_type,
    schedulable_memory_mib,
)
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import BatchEnvironment, JobDefinition, workloads_of


@dataclass(frozen=True, slots=True)
class _Size:
    vcpus: float
    memory_mib: float
    gpus: float

    def fits(self, host: InstanceType) -> bool:
        return holds(host, self.vcpus, self.memory_mib, self.gpus)

    def __str__(self) -> str:
        gpus = f", {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.vcpus:g} vCPU, {self.memory_mib:g} MiB{gpus}"


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Types that are not in the table may be of any size, so their environments take every job."""
    workloads = workloads_of(graph)
    environments = [each for each in workloads.batch_environments if not each.is_fargate and each.instance_types]
    hosts = {each: _hosts(each.instance_types) for each in environments}
    jobs = [
        (definition, size)
        for definition in workloads.job_definitions
        if not definition.is_fargate and (size := _size(definition)) is not None
    ]
    if environments and None not in hosts.values():
        every = [host for each in hosts.values() for host in each or ()]
        for definition, size in jobs:
            if not any(size.fits(host) for host in every):
                yield _too_big(definition, size, every)
    for environment in environments:
        yield from _useless(environment, [size for _, size in jobs])


@lru_cache(maxsize=64)
def _hosts(names: tuple[str, ...]) -> tuple[InstanceType, ...] | None:
    try:
        return tuple(instance_type(name) for name in expand_instance_types(names))
    except UnknownInstanceTypeError:
        return None


def _size(definition: JobDefinition) -> _Size | None:
    vcpus, memory, gpus = definition.vcpus, definition.memory_mib, definition.gpus
    if isinstance(vcpus, Unknown) or isinstance(memory, Unknown) or isinstance(gpus, Unknown):
        return None
    return _Size(vcpus or 0, memory or 0, gpus or 0)


def _too_big(definition: JobDefinition, size: _Size, hosts: Sequence[InstanceType]) -> Fault:
    """Names the limit that every host misses, if there is one."""
    limits = []
    if size.vcpus > (most := max(host.vcpus for host in hosts)):
        limits.append(f"the largest allowed instance type has {most} vCPU")
    if size.memory_mib > (most := max(schedulable_memory_mib(host) for host in hosts)):
        limits.append(f"jobs get at most {most} MiB of the largest, as the system and the ECS agent keep their share")
    if size.gpus > (most := max(host.gpus for host in hosts)):
        limits.append(f"no allowed instance type has more than {most} GPU")
    why = "; ".join(limits) or "no allowed instance type has all of it at once"
    message = f"the job fits no host of its compute environments and stays RUNNABLE for ever: {why}"
    return Fault(definition.resource, message, str(size), "ask for less, or allow a larger instance type")


def _useless(environment: BatchEnvironment, sizes: Sequence[_Size]) -> Iterator[Fault]:
    """Types by name that can take none of the jobs, where others can: they promise a size that is never used."""
    named = [name for name in environment.instance_types if "." in name and name not in DEFAULT_FAMILIES]
    hosts = _hosts(environment.instance_types)
    if not sizes or hosts is None or not any(size.fits(host) for size in sizes for host in hosts):
        return
    useless = [name for name in named if not any(size.fits(instance_type(name)) for size in sizes)]
    if useless:
        yield Fault(
            environment.at,
            f"no job definition fits {', '.join(useless)}: every job runs on a larger type",
            list(environment.instance_types),
            "remove the type, or let the jobs ask for less",
            Severity.WARNING,
        )


RULE = Rule(
    code="TW03",
    severity=Severity.ERROR,
    title="a Batch job larger than what every allowed instance type offers",
    origin="A job of 8192 MiB never fits a host of 8 GiB, of which the system and the ECS agent keep a share.",
    find=find,
)
