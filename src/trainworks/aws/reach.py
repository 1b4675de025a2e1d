"""What a network interface in a subnet reaches: AWS's services, and addresses outside AWS. Pure; no calls.

    subnet --> its route table (associated, or the VPC's main one)
               --> gateway endpoint | NAT gateway | internet gateway, for an interface with a public address
           --> interface endpoints of its VPC, found by private DNS

`check` makes a `Network` from templates (`preflight/network.py`), `doctor` from what EC2 describes
(`doctor/network.py`), the twin from its own state (`emulator/ec2/vpc_state.py`), both by `ec2_network.py`; so they
answer alike. What nobody can see (None, and what leads to transit gateways, peerings, appliances) is `Reach.UNKNOWN`.
Answers only grow: another route or endpoint never makes `reach` less. What stands on a way that there is, is asked of
others: security groups (`security_groups.py`), network ACLs (`acl_stops.py`), endpoint policies
(`iam/partial/endpoints.py`). Ways are IPv4's: what a subnet reaches over IPv6 alone is unknown.

Sources: "Configure route tables", "NAT gateways", "Enable internet access" (Amazon VPC User Guide); "Gateway
endpoints", "Access an AWS service using an interface VPC endpoint", "View and update DNS names" (AWS PrivateLink).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from trainworks.aws.iam.partial.statements import Statement
from trainworks.aws.network_acls import AclStop, NetworkAcl
from trainworks.aws.service_needs import INTERNET

ANYWHERE = "0.0.0.0/0"
_SERVICE_NAME = re.compile(r"(?:[a-z]+\.)?com\.amazonaws\.[a-z0-9-]+\.(.+)")


class Reach(IntEnum):
    """Whether a connection finds a way; the greater of two answers holds."""

    NO = 0
    UNKNOWN = 1
    YES = 2


class Target(StrEnum):
    """What a route leads to. GONE: its gateway was deleted or detached, which EC2 calls a blackhole."""

    LOCAL = "local"
    INTERNET_GATEWAY = "internet gateway"
    NAT_GATEWAY = "NAT gateway"
    OTHER = "another target"
    GONE = "blackhole"


@dataclass(frozen=True, slots=True)
class Route:
    """`gateway` is the id of what it leads to, where known; `is_default`: its destination is every IPv4 address."""

    target: Target
    is_default: bool = True
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class RouteTable:
    """`is_whole` is False where routes may come from elsewhere, by propagation or another template."""

    table_id: str
    routes: tuple[Route, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Subnet:
    """With the route table and the network ACL that hold for it; None for an ACL that nobody knows.

    `vpc_id` and `cidr_block` are "" if nobody knows them. `has_ipv4` is False for a subnet of IPv6 alone.
    """

    subnet_id: str
    vpc_id: str
    table: RouteTable
    cidr_block: str = ""
    acl: NetworkAcl | None = None
    has_ipv4: bool = True


@dataclass(frozen=True, slots=True)
class NatGateway:
    """`subnet` is None if nobody knows it; `is_public` None if nobody knows that."""

    gateway_id: str
    subnet: Subnet | None = None
    is_public: bool | None = True
    is_available: bool = True


@dataclass(frozen=True, slots=True)
class Vpc:
    """`internet_gateways` are those attached; `has_private_names`: DNS support and DNS hostnames are on.

    `has_zones`: a private hosted zone is associated, which may lead a service's name to an endpoint.
    `has_resolver`: names are resolved: DNS support is on, or its DHCP options name servers of somebody's own.
    """

    vpc_id: str
    internet_gateways: frozenset[str] | None = None
    has_private_names: bool | None = None
    has_zones: bool | None = None
    has_resolver: bool | None = None


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """A VPC endpoint of `service`, "" if the service is not known.

    `route_tables` are a gateway's, None among them for an unknown one. `subnets` and `security_groups` are of the
    interfaces of an interface endpoint; `inbound_only`: private DNS answers names from outside the VPC alone.
    `policy` are the statements of its policy, None for full access, which it has without one.
    """

    endpoint_id: str
    vpc_id: str
    service: str
    is_gateway: bool
    route_tables: frozenset[str | None] = frozenset()
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    private_dns: bool | None = True
    inbound_only: bool = False
    is_available: bool = True
    policy: tuple[Statement, ...] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether a connection is possible, and by what.

    `endpoint` is the VPC endpoint that is used, None for a gateway to the internet; `nat` the NAT gateway that is used,
    if any. `reason` explains a NO or an UNKNOWN. `stop` is set if network ACLs were looked at too and one blocks it.
    """

    reach: Reach
    endpoint: VpcEndpoint | None = None
    reason: str = ""
    nat: NatGateway | None = None
    stop: AclStop | None = None


