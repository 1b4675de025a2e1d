"""Findings about a network: subnets that are gone or full, services out of reach, ports that are closed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.finding import Finding, Likelihood, Outcome
from trainworks.doctor.network import ANY_ADDRESS, Network, SecurityGroup, Subnet, VpcEndpoint

HTTPS = 443


def network_findings(
    network: Network, services: Collection[str], *, used_by: str, addresses: int = 1, public_ip: bool | None = False
) -> Iterator[Finding]:
    """What keeps `used_by` from `addresses` network interfaces and from reaching `services`.

    `public_ip`: whether its interfaces get public addresses, without which an internet gateway is no way out; None
    leaves that to the subnet.
    """
    if network.subnets.is_absent:
        yield Finding(
            "subnet-missing",
            Outcome.PROBLEM,
            f"a subnet of {used_by} does not exist: {', '.join(network.subnet_ids)}",
            (network.subnets.evidence("InvalidSubnetID.NotFound"),),
            "deploy the platform again (trainworks up), or name subnets that exist",
        )
        return
    subnets = network.subnets.value or ()
    yield from _full_subnets(network, subnets, used_by, addresses)
    yield from _unreachable(network, subnets, services, used_by, public_ip)
    yield from _closed_ports(network, services, used_by)


def without_internet(network: Network, *, public_ip: bool | None = False) -> tuple[str, ...] | None:
    """The subnets from which nothing outside AWS is reached; None where nobody could look."""
    if network.subnets.value is None or network.route_tables.value is None:
        return None
    subnets = network.subnets.value
    return tuple(each.subnet_id for each in subnets if not _reaches(network, each, INTERNET, public_ip))


def _full_subnets(network: Network, subnets: Collection[Subnet], used_by: str, addresses: int) -> Iterator[Finding]:
    """A workload is put into one of its subnets: it is stuck when none has addresses enough."""
    if subnets and all(subnet.available_ips < addresses for subnet in subnets):
        shown = ", ".join(f"{subnet.subnet_id} AvailableIpAddressCount={subnet.available_ips}" for subnet in subnets)
        yield Finding(
            "subnets-full",
            Outcome.PROBLEM,
            f"no subnet of {used_by} has {addresses} free address{'es' if addresses > 1 else ''}",
            (network.subnets.evidence(shown),),
            "delete network interfaces that nobody uses, or add larger subnets",
        )


def _unreachable(
    network: Network, subnets: Collection[Subnet], services: Collection[str], used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    if network.route_tables.value is None or network.endpoints.value is None:
        return
    cut_off: dict[tuple[Subnet, ...], list[str]] = {}
    for service in sorted(services):
        subnets_without = tuple(subnet for subnet in subnets if not _reaches(network, subnet, service, public_ip))
        if subnets_without:
            cut_off.setdefault(subnets_without, []).append(service)
    for without, missing in cut_off.items():
        names = ", ".join(subnet.subnet_id for subnet in without)
        shown = ", ".join("the internet" if service == INTERNET else service for service in missing)
        yield Finding(
            "s3-unreachable" if missing == ["s3"] else "service-unreachable",
            Outcome.PROBLEM,
            f"{used_by} cannot reach {shown} from {names}: no endpoint and no way out of the VPC",
            (
                network.route_tables.evidence("; ".join(_route_shown(network, subnet) for subnet in without)),
                network.endpoints.evidence(_endpoints_shown(network)),
            ),
            _fix_of(missing),
            Likelihood.LIKELY,
        )


def _reaches(network: Network, subnet: Subnet, service: str, public_ip: bool | None) -> bool:
    table = network.route_table_of(subnet)
    if table is None:
        return True  # no table was described: nothing is known, nobody is blamed
    outward = table.default_target
    has_public_ip = subnet.gives_public_ip if public_ip is None else public_ip
    if outward and (has_public_ip or not outward.startswith("igw-")):
        return True
    return any(
        endpoint.service == service
        and endpoint.state == "available"
        and (
            endpoint.kind == "Interface"
            or table.route_table_id in endpoint.route_table_ids
            or endpoint.endpoint_id in table.gateway_endpoint_ids
        )
        for endpoint in network.endpoints.value or ()
    )


def _closed_ports(network: Network, services: Collection[str], used_by: str) -> Iterator[Finding]:
    groups = {group.group_id: group for group in network.groups.value or ()}
    own = [groups[group_id] for group_id in network.group_ids if group_id in groups]
    if not services or not own:
        return
    if not any(rule.admits(HTTPS) for group in own for rule in group.egress):
        yield Finding(
            "egress-closed",
            Outcome.PROBLEM,
            f"the security groups of {used_by} let nothing out to port {HTTPS}: {', '.join(network.group_ids)}",
            (network.groups.evidence(f"egress of {', '.join(network.group_ids)}: no rule for TCP {HTTPS}"),),
            f"allow egress on TCP {HTTPS} to the endpoints' security group and to the S3 prefix list",
            Likelihood.LIKELY,
        )
        return
    for endpoint in network.endpoints.value or ():
        guards = [groups[group_id] for group_id in endpoint.group_ids if group_id in groups]
        if endpoint.service in services and guards and not _admits(guards, own):
            yield Finding(
                "endpoint-closed",
                Outcome.PROBLEM,
                f"endpoint {endpoint.endpoint_id} ({endpoint.service}) lets {used_by} not in on port {HTTPS}",
                (network.groups.evidence(f"ingress of {', '.join(endpoint.group_ids)}"),),
                f"allow ingress on TCP {HTTPS} from {network.group_ids[0]} in {endpoint.group_ids[0]}",
                Likelihood.LIKELY,
            )


def _admits(guards: Collection[SecurityGroup], own: Collection[SecurityGroup]) -> bool:
    """By group or by any range of addresses: whether a range holds the subnet is not judged here."""
    names = {group.group_id for group in own}
    return any(
        rule.admits(HTTPS) and any(peer in names or "/" in peer or peer.startswith("pl-") for peer in rule.peers)
        for guard in guards
        for rule in guard.ingress
    )


def _route_shown(network: Network, subnet: Subnet) -> str:
    table = network.route_table_of(subnet)
    if table is None:
        return f"{subnet.subnet_id}: no route table"
    return f"{subnet.subnet_id} ({table.route_table_id}): {ANY_ADDRESS} -> {table.default_target or 'no route'}"


def _endpoints_shown(network: Network) -> str:
    found: Collection[VpcEndpoint] = network.endpoints.value or ()
    return ", ".join(f"{each.service} ({each.kind})" for each in found) or "no endpoints"


def _fix_of(services: Sequence[str]) -> str:
    """Endpoints for what has endpoints; for the internet there is none."""
    kinds = ["a gateway endpoint for S3 on the subnets' route tables"] if "s3" in services else []
    interfaces = [service for service in services if service not in ("s3", INTERNET)]
    if interfaces:
        kinds.append(f"interface endpoints for {', '.join(interfaces)}")
    if INTERNET in services:
        others = f", and {' and '.join(kinds)}" if kinds else ""
        return f"add a route to a NAT gateway; without one it takes an image of a private ECR repository{others}"
    return f"add {' and '.join(kinds)}, or a route to a NAT gateway"
