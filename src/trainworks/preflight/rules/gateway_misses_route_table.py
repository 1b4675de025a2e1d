"""TW11: an S3 gateway endpoint that leaves a workload's route table out."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.reach import Reach
from trainworks.aws.service_needs import SERVICE_NEEDS
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import has_public_ip
from trainworks.preflight.network import Network, Subnet, network_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload, workloads_of

_SERVICE = "s3"


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Only if S3 is reached another way: TW10 reports what does not reach it at all."""
    network = network_of(graph)
    missed: dict[Resource, dict[str, str]] = {}
    for workload in workloads_of(graph).all:
        if any(need.service == _SERVICE for need in SERVICE_NEEDS[workload.kind]):
            for endpoint, subnet in _missed(network, workload):
                missed.setdefault(endpoint, {}).setdefault(subnet.resource.place, workload.kind.value)
    for resource, subnets in missed.items():
        kinds = " and ".join(dict.fromkeys(subnets.values()))
        yield Fault(
            resource,
            f"the gateway does not serve the route tables of {', '.join(subnets)}: the S3 traffic of the {kinds} "
            "there goes through the internet or NAT gateway, which costs per byte or leaves the VPC, and the "
            "endpoint's policy does not apply to it",
            resource.get("RouteTableIds", default=[]),
            "add their route tables to RouteTableIds",
        )


def _missed(network: Network, workload: Workload) -> Iterator[tuple[Resource, Subnet]]:
    for each in workload.subnets or ():
        subnet = network.subnet(each)
        if subnet is None or not subnet.facts.table.table_id:
            continue
        gateways = network.gateway_endpoints(subnet.vpc, _SERVICE)
        tables = [table for facts in gateways.values() for table in facts.route_tables]
        if gateways and None not in tables and subnet.facts.table.table_id not in tables:
            answer = network.reach(subnet, _SERVICE, has_public_ip(workload, subnet))
            if answer.reach is Reach.YES and answer.endpoint is None:
                yield next(iter(gateways)), subnet


RULE = Rule(
    code="TW11",
    severity=Severity.WARNING,
    title="an S3 gateway that leaves out the route table of a workload",
    origin="The gateway covers isolated subnets only, and the compute is in others.",
    find=find,
)
