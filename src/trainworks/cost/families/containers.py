"""Services of ECS: tasks that Fargate keeps running cost by their size; tasks on EC2 are in their hosts' price.

Source: "Amazon ECS task definition parameters" and "Service definition parameters" of the ECS Developer Guide; Fargate
bills vCPU and memory of each task by the second, with 20 GB of ephemeral storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import Assumptions, Meter, Reading, Unmetered, items, meter, whole_number
from trainworks.cost.money import HOURS_PER_MONTH

_DEFAULT_DESIRED_COUNT = 1
_INCLUDED_STORAGE_GIB = 20
_UNITS_PER_VCPU = 1024
_MIB_PER_GB = 1024
_SIZE = re.compile(r"^\s*(\d*\.?\d+)\s*(vcpu|gb)?\s*$", re.IGNORECASE)
_FARGATE = {"FARGATE", "FARGATE_SPOT"}


def service(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """`DesiredCount` tasks, day and night."""
    del assumptions
    providers = _providers(resource, graph)
    if providers is None:
        yield Unmetered("whether its tasks run on Fargate is its cluster's to say, which is not in the templates")
        return
    if not providers & _FARGATE:
        return
    count = whole_number(resource.get("DesiredCount", default=_DEFAULT_DESIRED_COUNT))
    definition = graph.owner(resource.get("TaskDefinition"))
    if count is None:
        yield Unmetered("its desired number of tasks is not known before the deploy")
    elif definition is None:
        yield Unmetered("its task definition, and so the size of its tasks, is not in the templates")
    else:
        yield from _tasks(definition, count, providers & _FARGATE)
        if resource.get("NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp") == "ENABLED":
            yield meter(f"public IPv4 addresses of {count}", "vpc.public_ipv4", HOURS_PER_MONTH * count)


def _providers(resource: Resource, graph: Graph) -> set[str] | None:
    """Launch type or capacity providers of a service, else its cluster's; None if nobody here knows them."""
    launch_type = resource.get("LaunchType")
    if launch_type is not None:
        return {str(launch_type)}
    strategy = resource.get("CapacityProviderStrategy")
    if strategy is None:
        cluster = graph.owner(resource.get("Cluster"))
        if cluster is None:
            return None
        strategy = cluster.get("DefaultCapacityProviderStrategy")
    return {str(each.get("CapacityProvider")) for each in items(strategy)} or {"EC2"}


def _tasks(definition: Resource, count: int, providers: set[str]) -> Iterator[Reading]:
    vcpus, memory_gb = (
        _size(definition.get("Cpu"), _UNITS_PER_VCPU),
        _size(definition.get("Memory"), _MIB_PER_GB),
    )
    if vcpus is None or memory_gb is None:
        yield Unmetered("the size of its tasks is not known before the deploy")
        return
    if str(definition.get("RuntimePlatform", "OperatingSystemFamily", default="LINUX")).startswith("WINDOWS"):
        yield Unmetered("tasks of Windows are in no price table")
        return
    arm = definition.get("RuntimePlatform", "CpuArchitecture") == "ARM64"
    tasks = f"{count} task{'' if count == 1 else 's'}"
    for what, kind, each in (
        (f"{tasks} of {vcpus.normalize():f} vCPU", "vcpu", vcpus),
        (f"{tasks} of {memory_gb.normalize():f} GB", "memory", memory_gb),
    ):
        yield Meter(f"{what} on Fargate", _keys(kind, arm, providers), HOURS_PER_MONTH * count * each)
    storage = whole_number(definition.get("EphemeralStorage", "SizeInGiB", default=_INCLUDED_STORAGE_GIB))
    if storage is None or storage > _INCLUDED_STORAGE_GIB:
        yield Unmetered(f"ephemeral storage beyond {_INCLUDED_STORAGE_GIB} GB is in no price table")


def _keys(kind: str, arm: bool, providers: set[str]) -> tuple[str, ...]:
    """The prices between which ECS chooses: none is known of spot on ARM."""
    if arm:
        return (f"fargate.arm_{kind}",) if providers == {"FARGATE"} else ()
    names = {"FARGATE": f"fargate.{kind}", "FARGATE_SPOT": f"fargate.spot_{kind}"}
    return tuple(names[each] for each in sorted(providers))


def _size(value: object, smallest: int) -> Decimal | None:
    """vCPUs or GB of `1024`, `1 vCPU`, `.5 vcpu`, `2GB`: a number alone counts CPU units or MiB."""
    if isinstance(value, bool):
        return None
    match = _SIZE.match(str(value))
    if match is None:
        return None
    return Decimal(match[1]) if match[2] else Decimal(match[1]) / smallest
