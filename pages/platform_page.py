"""platform.md: what each profile deploys, drawn and tabled from its resolved templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from pictures import Picture
from platforms import graphs

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.reach import Reach, Target
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.network import Network, Subnet, network_of
from trainworks.preflight.workloads import Workload, workloads_of

_GROUP = re.compile(r".*/(\w+?)Subnet\d+")
_SERVICES = ("s3", "dynamodb", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "monitoring",
             "sagemaker.api", "sagemaker.runtime", "sts")  # fmt: skip
_WAYS = {Reach.YES: "yes", Reach.NO: "no", Reach.UNKNOWN: "?"}


def page() -> str:
    """The whole page."""
    ours = {name: graph for name, graph in graphs().items() if name != "reference"}
    lines = [
        "# The platform, profile by profile",
        "",
        "What each profile deploys, drawn from its templates: the subnets, what runs in them, and what it reaches.",
        "Every role is in [Roles](roles.md), the cost without use in [Cost](cost.md), each setting with its value in",
        "each profile in [trainworks.toml](trainworks-toml.md).",
        "",
    ]
    for name, graph in ours.items():
        drawn = f"![The subnets of {name}, what runs in them and their ways out](../images/platform-{name}.svg)"
        lines += [f"## {name}", "", drawn, "", *_reachability(graph), ""]
    lines += ["## Resources", "", *_resources(ours), ""]
    return "\n".join(lines)


def picture(name: str) -> str:
    """The network of a profile: subnets by kind, what runs in them, and the ways out."""
    graph = graphs()[name]
    groups: dict[str, list[Resource]] = {}
    for resource in graph.of_type("AWS::EC2::Subnet"):
        groups.setdefault(_group(resource), []).append(resource)
    inside = {group: _residents(graph, members) for group, members in groups.items()}
    ways = {group: list(_ways_out(graph, members)) for group, members in groups.items()}
    targets = list(dict.fromkeys(way for each in ways.values() for way in each))
    heights = {group: 38 + 34 * len(each) for group, each in inside.items()}
    height = max(60 + sum(heights.values()) + 16 * len(heights), 60 + 60 * len(targets))
    drawn = Picture(f"The network of the profile {name}", 760, height)
    drawn.box((10, 10), (400, height - 20))
    drawn.words(f"VPC {graph.of_type('AWS::EC2::VPC')[0].get('CidrBlock')}", (24, 32), middle=False)
    top = 44
    for group, residents in inside.items():
        drawn.box((24, top), (372, heights[group]), "group")
        zones = ", ".join(str(each.get("AvailabilityZone"))[-1] for each in groups[group])
        drawn.words(f"{group} subnets, zones {zones}", (36, top + 22), middle=False)
        for row, resident in enumerate(residents):
            drawn.box((36, top + 32 + 34 * row), (348, 28))
            drawn.words(resident, (210, top + 51 + 34 * row))
        for way in ways[group]:
            drawn.arrow((396, top + heights[group] / 2), (500, 68 + 60 * targets.index(way)))
        top += heights[group] + 16
    for row, target in enumerate(targets):
        drawn.box((500, 50 + 60 * row), (250, 36), "out")
        drawn.words(target, (625, 73 + 60 * row))
    return drawn.svg()


def _residents(graph: Graph, members: list[Resource]) -> list[str]:
    """What is in the subnets: workloads, and NAT gateways."""
    gateways = [each for each in graph.of_type("AWS::EC2::NatGateway") if _is_in((each.get("SubnetId"),), members)]
    return [*map(_title, _inside(graph, members)), *("NAT gateway" for _ in gateways)]


def _title(workload: Workload) -> str:
    """What it is, and which where there are several."""
    return (
        f"{workload.kind} {workload.place.rpartition('/')[2]}"
        if workload.kind == WorkloadKind.BATCH_EC2
        else workload.kind
    )


def _inside(graph: Graph, members: list[Resource]) -> list[Workload]:
    return [each for each in workloads_of(graph).all if _is_in(each.subnets or (), members)]


def _is_in(subnets: Iterable[object], members: list[Resource]) -> bool:
    return bool(set(subnets) & {each.physical_id for each in members})


def _group(subnet: Resource) -> str:
    named = _GROUP.fullmatch(subnet.place.removesuffix("/Subnet"))
    return named[1] if named else subnet.place


def _ways_out(graph: Graph, members: list[Resource]) -> Iterator[str]:
    network = network_of(graph)
    subnets = [found for each in members if (found := network.subnet(each.physical_id))]
    if any(network.reach(each, "s3", False).endpoint for each in subnets):
        yield "S3 and DynamoDB, by gateways"
    interfaces = [each for each in graph.of_type("AWS::EC2::VPCEndpoint") if each.get("VpcEndpointType") == "Interface"]
    if interfaces:
        yield f"{len(interfaces)} interface endpoints"
    targets = {route.target for each in subnets for route in each.facts.table.routes}
    if Target.NAT_GATEWAY in targets:
        yield "internet, by the NAT gateway"
    if Target.INTERNET_GATEWAY in targets:
        yield "internet gateway, outbound only"


def _reachability(graph: Graph) -> list[str]:
    """Which services each workload reaches, as `check` sees it."""
    network = network_of(graph)
    placed = [each for each in workloads_of(graph).all if each.subnets]
    rows = [
        f"| {service} | " + " | ".join(_answer(network, each, service) for each in placed) + " |"
        for service in _SERVICES
    ]
    return ["| reaches | " + " | ".join(map(_title, placed)) + " |", "|---" * (len(placed) + 1) + "|", *rows]


def _answer(network: Network, workload: Workload, service: str) -> str:
    subnets: list[Subnet] = [found for each in workload.subnets or () if (found := network.subnet(each))]
    reaches = {network.reach(each, service, each.map_public_ip_on_launch).reach for each in subnets}
    return _WAYS[min(reaches)]


def _resources(ours: dict[str, Graph]) -> list[str]:
    counts = {name: Counter(each.type for each in graph.resources) for name, graph in ours.items()}
    types = sorted(set().union(*counts.values()))
    head = ["| type | " + " | ".join(ours) + " |", "|---" * (len(ours) + 1) + "|"]
    return head + [
        f"| {type_} | " + " | ".join(str(counts[name][type_] or "") for name in ours) + " |" for type_ in types
    ]
