"""TW39: network ACLs that block a workload's requests to a service that it needs, or the answers."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.aws.network_acls import AclStop
from trainworks.aws.reach import Reach
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import Need, has_public_ip, needs_of
from trainworks.preflight.network import network_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload, workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Only for what routes and endpoints make reachable; TW10 reports the rest."""
    del settings
    for workload in workloads_of(graph).all:
        for stop, needs in _stops(graph, workload).items():
            whys = "; ".join(dict.fromkeys(f"{each.service}: it cannot {each.why}" for each in needs))
            yield Fault(
                workload.at,
                f"{stop}, which the {workload.title} needs. {whys}",
                list(workload.subnets or ()),
                stop.fix,
                None if any(each.is_required for each in needs) else Severity.WARNING,
            )


def _stops(graph: Graph, workload: Workload) -> dict[AclStop, list[Need]]:
    network = network_of(graph)
    subnets = [subnet for each in workload.subnets or () if (subnet := network.subnet(each)) is not None]
    found: dict[AclStop, list[Need]] = {}
    for need in needs_of(workload) if subnets else ():
        for subnet in subnets:
            answer = network.reach(subnet, need.service, has_public_ip(workload, subnet))
            if answer.reach is Reach.YES and answer.stop is not None:
                needs = found.setdefault(answer.stop, [])
                if need not in needs:
                    needs.append(need)
    return found


RULE = Rule(
    code="TW39",
    severity=Severity.ERROR,
    title="a network ACL between a workload and a service that it needs",
    origin="A network ACL allows requests, but not the ports of their answers: it is stateless.",
    find=find,
)
