"""vCPU, memory and accelerators of EC2 instance types, from a compact table per family.

Source: the Amazon EC2 User Guide "Instance types" and the SageMaker AI page "Instance types available"; an `ml.` type
has the size of its EC2 namesake. The table holds the families that training and batch jobs use. Which `ml.*` names
`CreateTrainingJob` accepts is the API model's business, not this table's.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from trainworks.errors import RequestError


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type, by its EC2 name (`m5.large`). `memory_mib` is what AWS declares; `gpus` counts NVIDIA GPUs."""

    name: str
    vcpus: int
    memory_mib: int
    gpus: int = 0
    accelerators: int = 0
    architecture: str = "x86_64"

    @property
    def family(self) -> str:
        return self.name.split(".")[0]

    @property
    def size(self) -> tuple[int, int, int, int, str]:
        """Order of "smaller": accelerators first, for an accelerator is never the small choice."""
        return (self.gpus, self.accelerators, self.vcpus, self.memory_mib, self.name)


class UnknownInstanceTypeError(RequestError):
    """The name is not an instance type of the table; the fix lists names that look like it."""


_ARM = "arm64"
_SIZES: Mapping[str, int] = {"medium": 1, "large": 2, "xlarge": 4} | {f"{n}xlarge": 4 * n for n in range(2, 49)}

