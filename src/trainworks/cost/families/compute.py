"""Instances that run: notebooks, endpoints, Batch hosts, EC2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.families.storage import disk
from trainworks.cost.metering import BY_USE, Assumptions, Choice, Meter, Reading, Unmetered, items, meter, whole_number
from trainworks.cost.money import HOURS_PER_MONTH
from trainworks.spec.instance_types import UnknownInstanceTypeError, expand_instance_types, instance_type

_DEFAULT_NOTEBOOK_VOLUME_GB = 5
_HOSTS_SHOWN = "EC2 hosts while jobs run"


def notebook(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """The volume costs day and night, the instance while it runs: `Assumptions.notebook_hours` a month."""
    del graph
    kind = str(resource.get("InstanceType", default=""))
    hours = assumptions.notebook_hours
    running = f"{hours.normalize():f} hours of {kind}" if hours else f"{kind} while it runs"
    yield Meter(running, (f"sagemaker.notebook.{kind}",), hours)
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
        yield from _variant(variant)


def _variant(variant: Mapping[str, object]) -> Iterator[Reading]:
    name = variant.get("VariantName", "variant")
    if "ServerlessConfig" in variant:
        yield Meter(f"{name}, serverless", (), BY_USE)
        return
    kind, count = str(variant.get("InstanceType", "")), whole_number(variant.get("InitialInstanceCount", 1))
    if not kind or count is None:
        yield Unmetered(f"type or number of instances of {name} is not known before the deploy")
        return
    yield meter(f"{name}: {count} x {kind}", f"sagemaker.hosting.{kind}", HOURS_PER_MONTH * count)
    size = whole_number(variant.get("VolumeSizeInGB"))
    if size is not None:
        yield meter(f"{name}: volumes of {size} GB", "sagemaker.hosting_volume", size * count)


def compute_environment(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Hosts that `MinvCpus` keeps running, in the cheapest to the dearest type that Batch may choose."""
    del assumptions
    kind = str(resource.get("ComputeResources", "Type", default=""))
    if kind.startswith("FARGATE"):
        spot = "spot_" if kind.endswith("SPOT") else ""
        yield meter("vCPU of tasks while they run", f"fargate.{spot}vcpu")
        yield meter("memory of tasks while they run", f"fargate.{spot}memory")
        return
    if kind not in {"EC2", "SPOT"}:  # an unmanaged environment: its hosts are someone else's resources
        return
    market = "spot" if kind == "SPOT" else "on_demand"
    try:
        types = expand_instance_types(_names(resource.get("ComputeResources", "InstanceTypes")))
    except UnknownInstanceTypeError as error:
        yield Unmetered(error.message)
        return
    keys = tuple(f"ec2.{market}.{name}" for name in types)
    least = whole_number(resource.get("ComputeResources", "MinvCpus", default=0))
    if least is None:
        yield Unmetered("its least number of vCPUs is not known before the deploy")
    elif not least:
        yield Meter(_HOSTS_SHOWN, keys, BY_USE)
    else:
        yield from _kept_running(least, types, market)
    yield from _what_hosts_bring(resource, graph)


def _what_hosts_bring(resource: Resource, graph: Graph) -> Iterator[Reading]:
    """A host's public address, and the volumes that its launch template gives it, while it runs."""
    subnets = [graph.owner(each) for each in _names(resource.get("ComputeResources", "Subnets"))]
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


def _names(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _kept_running(vcpus: int, types: tuple[str, ...], market: str) -> Iterator[Reading]:
    """As many hosts of one type as hold `vcpus`."""
    counts = [(name, -(-vcpus // instance_type(name).vcpus)) for name in types]
    options = tuple(
        meter(f"{count} x {name} kept running", f"ec2.{market}.{name}", HOURS_PER_MONTH * count)
        for name, count in counts
    )
    yield (
        options[0] if len(options) == 1 else Choice(f"{vcpus} vCPUs kept running, in hosts of Batch's choice", options)
    )


def instance(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    kind = resource.get("InstanceType")
    if not isinstance(kind, str):
        yield Unmetered("its type is not in its properties")
        return
    yield meter(f"instance {kind}", f"ec2.on_demand.{kind}", HOURS_PER_MONTH)
    mappings = items(resource.get("BlockDeviceMappings"))
    disks = [each["Ebs"] for each in mappings if isinstance(each.get("Ebs"), Mapping)]
    for each in disks:
        if "VolumeSize" in each:
            yield from disk(each, "VolumeSize")
        else:
            yield Unmetered("the size of a volume is its image's")
    if not disks:
        yield Unmetered("the size of its root volume is its image's")