_NO_ROUTE = Reachability(Reach.NO, reason="no route leads out of the VPC")


@dataclass(frozen=True, slots=True)
class Network:
    """What is known of VPCs. Ids may be any texts that tell things apart: they are what reasons call them by."""

    vpcs: Mapping[str, Vpc] = field(default_factory=dict)
    endpoints: Sequence[VpcEndpoint] = ()
    nat_gateways: Mapping[str, NatGateway] = field(default_factory=dict)

    def reach(self, subnet: Subnet, service: str, has_public_ip: bool | None) -> Reachability:
        """Whether, and by what, an interface in `subnet` reaches `service`; `INTERNET` is any address outside AWS.

        `has_public_ip`: whether the interface has a public address; None if nobody knows.
        """
        if not subnet.has_ipv4:
            return Reachability(Reach.UNKNOWN, reason=f"{subnet.subnet_id} has IPv6 addresses alone")
        vpc = self.vpcs.get(subnet.vpc_id)
        if vpc is not None and vpc.has_resolver is False:
            return Reachability(
                Reach.NO, reason=f"EnableDnsSupport of {vpc.vpc_id} is off, so no name is resolved in it"
            )
        answers = [*self._by_endpoints(subnet, service), self._by_routes(subnet.table, subnet.vpc_id, has_public_ip)]
        if not subnet.vpc_id:
            answers.append(Reachability(Reach.UNKNOWN, reason=f"nobody knows the VPC of {subnet.subnet_id}"))
        elif service != INTERNET and self._endpoints(subnet.vpc_id, ""):
            answers.append(Reachability(Reach.UNKNOWN, reason=f"{subnet.vpc_id} has an endpoint of an unknown service"))
        best = max(answers, key=lambda answer: answer.reach)
        if best.reach is not Reach.NO:
            return best
        return Reachability(Reach.NO, reason="; ".join(dict.fromkeys(each.reason for each in answers)))

    def _endpoints(self, vpc_id: str, service: str) -> list[VpcEndpoint]:
        return [each for each in self.endpoints if (each.vpc_id, each.service) == (vpc_id, service)]

    def _by_endpoints(self, subnet: Subnet, service: str) -> Iterator[Reachability]:
        """Interface endpoints first: their private names win over what routes would do."""
        endpoints = self._endpoints(subnet.vpc_id, service)
        vpc = self.vpcs.get(subnet.vpc_id, Vpc(subnet.vpc_id))
        yield from (_by_interface(each, vpc) for each in endpoints if not each.is_gateway)
        yield from (_by_gateway(each, subnet.table) for each in endpoints if each.is_gateway)

    def _by_routes(self, table: RouteTable, vpc_id: str, has_public_ip: bool | None) -> Reachability:
        answers = [self._by_route(route, vpc_id, has_public_ip) for route in table.routes]
        if not table.is_whole:
            shown = table.table_id or "its route table"
            answers.append(Reachability(Reach.UNKNOWN, reason=f"not all routes of {shown} are known"))
        return max(answers, key=lambda answer: answer.reach, default=_NO_ROUTE)

    def _by_route(self, route: Route, vpc_id: str, has_public_ip: bool | None) -> Reachability:
        """A route other than a default route to an internet or NAT gateway may lead anywhere."""
        if route.target is Target.LOCAL:
            return _NO_ROUTE
        if route.target is Target.GONE:
            return Reachability(Reach.NO, reason=f"the route to {route.gateway or 'its target'} leads nowhere any more")
        if route.is_default and route.target is Target.NAT_GATEWAY:
            return self._by_nat(self.nat_gateways.get(route.gateway, NatGateway(route.gateway)))
        if route.is_default and route.target is Target.INTERNET_GATEWAY:
            return self._by_internet_gateway(route.gateway, vpc_id, has_public_ip)
        return Reachability(
            Reach.UNKNOWN, reason=f"nobody knows what lies behind its route to {route.gateway or route.target}"
        )

    def _by_internet_gateway(self, gateway_id: str, vpc_id: str, has_public_ip: bool | None) -> Reachability:
        vpc = self.vpcs.get(vpc_id)
        attached = None if vpc is None else vpc.internet_gateways
        if attached is not None and gateway_id not in attached:
            return Reachability(Reach.NO, reason=f"{gateway_id} is not attached to the VPC")
        if has_public_ip is False:
            return Reachability(
                Reach.NO, reason="the route to the internet gateway is of no use without a public address"
            )
        if has_public_ip is None:
            return Reachability(Reach.UNKNOWN, reason="nobody knows whether its interface has a public address")
        return Reachability(Reach.YES)

    def _by_nat(self, gateway: NatGateway) -> Reachability:
        """A public one has an address of its own and needs a route to an internet gateway; others lead elsewhere."""
        if not gateway.is_available:
            return Reachability(Reach.NO, reason=f"{gateway.gateway_id} is not there any more")
        if gateway.subnet is None or not gateway.is_public:
            return Reachability(
                Reach.UNKNOWN, reason=f"nobody knows what lies behind {gateway.gateway_id}", nat=gateway
            )
        table = gateway.subnet.table
        onward = tuple(route for route in table.routes if route.target is not Target.NAT_GATEWAY)
        answer = self._by_routes(replace(table, routes=onward), gateway.subnet.vpc_id, True)
        if answer.reach is Reach.NO:
            reason = f"{gateway.gateway_id} is in a subnet without a way to an internet gateway"
            return Reachability(Reach.NO, reason=reason)
        return replace(answer, nat=gateway)