# family: (GiB of memory per vCPU, architecture, sizes). vCPUs follow from the size's name.
_REGULAR: Mapping[str, tuple[float, str, str]] = {
    "m4": (4, "x86_64", "large xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    "m5": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "m5a": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "m5d": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "m5n": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "m6i": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    "m6a": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge"),
    "m6g": (4, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    "m7i": (4, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "m7g": (4, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    "c5": (2, "x86_64", "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge"),
    "c5a": (2, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "c5d": (2, "x86_64", "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge"),
    "c5n": (2.625, "x86_64", "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    "c6i": (2, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    "c6a": (2, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge"),
    "c6g": (2, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    "c7i": (2, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "c7g": (2, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    "r4": (7.625, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
    "r5": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r5a": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r5d": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r5n": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r6i": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    "r6g": (8, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    "r7i": (8, "x86_64", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "r7g": (8, _ARM, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
}

# family: (architecture, "size:vCPU:GiB[:GPUs[:other accelerators]]"), where no simple rule holds.
_LISTED: Mapping[str, tuple[str, str]] = {
    "t2": ("x86_64", "micro:1:1 small:1:2 medium:2:4 large:2:8 xlarge:4:16 2xlarge:8:32"),
    "t3": ("x86_64", "micro:2:1 small:2:2 medium:2:4 large:2:8 xlarge:4:16 2xlarge:8:32"),
    "t3a": ("x86_64", "micro:2:1 small:2:2 medium:2:4 large:2:8 xlarge:4:16 2xlarge:8:32"),
    "t4g": (_ARM, "micro:2:1 small:2:2 medium:2:4 large:2:8 xlarge:4:16 2xlarge:8:32"),
    "c4": ("x86_64", "large:2:3.75 xlarge:4:7.5 2xlarge:8:15 4xlarge:16:30 8xlarge:36:60"),
    "g4dn": (
        "x86_64",
        "xlarge:4:16:1 2xlarge:8:32:1 4xlarge:16:64:1 8xlarge:32:128:1 12xlarge:48:192:4 16xlarge:64:256:1",
    ),
    "g5": (
        "x86_64",
        "xlarge:4:16:1 2xlarge:8:32:1 4xlarge:16:64:1 8xlarge:32:128:1 12xlarge:48:192:4 16xlarge:64:256:1"
        " 24xlarge:96:384:4 48xlarge:192:768:8",
    ),
    "g6": (
        "x86_64",
        "xlarge:4:16:1 2xlarge:8:32:1 4xlarge:16:64:1 8xlarge:32:128:1 12xlarge:48:192:4 16xlarge:64:256:1"
        " 24xlarge:96:384:4 48xlarge:192:768:8",
    ),
    "g6e": (
        "x86_64",
        "xlarge:4:32:1 2xlarge:8:64:1 4xlarge:16:128:1 8xlarge:32:256:1 12xlarge:48:384:4 16xlarge:64:512:1"
        " 24xlarge:96:768:4 48xlarge:192:1536:8",
    ),
    "p2": ("x86_64", "xlarge:4:61:1 8xlarge:32:488:8 16xlarge:64:732:16"),
    "p3": ("x86_64", "2xlarge:8:61:1 8xlarge:32:244:4 16xlarge:64:488:8"),
    "p3dn": ("x86_64", "24xlarge:96:768:8"),
    "p4d": ("x86_64", "24xlarge:96:1152:8"),
    "p4de": ("x86_64", "24xlarge:96:1152:8"),
    "p5": ("x86_64", "4xlarge:16:256:1 48xlarge:192:2048:8"),
    "p5e": ("x86_64", "48xlarge:192:2048:8"),
    "p5en": ("x86_64", "48xlarge:192:2048:8"),
    "trn1": ("x86_64", "2xlarge:8:32:0:1 32xlarge:128:512:0:16"),
    "trn1n": ("x86_64", "32xlarge:128:512:0:16"),
    "trn2": ("x86_64", "48xlarge:192:2048:0:16"),
    "inf1": ("x86_64", "xlarge:4:8:0:1 2xlarge:8:16:0:1 6xlarge:24:48:0:4 24xlarge:96:192:0:16"),
    "inf2": ("x86_64", "xlarge:4:16:0:1 8xlarge:32:128:0:1 24xlarge:96:384:0:6 48xlarge:192:768:0:12"),
}

FARGATE_FAMILY = "fargate"
FARGATE_MEMORY_MIB: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16384 + 1, 1024),
    4: range(8192, 30720 + 1, 1024),
    8: range(16384, 61440 + 1, 4096),
    16: range(32768, 122880 + 1, 8192),
}
"""The memory that a Fargate task may have with its vCPUs ("resourceRequirements", Batch User Guide)."""

_X86_FAMILIES = ("m6i", "c6i", "r6i", "c7i")
DEFAULT_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "default_x86_64": _X86_FAMILIES,
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
    "optimal": _X86_FAMILIES,
}
"""What Batch chooses from for names that are not types (botocore: `ComputeResource`, member `instanceTypes`)."""


def instance_type(name: str) -> InstanceType:
    """The type of an EC2 or `ml.` name. Raises `UnknownInstanceTypeError` with names that look like it."""
    found = _catalogue().get(name.removeprefix("ml."))
    if found is None:
        raise _unknown(name, _catalogue())
    return found


def ec2_instance_types() -> tuple[str, ...]:
    """The names of all EC2 types in the table."""
    return tuple(name for name, kind in _catalogue().items() if kind.family != FARGATE_FAMILY)


def has_nvidia_gpus(name: str) -> bool:
    """Whether hosts of the EC2 type have NVIDIA GPUs; of a type that is not in the table by its family's letter.

    EC2 calls families with GPUs g and p; `a` for an AMD processor stands for AMD's graphics in g4ad alone.
    """
    found = _catalogue().get(name)
    if found is not None:
        return found.gpus > 0
    family = name.partition(".")[0]
    return family[:1] in ("g", "p") and family[1:2].isdigit() and family != "g4ad"


def schedulable_memory_mib(kind: InstanceType) -> int:
    """The most that containers can get of a host: never all of it, so a job of 8192 MiB fits no host of 8 GiB.

    Less 32 MiB that Batch's image keeps for the ECS agent ("Reserve system memory", Batch User Guide) and the 64 bytes
    that Linux keeps for each page of 4 KiB. Real hosts offer somewhat less: an m4.large 7953 MiB, where this says 8032.
    A task on Fargate has all that it asked for.
    """
    if kind.family == FARGATE_FAMILY:
        return kind.memory_mib
    return kind.memory_mib - kind.memory_mib // 64 - 32


def holds(kind: InstanceType, vcpus: float, memory_mib: float, gpus: float = 0) -> bool:
    """Whether a host of the type that runs nothing else has room for such a container."""
    return kind.vcpus >= vcpus and schedulable_memory_mib(kind) >= memory_mib and kind.gpus >= gpus


def expand_instance_types(names: Iterable[str]) -> tuple[str, ...]:
    """Type names of a Batch compute environment's `instanceTypes`: types, families (`c5`) and `DEFAULT_FAMILIES`.

    Raises `UnknownInstanceTypeError` for a name that is neither.
    """
    expanded: dict[str, None] = {}
    for name in names:
        if name in DEFAULT_FAMILIES:
            expanded.update(dict.fromkeys(member for family in DEFAULT_FAMILIES[name] for member in _members(family)))
        elif members := _members(name):
            expanded.update(dict.fromkeys(members))
        else:
            instance_type(name)
            expanded[name] = None
    return tuple(expanded)


def _members(family: str) -> tuple[str, ...]:
    return tuple(name for name, kind in _catalogue().items() if kind.family == family)


def _unknown(name: str, known: Iterable[str]) -> UnknownInstanceTypeError:
    prefix = "ml." if name.startswith("ml.") else ""
    close = difflib.get_close_matches(name.removeprefix("ml."), list(known), n=3, cutoff=0.5)
    fix = f"use a type such as {', '.join(prefix + each for each in close)}" if close else "use a type such as m5.large"
    return UnknownInstanceTypeError(f"unknown instance type {name!r}", fix=fix)


@cache
def _catalogue() -> Mapping[str, InstanceType]:
    return {kind.name: kind for kind in (*_regular(), *_listed(), *_fargate())}


def _regular() -> Iterator[InstanceType]:
    for family, (gib_per_vcpu, architecture, sizes) in _REGULAR.items():
        for size in sizes.split():
            vcpus = _SIZES[size]
            yield InstanceType(f"{family}.{size}", vcpus, int(vcpus * gib_per_vcpu * 1024), architecture=architecture)


def _listed() -> Iterator[InstanceType]:
    for family, (architecture, entries) in _LISTED.items():
        for entry in entries.split():
            size, vcpus, gib, *counts = entry.split(":")
            gpus, accelerators = (*map(int, counts), 0, 0)[:2]
            yield InstanceType(f"{family}.{size}", int(vcpus), int(float(gib) * 1024), gpus, accelerators, architecture)


def _fargate() -> Iterator[InstanceType]:
    """One type for each size of a Fargate task, of which a host has exactly one; vCPUs are rounded up to whole ones."""
    for vcpus, memories in FARGATE_MEMORY_MIB.items():
        for memory_mib in memories:
            yield InstanceType(
                f"{FARGATE_FAMILY}.{vcpus:g}-{memory_mib}".replace("0.", "0"), math.ceil(vcpus), memory_mib
            )
