"""Findings about a network: subnets that are gone or full, services out of reach, and what is closed on the way.

    reach   routes and endpoints       closed ports   security groups, network ACLs       policies   of endpoints

What is unknown (a transit gateway, a peering) is a finding of its own, which blames nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from trainworks.aws.acl_stops import acl_stop
from trainworks.aws.arn import parts_of_arn
from trainworks.aws.endpoint_services import endpoint_service
from trainworks.aws.iam.partial.endpoints import lets_through
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import role_context, session_of
from trainworks.aws.image_layers import layer_bucket_arn, refuses_layers
from trainworks.aws.network_acls import AclStop
from trainworks.aws.reach import ANYWHERE, Reach, Reachability, Route, VpcEndpoint
from trainworks.aws.security_groups import HTTPS, SecurityGroups, Side, Stop
from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.finding import Finding, Likelihood, Outcome
from trainworks.doctor.network import Network, Subnet
from trainworks.doctor.roles import PermissionQuestion, RoleFacts


def network_findings(
    network: Network, services: Collection[str], *, used_by: str, addresses: int = 1, public_ip: bool | None = False
) -> Iterator[Finding]:
    """What keeps `used_by` from `addresses` network interfaces and from reaching `services`.

    `public_ip`: whether its interfaces get public addresses (without one, an internet gateway does not lead out);
    None leaves that to the subnet.
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
    yield from _closed_ports(network, subnets, services, used_by, public_ip)
    yield from _closed_acls(network, subnets, services, used_by, public_ip)
    yield from _untold(network, subnets, services, used_by, public_ip)


def without_internet(network: Network, *, public_ip: bool | None = False) -> tuple[str, ...] | None:
    """The subnets from which nothing outside AWS is reached; None if nobody could look."""
    if network.subnets.value is None or network.route_tables.value is None:
        return None
    subnets = network.subnets.value
    return tuple(each.subnet_id for each in subnets if answer(network, each, INTERNET, public_ip).reach is Reach.NO)


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
        subnets_without = tuple(
            subnet for subnet in subnets if answer(network, subnet, service, public_ip).reach is Reach.NO
        )
        if subnets_without:
            cut_off.setdefault(subnets_without, []).append(service)
    for without, missing in cut_off.items():
        names = ", ".join(subnet.subnet_id for subnet in without)
        shown = ", ".join("the internet" if service == INTERNET else service for service in missing)
        answers = (answer(network, subnet, service, public_ip) for subnet in without for service in missing)
        reasons = "; ".join(dict.fromkeys(each.reason for each in answers))
        yield Finding(
            "s3-unreachable" if missing == ["s3"] else "service-unreachable",
            Outcome.PROBLEM,
            f"{used_by} cannot reach {shown} from {names}: {reasons}",
            (
                network.route_tables.evidence("; ".join(_route_shown(network, subnet) for subnet in without)),
                network.endpoints.evidence(_endpoints_shown(network)),
            ),
            _fix_of(missing),
            Likelihood.LIKELY,
        )


def answer(network: Network, subnet: Subnet, service: str, public_ip: bool | None) -> Reachability:
    """Whether and by what a subnet reaches a service; `public_ip` as in `network_findings`. Without a table that was
    described nothing is known, and nobody is blamed."""
    facts = network.described.subnet(subnet.subnet_id, subnet.vpc_id)
    if facts is None:
        return Reachability(Reach.UNKNOWN)
    has_public_ip = subnet.gives_public_ip if public_ip is None else public_ip
    return network.described.facts.reach(facts, service, has_public_ip)