def service_of(service_name: str) -> str:
    """`ecr.api` of `com.amazonaws.us-east-1.ecr.api`; another name as it is."""
    match = _SERVICE_NAME.fullmatch(service_name)
    return match[1] if match else service_name


def _by_interface(endpoint: VpcEndpoint, vpc: Vpc) -> Reachability:
    name = endpoint.endpoint_id
    reason = ""
    if not endpoint.is_available:
        reason = f"{name} is not available"
    elif not endpoint.subnets:
        reason = f"{name} has no subnets"
    elif endpoint.inbound_only:
        reason = f"{name} answers names from outside the VPC only"
    elif endpoint.private_dns is False and vpc.has_zones is False:
        reason = f"private DNS of {name} is off, so the service's name leads past it"
    elif endpoint.private_dns and vpc.has_private_names is False:
        reason = f"private DNS needs EnableDnsHostnames and EnableDnsSupport of {vpc.vpc_id}"
    if reason:
        return Reachability(Reach.NO, reason=reason)
    if endpoint.private_dns:
        return Reachability(Reach.YES, endpoint)
    return Reachability(Reach.UNKNOWN, endpoint, f"nobody knows whether the service's name leads to {name}")


def _by_gateway(endpoint: VpcEndpoint, table: RouteTable) -> Reachability:
    if not endpoint.is_available:
        return Reachability(Reach.NO, reason=f"{endpoint.endpoint_id} is not available")
    if table.table_id and table.table_id in endpoint.route_tables:
        return Reachability(Reach.YES, endpoint)
    if None in endpoint.route_tables:
        return Reachability(Reach.UNKNOWN, endpoint, f"not all route tables of {endpoint.endpoint_id} are known")
    return Reachability(Reach.NO, reason=f"{endpoint.endpoint_id} does not serve its route table")
