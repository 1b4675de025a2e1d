"""Instances that run: notebooks, endpoints, hosts of Batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.instance_types import UnknownInstanceTypeError, expand_instance_types, instance_type
from trainworks.cost.metering import (
    BY_USE,
    Assumptions,
    Choice,
    Meter,
    Reading,
    Unmetered,
    items,
    meter,
    names,
    whole_number,
)
from trainworks.cost.money import HOURS_PER_MONTH

_DEFAULT_NOTEBOOK_VOLUME_GB = 5
_HOSTS_SHOWN = "EC2 hosts while jobs run"


def notebook(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """The volume costs day and night, the instance while it runs: `Assumptions.notebook_hours` a month."""
    del graph
    kind = str(resource.get("InstanceType", default=""))
    hours = assumptions.notebook_hours
    running = f"{hours.normalize():f} hours of {kind}" if hours else f"{kind} while it runs"
    yield Meter(running, (f"sagemaker.notebook.{kind}",), hours, at_most=HOURS_PER_MONTH)
    size = whole_number(resource.get("VolumeSizeInGB", default=_DEFAULT_NOTEBOOK_VOLUME_GB))
    if size is None:
        yield Unmetered("the size of its volume is not known before the deploy")
    else:
        yield meter(f"volume of {size} GB", "sagemaker.notebook_volume", size)


def endpoint(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Every instance of every variant, day and night; serverless variants by use."""
    del assumptions
    config = graph.owner(resource.get("EndpointConfigName"))
    variants = items(config.get("ProductionVariants")) if config is not None else []
    if not variants:
        yield Unmetered("its endpoint configuration is not in the templates")
    for variant in variants:
        yield from _variant(variant, _limit(str(variant.get("VariantName", "")), resource, graph))


def _limit(variant: str, endpoint: Resource, graph: Graph) -> int | None:
    """`MaxCapacity` of the target that scales a variant of the endpoint; None if nothing does."""
    for target in graph.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        name = str(target.get("ResourceId", default=""))
        if name.endswith(f"/variant/{variant}") and endpoint in graph.mentioned(name):
            return whole_number(target.get("MaxCapacity"))
    return None


def _variant(variant: Mapping[str, object], limit: int | None) -> Iterator[Reading]:
    name = variant.get("VariantName", "variant")
    if "ServerlessConfig" in variant:
        yield Meter(f"{name}, serverless", (), BY_USE)
        return
    kind, count = str(variant.get("InstanceType", "")), whole_number(variant.get("InitialInstanceCount", 1))
    if not kind or count is None:
        yield Unmetered(f"type or number of instances of {name} is not known before the deploy")
        return
    most = max(count, limit or count)
    what = f"{name}: {count} x {kind}"
    yield meter(what, f"sagemaker.hosting.{kind}", HOURS_PER_MONTH * count, at_most=HOURS_PER_MONTH * most)
    size = whole_number(variant.get("VolumeSizeInGB"))
    if size is not None:
        yield meter(f"{name}: volumes of {size} GB", "sagemaker.hosting_volume", size * count, at_most=size * most)


def compute_environment(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Hosts that `MinvCpus` keeps running, in the cheapest to the dearest type that Batch may choose."""
    del assumptions
    kind = str(resource.get("ComputeResources", "Type", default=""))
    most = whole_number(resource.get("ComputeResources", "MaxvCpus"))
    if kind.startswith("FARGATE"):
        spot = "spot_" if kind.endswith("SPOT") else ""
        limit = None if most is None else HOURS_PER_MONTH * most
        yield meter("vCPU of tasks while they run", f"fargate.{spot}vcpu", at_most=limit)
        yield meter("memory of tasks while they run", f"fargate.{spot}memory")
        return
    if kind not in {"EC2", "SPOT"}:  # an unmanaged environment: its hosts are someone else's resources
        return
    market = "spot" if kind == "SPOT" else "on_demand"
    try:
        types = expand_instance_types(names(resource.get("ComputeResources", "InstanceTypes")))
    except UnknownInstanceTypeError as error:
        yield Unmetered(error.message)
        return
    least = whole_number(resource.get("ComputeResources", "MinvCpus", default=0))
    if least is None:
        yield Unmetered("its least number of vCPUs is not known before the deploy")
    else:
        yield from _kept_running(least, most, types, market)
    yield from _what_hosts_bring(resource, graph)


def _what_hosts_bring(resource: Resource, graph: Graph) -> Iterator[Reading]:
    """A host's public address, and the volumes that its launch template gives it, while it runs."""
    subnets = [graph.owner(each) for each in names(resource.get("ComputeResources", "Subnets"))]
    template = graph.owner(resource.get("ComputeResources", "LaunchTemplate", "LaunchTemplateId"))
    interfaces = items(template.get("LaunchTemplateData", "NetworkInterfaces")) if template is not None else []
    if any(subnet is not None and subnet.get("MapPublicIpOnLaunch") is True for subnet in subnets) or any(
        interface.get("AssociatePublicIpAddress") is True for interface in interfaces
    ):
        yield meter("public IPv4 address of each host", "vpc.public_ipv4")
    for mapping in items(template.get("LaunchTemplateData", "BlockDeviceMappings")) if template is not None else []:
        volume = mapping.get("Ebs")
        kind = volume.get("VolumeType", "gp2") if isinstance(volume, Mapping) else "gp2"
        yield Meter(f"{kind} volume of each host", (f"ebs.{kind}",) if kind in ("gp2", "gp3") else (), BY_USE)


def _kept_running(least: int, most: int | None, types: tuple[str, ...], market: str) -> Iterator[Reading]:
    """As many hosts of one type as hold `least` vCPUs, and at most those that `most` has room for."""
    options = tuple(_hosts(name, least, least if most is None else max(least, most), market) for name in types)
    if len(options) == 1:
        yield options[0]
    elif options:
        yield Choice(f"{least} vCPUs kept running, in hosts of Batch's choice" if least else _HOSTS_SHOWN, options)


def _hosts(name: str, least: int, most: int, market: str) -> Meter:
    """Batch may exceed `MaxvCpus` by less than one host."""
    vcpus = instance_type(name).vcpus
    count, limit = -(-least // vcpus), -(-most // vcpus)
    what = f"{count} x {name} kept running" if count else _HOSTS_SHOWN
    return meter(what, f"ec2.{market}.{name}", HOURS_PER_MONTH * count, at_most=HOURS_PER_MONTH * limit)
