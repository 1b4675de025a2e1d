"""TW12: security groups that stop a workload on the way to a service which it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.reach import Reach
from trainworks.aws.security_groups import SecurityGroups, Side, Stop
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import Need, has_public_ip, needs_of
from trainworks.preflight.network import Network, network_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.security_groups import security_groups_of
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload, workloads_of


@dataclass(slots=True)
class _Blocked:
    """What one workload is stopped from: by its own groups, and by the groups of endpoints."""

    outward: dict[str, Need] = field(default_factory=dict)
    inward: dict[Resource, dict[str, Need]] = field(default_factory=dict)


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Only for what routes and endpoints make reachable; TW10 reports the rest."""
    network, groups = network_of(graph), security_groups_of(graph)
    for workload in workloads_of(graph).all:
        if workload.security_groups and groups.knows_all(workload.security_groups):
            blocked = _blocked(network, groups, workload)
            if blocked.outward:
                yield _outward(workload, blocked.outward)
            for endpoint, needs in blocked.inward.items():
                yield _inward(workload, endpoint, needs)


def _blocked(network: Network, groups: SecurityGroups, workload: Workload) -> _Blocked:
    blocked = _Blocked()
    subnets = [subnet for each in workload.subnets or () if (subnet := network.subnet(each)) is not None]
    for need in needs_of(workload) if subnets else ():
        for subnet in subnets:
            answer = network.reach(subnet, need.service, has_public_ip(workload, subnet))
            if answer.reach is not Reach.YES:
                continue
            stop = groups.stopped(Side(workload.security_groups, subnet.cidr_block), answer.by, network.cidr_block)
            if stop is Stop.OUT:
                blocked.outward[need.service] = need
            elif stop is Stop.IN and answer.endpoint is not None:
                blocked.inward.setdefault(answer.endpoint, {})[need.service] = need
    return blocked


def _outward(workload: Workload, needs: dict[str, Need]) -> Fault:
    names = ", ".join(needs)
    fix = "allow TCP 443 outbound to where they are: the endpoints' security group"
    if "s3" in needs:
        fix += ", and for S3 behind its gateway the prefix list of S3 or 0.0.0.0/0"
    return Fault(
        workload.at,
        f"the security groups of the {workload.title} allow no outbound HTTPS to {names}: it cannot {_whys(needs)}",
        list(workload.security_groups),
        fix,
        _severity(needs),
    )


def _inward(workload: Workload, endpoint: Resource, needs: dict[str, Need]) -> Fault:
    return Fault(
        endpoint,
        f"the endpoint's security group allows no HTTPS from the {workload.title} {workload.place}: "
        f"it cannot {_whys(needs)}",
        endpoint.get("SecurityGroupIds", default=[]),
        "allow TCP 443 inbound from the workload's security group or the VPC's CIDR block",
        _severity(needs),
    )


def _whys(needs: dict[str, Need]) -> str:
    return "; ".join(dict.fromkeys(need.why for need in needs.values()))


def _severity(needs: dict[str, Need]) -> Severity | None:
    return None if any(need.is_required for need in needs.values()) else Severity.WARNING


RULE = Rule(
    code="TW12",
    severity=Severity.ERROR,
    title="a security group between a workload and a service that it needs",
    origin="The endpoint exists, but a security group blocks the way to it; for S3 the prefix list is missing.",
    find=find,
)
