"""TW10: a workload that cannot reach a service which it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph
from trainworks.aws.image_layers import layer_bucket_arn, refuses_layers
from trainworks.aws.reach import Reach
from trainworks.aws.service_needs import INTERNET
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import (
    Need,
    attached_by_aws,
    granted_needs,
    has_public_ip,
    needs_of,
    pulls_private_image,
)
from trainworks.preflight.network import Subnet, network_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload, workloads_of


@dataclass(frozen=True, slots=True)
class _Miss:
    need: Need
    subnet: Subnet
    reason: str


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Each subnet counts: a workload may be placed in any of its own."""
    for workload in workloads_of(graph).all:
        misses = list(_misses(graph, workload))
        for is_required in (True, False):
            found = [miss for miss in misses if miss.need.is_required is is_required]
            if found:
                yield _fault(workload, found)
        if not any(miss.need.is_required for miss in misses):
            yield from _in_vain(graph, workload)
            yield from _without_layers(graph, workload)


def _misses(graph: Graph, workload: Workload) -> Iterator[_Miss]:
    network = network_of(graph)
    subnets = [subnet for each in workload.subnets or () if (subnet := network.subnet(each)) is not None]
    needs = _needs(graph, workload) if subnets else ()
    for subnet in subnets:
        public_ip = has_public_ip(workload, subnet)
        for need in needs:
            answer = network.reach(subnet, need.service, public_ip)
            if answer.reach is Reach.NO:
                yield _Miss(need, subnet, answer.reason)


def _without_layers(graph: Graph, workload: Workload) -> Iterator[Fault]:
    """Reaches S3 by an endpoint whose policy shuts out the bucket with the layers of its image."""
    if not pulls_private_image(workload):
        return
    network, bucket = network_of(graph), layer_bucket_arn(graph.partition, graph.region)
    answers = [
        network.reach(subnet, "s3", has_public_ip(workload, subnet))
        for each in workload.subnets or ()
        if (subnet := network.subnet(each)) is not None
    ]
    for endpoint, by in dict.fromkeys((each.endpoint, each.by) for each in answers if each.reach is Reach.YES):
        if endpoint is not None and by is not None and refuses_layers(by, bucket):
            yield Fault(
                workload.at,
                f"the {workload.title} cannot pull its image: ECR keeps the layers in a bucket of AWS's, "
                f"and the policy of {endpoint.place}, through which it reaches S3, does not allow s3:GetObject there",
                bucket,
                f"allow s3:GetObject on {bucket}/* in the endpoint's policy",
            )


def _needs(graph: Graph, workload: Workload) -> tuple[Need, ...]:
    needs = needs_of(workload)
    services = {need.service for need in needs}
    return (*needs, *(need for need in granted_needs(graph, workload) if need.service not in services))


def _in_vain(graph: Graph, workload: Workload) -> Iterator[Fault]:
    """In a public subnet, with an interface of the kind that never gets a public address."""
    if not attached_by_aws(workload):
        return
    network = network_of(graph)
    for each in workload.subnets or ():
        subnet = network.subnet(each)
        if subnet is None or network.reach(subnet, INTERNET, False).reach is not Reach.NO:
            continue
        if network.reach(subnet, INTERNET, True).reach is Reach.YES:
            yield Fault(
                workload.at,
                f"the {workload.title} is in the public subnet {subnet.resource.place}, and its network interface "
                "never gets a public address: so the route to the internet gateway does not help it",
                each,
                "place it in a private subnet: behind a NAT gateway, or with the endpoints that it needs",
                Severity.WARNING,
            )


def _fault(workload: Workload, misses: list[_Miss]) -> Fault:
    needs = list({miss.need.service: miss.need for miss in misses}.values())
    services = [need.service for need in needs]
    is_required = misses[0].need.is_required
    subnets = list(dict.fromkeys(miss.subnet.resource.place for miss in misses))
    whys = "; ".join(f"{need.service}: it cannot {need.why}" for need in needs)
    reasons = "; ".join(dict.fromkeys(miss.reason for miss in misses))
    where = f"{subnets[0]} and {len(subnets) - 1} more" if len(subnets) > 2 else " and ".join(subnets)
    return Fault(
        workload.at,
        f"the {workload.title} in {where} cannot reach {', '.join(services)} ({reasons}). {whys}",
        list(workload.subnets or ()),
        _fix(services),
        None if is_required else Severity.WARNING,
    )


def _fix(services: list[str]) -> str:
    gateway = [each for each in services if each in ("s3", "dynamodb")]
    interface = [each for each in services if each not in (*gateway, INTERNET)]
    parts = []
    if gateway:
        parts.append(f"a gateway endpoint for {' and '.join(gateway)} on the route table")
    if interface:
        parts.append(f"interface endpoints for {', '.join(interface)}")
    if INTERNET in services:
        return "a route to a NAT gateway; no endpoint leads out of AWS"
    return f"{' and '.join(parts)}, or a route to a NAT gateway"


RULE = Rule(
    code="TW10",
    severity=Severity.ERROR,
    title="a service that the workload needs and cannot reach",
    origin="Tasks in subnets without a route to ECR, Logs or S3 are placed and never start.",
    find=find,
)
