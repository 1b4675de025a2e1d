"""File systems: FSx by what is set aside, EFS by what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import Assumptions, Reading, Unmetered, mapping, meter, whole_number

_SSD = "SSD"


def fsx(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Storage and throughput capacity, by the kind of file system and where its servers are."""
    del graph, assumptions
    size = whole_number(resource.get("StorageCapacity"))
    kind = str(resource.get("FileSystemType", default=""))
    if size is None:
        yield Unmetered("its storage capacity is not in its properties")
    elif kind == "LUSTRE":
        yield from _lustre(resource, size)
    elif kind in {"OPENZFS", "WINDOWS"}:
        yield from _served(resource, kind, size)
    else:
        yield Unmetered(f"file systems of type {kind} cost by capacity and throughput, and are in no price table")


def _lustre(resource: Resource, size: int) -> Iterator[Reading]:
    """Throughput is in the price of a GB: scratch has one, persistent one for each throughput."""
    config = mapping(resource.get("LustreConfiguration"))
    deployment = str(config.get("DeploymentType", "SCRATCH_1"))
    if resource.get("StorageType", default=_SSD) != _SSD:
        yield Unmetered("Lustre on other storage than SSD is in no price table")
    elif deployment.startswith("SCRATCH"):
        yield meter(f"{size:,} GB, scratch", "fsx.lustre.scratch", size)
    else:
        speed = whole_number(config.get("PerUnitStorageThroughput"))
        if speed is None:
            yield Unmetered("its throughput for each TiB is not known before the deploy")
        else:
            what = f"{size:,} GB of {deployment} at {speed} MB/s a TiB"
            yield meter(what, f"fsx.lustre.{deployment.lower()}.{speed}", size)


def _served(resource: Resource, kind: str, size: int) -> Iterator[Reading]:
    name = "OpenZFSConfiguration" if kind == "OPENZFS" else "WindowsConfiguration"
    config = mapping(resource.get(name))
    zones = "multi_az" if str(config.get("DeploymentType", "")).startswith("MULTI") else "single_az"
    speed = whole_number(config.get("ThroughputCapacity"))
    storage = str(resource.get("StorageType", default=_SSD)).lower()
    family = "fsx.openzfs" if kind == "OPENZFS" else "fsx.windows"
    if (kind == "OPENZFS" and (zones == "multi_az" or storage != "ssd")) or storage not in {"ssd", "hdd"}:
        yield Unmetered(f"{kind} file systems of this deployment and storage type are in no price table")
        return
    yield meter(f"{size:,} GB of {storage.upper()}", f"{family}.{zones}.{storage}", size)
    if speed is None:
        yield Unmetered("its throughput capacity is not known before the deploy")
    else:
        yield meter(f"{speed:,} MB/s", f"{family}.{zones}.throughput", speed)
    if mapping(config.get("DiskIopsConfiguration")).get("Mode") == "USER_PROVISIONED":
        yield Unmetered("IOPS above what comes with its storage are in no price table")


def efs(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Storage by what is in it; throughput that is provisioned costs beyond what its storage earns."""
    del graph, assumptions
    one_zone = resource.get("AvailabilityZoneName") is not None
    yield meter("storage", "efs.one_zone" if one_zone else "efs.standard")
    if resource.get("LifecyclePolicies") and not one_zone:
        yield meter("storage, infrequent access", "efs.infrequent_access")
    if resource.get("ThroughputMode") == "provisioned":
        speed = whole_number(resource.get("ProvisionedThroughputInMibps"))
        if speed is None:
            yield Unmetered("its provisioned throughput is not known before the deploy")
        else:
            yield meter(f"{speed} MB/s provisioned", "efs.provisioned_throughput", speed, "less what its storage earns")
