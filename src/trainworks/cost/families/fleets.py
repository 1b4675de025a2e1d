"""Instances that something else starts: Auto Scaling groups, node groups of EKS, and what a host of them brings along.

A fleet costs what it is told to keep running, and at most what its limit allows. Where AWS may choose between types or
between spot and on demand, the figure is a range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.families.storage import disk
from trainworks.cost.metering import (
    BY_USE,
    Assumptions,
    Choice,
    Meter,
    Reading,
    Unmetered,
    items,
    mapping,
    meter,
    names,
    whole_number,
)
from trainworks.cost.money import HOURS_PER_MONTH

_NODE_TYPE = "t3.medium"
_NODE_DISK_GB = 20
_NODE_COUNT = 1
"""What EKS takes for a node group that says nothing else ("CreateNodegroup")."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """`count` hosts kept running, at most `limit`; each of one of `types`, in one of `markets`."""

    count: int
    limit: int
    types: tuple[str, ...]
    markets: tuple[str, ...] = ("on_demand",)
    disks: tuple[Mapping[str, Any], ...] = ()
    has_public_address: bool = False
    unknown: tuple[str, ...] = field(default=())


def fleet_readings(fleet: Fleet) -> Iterator[Reading]:
    """The hosts, their volumes and their addresses; `at_most` counts the limit."""
    options = tuple(
        Meter(
            f"{fleet.count} x {name}",
            tuple(f"ec2.{market}.{name}" for market in fleet.markets),
            HOURS_PER_MONTH * fleet.count,
            at_most=HOURS_PER_MONTH * max(fleet.count, fleet.limit),
        )
        for name in fleet.types
    )
    if len(options) == 1:
        yield options[0]
    elif options:
        yield Choice(f"{fleet.count} hosts of AWS's choice", options)
    yield from map(Unmetered, fleet.unknown)
    for each in fleet.disks:
        yield from _times(disk(each, "VolumeSize"), fleet)
    if fleet.has_public_address:
        yield from _times([meter("public IPv4 address", "vpc.public_ipv4", HOURS_PER_MONTH)], fleet)


def _times(readings: Iterator[Reading] | Sequence[Reading], fleet: Fleet) -> Iterator[Reading]:
    """What each host brings, for all of them."""
    for reading in readings:
        if isinstance(reading, Meter):
            limit = max(fleet.count, fleet.limit)
            what = f"{reading.what} of each of {fleet.count}"
            yield Meter(
                what, reading.keys, reading.quantity * fleet.count, reading.note, at_most=reading.quantity * limit
            )
        else:
            yield reading


def launch_template(specification: object, graph: Graph) -> Mapping[str, Any] | None:
    """`LaunchTemplateData` of the template that a `LaunchTemplateSpecification` names; None if it is not here."""
    given = mapping(specification)
    owner = graph.owner(given.get("LaunchTemplateId")) or graph.owner(given.get("LaunchTemplateName"))
    return None if owner is None else mapping(owner.get("LaunchTemplateData"))


def disks_of(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The EBS volumes of `BlockDeviceMappings` whose size is said there; others have their image's."""
    found = [each["Ebs"] for each in items(data.get("BlockDeviceMappings")) if isinstance(each.get("Ebs"), Mapping)]
    return tuple(each for each in found if "VolumeSize" in each)


def _disks_unknown(data: Mapping[str, Any]) -> tuple[str, ...]:
    return () if disks_of(data) else ("the size of each host's root volume is its image's",)


def gives_public_addresses(data: Mapping[str, Any], subnets: Sequence[str], graph: Graph) -> bool:
    """Whether hosts have a public address, by their interfaces or else by their subnets."""
    asked = [each.get("AssociatePublicIpAddress") for each in items(data.get("NetworkInterfaces"))]
    asked.append(data.get("AssociatePublicIpAddress"))
    said = [each for each in asked if each is not None]
    if said:
        return any(each is True for each in said)
    owners = [graph.owner(each) for each in subnets]
    return any(owner is not None and owner.get("MapPublicIpOnLaunch") is True for owner in owners)


