"""TW38: the policy of a VPC endpoint that denies what a workload needs."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.reach import Reach
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import has_public_ip
from trainworks.preflight.network import ResourceReachability, network_of
from trainworks.preflight.passages import Passage, passages_of, refused
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload, workloads_of

_MOST_SHOWN = 4


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """One fault for each endpoint, workload and severity. TW10 reports layers of images, which ECR keeps elsewhere."""
    del settings
    for workload in workloads_of(graph).all:
        found: dict[tuple[Resource, bool], dict[Passage, None]] = {}
        for passage in dict.fromkeys(passages_of(graph, workload)) if workload.subnets else ():
            for answer in _answers(graph, workload, passage.service):
                if answer.endpoint is not None and answer.by is not None and refused(graph, answer.by, passage):
                    found.setdefault((answer.endpoint, passage.is_required), {})[passage] = None
        for (endpoint, is_required), passages in found.items():
            yield _fault(workload, endpoint, list(passages), is_required)


def _answers(graph: Graph, workload: Workload, service: str) -> list[ResourceReachability]:
    """How the service is reached, from each subnet that reaches it."""
    network = network_of(graph)
    subnets = [subnet for each in workload.subnets or () if (subnet := network.subnet(each)) is not None]
    answers = [network.reach(subnet, service, has_public_ip(workload, subnet)) for subnet in subnets]
    return [each for each in dict.fromkeys(answers) if each.reach is Reach.YES]


def _fault(workload: Workload, endpoint: Resource, passages: list[Passage], is_required: bool) -> Fault:
    asked = list(dict.fromkeys(f"{each.action} on {each.resource}" for each in passages))
    more = f" and {len(asked) - _MOST_SHOWN} more" if len(asked) > _MOST_SHOWN else ""
    shown = ", ".join(asked[:_MOST_SHOWN]) + more
    whys = "; ".join(dict.fromkeys(each.why for each in passages))
    return Fault(
        endpoint,
        f"the endpoint's policy does not let {shown} through for the {workload.title} {workload.place}: "
        f"it cannot {whys}",
        endpoint.get("PolicyDocument"),
        f"allow {shown} in the endpoint's PolicyDocument",
        None if is_required else Severity.WARNING,
    )


RULE = Rule(
    code="TW38",
    severity=Severity.ERROR,
    title="the policy of a VPC endpoint between a workload and what it needs",
    origin='The role allows it, the route exists, and the call is denied "because no VPC endpoint policy allows" it.',
    find=find,
)