def _closed_ports(
    network: Network, subnets: Collection[Subnet], services: Collection[str], used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    """Looks only at what routes and endpoints make reachable; `_unreachable` reports the rest."""
    groups = SecurityGroups({group.group_id: group.rules for group in network.groups.value or ()})
    if not network.group_ids or not groups.knows_all(network.group_ids):
        return
    blocks = {subnet.subnet_id: subnet.cidr_block for subnet in subnets}
    outward: list[str] = []
    inward: dict[VpcEndpoint, str] = {}
    for service in sorted(services):
        for subnet in subnets:
            found = answer(network, subnet, service, public_ip)
            if found.reach is not Reach.YES:
                continue
            side = Side(network.group_ids, subnet.cidr_block)
            stop = groups.stopped(side, found.endpoint, lambda subnet_id: blocks.get(subnet_id, ""))
            if stop is Stop.OUT:
                outward.append("the internet" if service == INTERNET else service)
            elif stop is Stop.IN and found.endpoint is not None:
                inward[found.endpoint] = service
    if outward:
        yield Finding(
            "egress-closed",
            Outcome.PROBLEM,
            f"the security groups of {used_by} ({', '.join(network.group_ids)}) allow no egress on port {HTTPS} to "
            f"{', '.join(dict.fromkeys(outward))}",
            (network.groups.evidence(f"egress of {', '.join(network.group_ids)}: no rule for TCP {HTTPS}"),),
            f"allow egress on TCP {HTTPS} to the endpoints' security group and to the S3 prefix list",
            Likelihood.LIKELY,
        )
    for endpoint, service in inward.items():
        yield Finding(
            "endpoint-closed",
            Outcome.PROBLEM,
            f"endpoint {endpoint.endpoint_id} ({service}) does not accept {used_by} on port {HTTPS}",
            (network.groups.evidence(f"ingress of {', '.join(endpoint.security_groups)}"),),
            f"allow ingress on TCP {HTTPS} from {network.group_ids[0]} in {', '.join(endpoint.security_groups)}",
            Likelihood.LIKELY,
        )


def _closed_acls(
    network: Network, subnets: Collection[Subnet], services: Collection[str], used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    """Of what routes and endpoints make reachable, too."""
    if network.acls is None:
        return
    stops: dict[AclStop, list[str]] = {}
    for service in sorted(services):
        for subnet in subnets:
            stop = acl_stopping(network, subnet, service, public_ip)
            if stop is not None:
                stops.setdefault(stop, []).append("the internet" if service == INTERNET else service)
    for stop, closed in stops.items():
        yield Finding(
            "acl-closed",
            Outcome.PROBLEM,
            f"{used_by} cannot reach {', '.join(dict.fromkeys(closed))}: {stop}",
            (network.acls.evidence(f"{'outbound' if stop.outward else 'inbound'} entries of {stop.acl_id}"),),
            stop.fix,
            Likelihood.LIKELY,
        )


def acl_stopping(network: Network, subnet: Subnet, service: str, public_ip: bool | None) -> AclStop | None:
    """Where network ACLs certainly block the route that a subnet has to a service; None also if there is no route."""
    facts = network.described.subnet(subnet.subnet_id, subnet.vpc_id)
    found = answer(network, subnet, service, public_ip)
    if facts is None or found.reach is not Reach.YES:
        return None
    return acl_stop(facts, found, lambda each: network.described.subnet(each, subnet.vpc_id))


def _untold(
    network: Network, subnets: Collection[Subnet], services: Collection[str], used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    if network.route_tables.value is None or network.endpoints.value is None:
        return
    reasons: dict[str, list[str]] = {}
    for service in sorted(services):
        for found in (answer(network, subnet, service, public_ip) for subnet in subnets):
            if found.reach is Reach.UNKNOWN and found.reason:
                reasons.setdefault(found.reason, []).append("the internet" if service == INTERNET else service)
    for reason, missing in reasons.items():
        shown = ", ".join(dict.fromkeys(missing))
        yield Finding(
            "reach-unknown",
            Outcome.COULD_NOT_LOOK,
            f"whether {used_by} reaches {shown} cannot be told from here: {reason}",
            (network.route_tables.evidence("; ".join(_route_shown(network, subnet) for subnet in subnets)),),
            "look there for a way to the service, and back",
        )


def policy_findings(
    network: Network, role: RoleFacts | None, services: Collection[str], *, used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    """What a role is asked to do by way of endpoints of `services` whose policies do not let it through."""
    refused: dict[VpcEndpoint, list[PermissionQuestion]] = {}
    for question in role.questions if role is not None else ():
        service = endpoint_service(question.action)
        for subnet in network.subnets.value or () if service in services else ():
            found = answer(network, subnet, service, public_ip)
            endpoint = found.endpoint
            if role is None or endpoint is None or found.reach is not Reach.YES:
                continue
            known = dict(role_context(role.account, role.region))
            owner = parts_of_arn(question.resource).account
            caller = session_of(role.role_arn, role.account)
            context = {**known, "aws:resourceaccount": owner} if owner else known
            resource = f"{question.resource}*" if service == "s3" and "/" in question.resource else question.resource
            said = lets_through(endpoint.policy, endpoint.is_gateway, caller, question.action, resource, context)
            if said is PartialDecision.NO and question not in refused.setdefault(endpoint, []):
                refused[endpoint].append(question)
    for endpoint, questions in refused.items():
        asked = ", ".join(dict.fromkeys(f"{each.action} on {each.resource}" for each in questions))
        purposes = "; ".join(dict.fromkeys(each.purpose for each in questions))
        if questions:
            yield _refusing(network, endpoint, f"{used_by} cannot {purposes}", asked)


def endpoint_on_way(network: Network, action: str, public_ip: bool | None) -> str:
    """The id of the endpoint that calls of `action` go through; "" if there is none, or there are several."""
    answers = [answer(network, each, endpoint_service(action), public_ip) for each in network.subnets.value or ()]
    ids = {each.endpoint.endpoint_id for each in answers if each.endpoint is not None and each.reach is Reach.YES}
    return ids.pop() if len(ids) == 1 else ""


def layer_findings(
    network: Network, region: str, partition: str, *, used_by: str, public_ip: bool | None
) -> Iterator[Finding]:
    """Whether the S3 endpoint on the way shuts out the layers of an image of ECR."""
    bucket = layer_bucket_arn(partition, region)
    found = {answer(network, subnet, "s3", public_ip) for subnet in network.subnets.value or ()}
    for endpoint in dict.fromkeys(each.endpoint for each in found if each.reach is Reach.YES):
        if endpoint is not None and refuses_layers(endpoint, bucket):
            yield _refusing(network, endpoint, f"{used_by} cannot pull its image", f"s3:GetObject on {bucket}/*")


def _refusing(network: Network, endpoint: VpcEndpoint, cannot: str, asked: str) -> Finding:
    return Finding(
        "endpoint-policy-denies",
        Outcome.PROBLEM,
        f"{cannot}: the policy of {endpoint.endpoint_id} ({endpoint.service}) does not let {asked} through",
        (network.endpoints.evidence(f"PolicyDocument of {endpoint.endpoint_id}"),),
        f"allow {asked} in the endpoint's policy: aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.endpoint_id} "
        "--policy-document file://policy.json",
        Likelihood.LIKELY,
    )


def _route_shown(network: Network, subnet: Subnet) -> str:
    facts = network.described.subnet(subnet.subnet_id, subnet.vpc_id)
    if facts is None:
        return f"{subnet.subnet_id}: no route table"
    default: Route | None = next((route for route in facts.table.routes if route.is_default), None)
    led = "no route" if default is None else f"{default.gateway or default.target} ({default.target})"
    return f"{subnet.subnet_id} ({facts.table.table_id}): {ANYWHERE} -> {led}"


def _endpoints_shown(network: Network) -> str:
    found: Collection[VpcEndpoint] = network.endpoints.value or ()
    kinds = {True: "Gateway", False: "Interface"}
    return ", ".join(f"{each.service} ({kinds[each.is_gateway]})" for each in found) or "no endpoints"


def _fix_of(services: Sequence[str]) -> str:
    """Endpoints for what has endpoints; for the internet there is none."""
    kinds = ["a gateway endpoint for S3 on the subnets' route tables"] if "s3" in services else []
    interfaces = [service for service in services if service not in ("s3", INTERNET)]
    if interfaces:
        kinds.append(f"interface endpoints for {', '.join(interfaces)}")
    if INTERNET in services:
        others = f", and {' and '.join(kinds)}" if kinds else ""
        return f"add a route to a NAT gateway; without one, use an image of a private ECR repository{others}"
    return f"add {' and '.join(kinds)}, or a route to a NAT gateway"