def auto_scaling_group(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """`DesiredCapacity` hosts (else `MinSize`), at most `MaxSize`, of its launch template's type or its overrides."""
    del assumptions
    count = whole_number(resource.get("DesiredCapacity", default=resource.get("MinSize")))
    if count is None:
        yield Unmetered("its desired number of instances is not known before the deploy")
        return
    mixed = mapping(resource.get("MixedInstancesPolicy"))
    chosen = mapping(mixed.get("LaunchTemplate"))
    specification = chosen.get("LaunchTemplateSpecification") or resource.get("LaunchTemplate")
    data = launch_template(specification, graph)
    if data is None:
        configuration = graph.owner(resource.get("LaunchConfigurationName"))
        data = None if configuration is None else configuration.properties
    overrides = items(chosen.get("Overrides"))
    types = _types(overrides, data)
    if not types or any("WeightedCapacity" in each for each in overrides):
        yield Unmetered("which types of instances it starts, and how many, is not in the templates")
        return
    limit = whole_number(resource.get("MaxSize")) or count
    yield from fleet_readings(
        Fleet(
            count,
            limit,
            types,
            _markets(mapping(mixed.get("InstancesDistribution")), data or {}),
            disks_of(data or {}),
            gives_public_addresses(data or {}, names(resource.get("VPCZoneIdentifier")), graph),
            _disks_unknown(data or {}),
        )
    )


def _types(overrides: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None) -> tuple[str, ...]:
    said = [each.get("InstanceType") for each in overrides] or [None if data is None else data.get("InstanceType")]
    return tuple(each for each in said if isinstance(each, str)) if all(isinstance(each, str) for each in said) else ()


def _markets(distribution: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    """Spot if all hosts are spot without an on-demand base, on demand if all are, both for a mixture."""
    if data.get("SpotPrice") is not None or mapping(data.get("InstanceMarketOptions")).get("MarketType") == "spot":
        return ("spot",)
    share = whole_number(distribution.get("OnDemandPercentageAboveBaseCapacity", 100))
    if share == 0 and not whole_number(distribution.get("OnDemandBaseCapacity", 0)):
        return ("spot",)
    return ("on_demand",) if share == 100 else ("spot", "on_demand")


def node_group(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Nodes of EKS: `DesiredSize`, at most `MaxSize`; the disk is 20 GB unless it or its template says otherwise."""
    del assumptions
    scaling = mapping(resource.get("ScalingConfig"))
    count = whole_number(scaling.get("DesiredSize", scaling.get("MinSize", _NODE_COUNT)))
    if count is None:
        yield Unmetered("its desired number of nodes is not known before the deploy")
        return
    data = launch_template(mapping(resource.get("LaunchTemplate")) and _by_name(resource), graph) or {}
    said = names(resource.get("InstanceTypes")) or names([data["InstanceType"]] if "InstanceType" in data else [])
    market = "spot" if resource.get("CapacityType") == "SPOT" else "on_demand"
    yield from fleet_readings(
        Fleet(
            count,
            whole_number(scaling.get("MaxSize")) or count,
            tuple(said) or (_NODE_TYPE,),
            (market,),
            disks_of(data),
            gives_public_addresses(data, names(resource.get("Subnets")), graph),
        )
    )
    if not disks_of(data):
        size = whole_number(resource.get("DiskSize", default=_NODE_DISK_GB))
        if size is None:
            yield Unmetered("the size of its nodes' disks is not known before the deploy")
        else:
            limit = max(count, whole_number(scaling.get("MaxSize")) or count)
            what = f"disk of {size} GB of each of {count}"
            yield Meter(what, ("ebs.gp3", "ebs.gp2"), Decimal(size * count), at_most=Decimal(size * limit))


def _by_name(resource: Resource) -> Mapping[str, Any]:
    """EKS calls the members `Id` and `Name`."""
    given = mapping(resource.get("LaunchTemplate"))
    return {"LaunchTemplateId": given.get("Id"), "LaunchTemplateName": given.get("Name")}


def instance(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """One instance day and night, its volumes and its public address; what it does not say is its launch template's."""
    del assumptions
    data = {**(launch_template(resource.get("LaunchTemplate"), graph) or {}), **resource.properties}
    kind = data.get("InstanceType")
    if not isinstance(kind, str):
        yield Unmetered("its type is not in its properties")
        return
    if data.get("Tenancy") in ("dedicated", "host"):
        yield Unmetered(f"tenancy {data['Tenancy']} is in no price table")
        return
    yield meter(f"instance {kind}", f"ec2.on_demand.{kind}", HOURS_PER_MONTH, "as Linux")
    yield from _own_disks(data)
    if gives_public_addresses(data, names([data.get("SubnetId")]), graph):
        yield meter("public IPv4 address", "vpc.public_ipv4", HOURS_PER_MONTH)


def _own_disks(data: Mapping[str, Any]) -> Iterator[Reading]:
    disks = [each["Ebs"] for each in items(data.get("BlockDeviceMappings")) if isinstance(each.get("Ebs"), Mapping)]
    for each in disks:
        if "VolumeSize" in each:
            yield from disk(each, "VolumeSize")
        else:
            yield Unmetered("the size of a volume is its image's")
    if not disks:
        yield Unmetered("the size of its root volume is its image's")


def kubernetes_cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """The control plane; nodes are their groups'."""
    del resource, graph, assumptions
    note = "a version in extended support costs more"
    yield meter("control plane", "eks.cluster", HOURS_PER_MONTH, note)


def fargate_profile(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    for name in ("vcpu", "memory"):
        yield Meter(f"{name} of pods while they run", (f"fargate.{name}",), BY_USE)
