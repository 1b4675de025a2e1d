"""How subnets reach services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.preflight.small_vpc import (
    default_route,
    gateway,
    interface,
    nat,
    public,
    ref,
    resource,
    vpc,
)
from trainworks.assembly.graph import Unknown, graph_of_template
from trainworks.aws.reach import Reach
from trainworks.aws.service_needs import INTERNET
from trainworks.preflight.network import Network, ResourceReachability


def _answer(
    resources: Mapping[str, Any], service: str = "s3", *, address: bool | Unknown = False, subnet: str = "Subnet"
) -> ResourceReachability:
    parameters = {"Anything": {"Type": "String"}}
    graph = graph_of_template({"Parameters": parameters, "Resources": resources}, region="eu-west-1")
    network = Network(graph)
    found = network.subnet(graph.resource(subnet).physical_id)
    assert found is not None
    return network.reach(found, service, address)


def _reach(*pieces: Mapping[str, Any], service: str = "s3", address: bool | Unknown = False) -> Reach:
    return _answer({key: value for piece in pieces for key, value in piece.items()}, service, address=address).reach


def test_local_routes_lead_nowhere() -> None:
    answer = _answer(vpc())
    assert answer.reach is Reach.NO
    assert answer.reason == "no route leads out of the VPC"


def test_without_an_association_the_main_table_holds() -> None:
    pieces = {**vpc(), **public()}
    del pieces["Association"]
    assert _reach(pieces, address=True) is Reach.NO


def test_a_gateway_endpoint_serves_its_service_and_route_tables_only() -> None:
    assert _reach(vpc(), gateway()) is Reach.YES
    assert _reach(vpc(), gateway("dynamodb")) is Reach.NO
    other = {"Other": resource("EC2::RouteTable", VpcId=ref("Vpc"))}
    answer = _answer({**vpc(), **gateway(table="Other"), **other})
    assert answer.reach is Reach.NO
    assert "Gateways3 does not serve its route table" in answer.reason


def test_the_internet_gateway_needs_an_address_and_an_attachment() -> None:
    assert _reach(vpc(), public(), address=True) is Reach.YES
    assert _reach(vpc(), public(), address=Unknown("it depends")) is Reach.UNKNOWN
    answer = _answer({**vpc(), **public()})
    assert answer.reach is Reach.NO
    assert "without a public address" in answer.reason
    loose = vpc()
    del loose["Attachment"]
    assert _reach(loose, public(), address=True) is Reach.NO


def test_a_nat_gateway_needs_no_address_but_a_public_subnet() -> None:
    assert _reach(vpc(), nat()) is Reach.YES
    assert _reach(vpc(), nat(), service=INTERNET) is Reach.YES
    lost = nat()
    del lost["PublicRoute"]
    answer = _answer({**vpc(), **lost})
    assert answer.reach is Reach.NO
    assert "Nat is in a subnet without a way" in answer.reason


def test_nat_gateways_in_a_circle_lead_nowhere() -> None:
    circle = nat()
    circle["PublicRoute"] = default_route("PublicTable", NatGatewayId=ref("Nat"))
    assert _reach(vpc(), circle) is Reach.NO


def test_a_private_nat_gateway_leads_elsewhere() -> None:
    private = nat()
    private["Nat"]["Properties"]["ConnectivityType"] = "private"
    assert _reach(vpc(), private) is Reach.UNKNOWN


@pytest.mark.parametrize(
    "target",
    [
        {"TransitGatewayId": "tgw-1"},
        {"VpcPeeringConnectionId": "pcx-1"},
        {"NetworkInterfaceId": "eni-1"},
        {"GatewayId": "vgw-1"},
        {"GatewayId": {"Ref": "Anything"}},
        {"VpcEndpointId": "vpce-1"},
    ],
)
def test_what_leads_out_of_sight_is_unknown(target: dict[str, Any]) -> None:
    assert _reach(vpc(), {"Route": default_route("Table", **target)}) is Reach.UNKNOWN


def test_a_subnet_of_another_stacks_vpc_is_unknown() -> None:
    foreign = {"Subnet": resource("EC2::Subnet", VpcId="vpc-0123", CidrBlock="10.0.0.0/24")}
    assert _reach(foreign) is Reach.UNKNOWN


def test_an_unknown_route_table_is_unknown() -> None:
    pieces = vpc()
    pieces["Association"]["Properties"]["RouteTableId"] = ref("Anything")
    assert _reach(pieces) is Reach.UNKNOWN


def test_propagated_routes_are_unknown() -> None:
    propagation = resource("EC2::VPNGatewayRoutePropagation", RouteTableIds=[ref("Table")], VpnGatewayId="vgw-1")
    assert _reach(vpc(), {"Propagation": propagation}) is Reach.UNKNOWN


def test_an_interface_endpoint_is_found_by_its_private_name() -> None:
    assert _reach(vpc(), interface("logs"), service="logs") is Reach.YES
    assert _reach(vpc(), interface("logs"), service="ecs") is Reach.NO


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PrivateDnsEnabled": False}, "private DNS of Endpointlogs is off"),
        ({"SubnetIds": []}, "has no subnets"),
        ({"DnsOptions": {"PrivateDnsOnlyForInboundResolverEndpoint": "OnlyInboundResolver"}}, "from outside the VPC"),
    ],
)
def test_an_interface_endpoint_that_nobody_finds(changes: dict[str, Any], words: str) -> None:
    answer = _answer({**vpc(), **interface("logs", **changes)}, "logs")
    assert answer.reach is Reach.NO
    assert words in answer.reason


def test_private_names_need_host_names_in_the_vpc() -> None:
    pieces = {**vpc(), **interface("logs")}
    del pieces["Vpc"]["Properties"]["EnableDnsHostnames"]
    answer = _answer(pieces, "logs")
    assert answer.reach is Reach.NO
    assert "EnableDnsHostnames" in answer.reason


def test_a_hosted_zone_may_lead_to_the_endpoint() -> None:
    zone = resource("Route53::HostedZone", Name="logs.eu-west-1.amazonaws.com", VPCs=[{"VPCId": ref("Vpc")}])
    assert _reach(vpc(), interface("logs", PrivateDnsEnabled=False), {"Zone": zone}, service="logs") is Reach.UNKNOWN


def test_an_endpoint_of_an_unknown_service_may_be_the_one() -> None:
    endpoint = interface("logs", ServiceName=ref("Anything"))
    assert _reach(vpc(), endpoint, service="logs") is Reach.UNKNOWN
    assert _reach(vpc(), endpoint, service=INTERNET) is Reach.NO


def test_the_endpoint_wins_over_the_nat_gateway() -> None:
    answer = _answer({**vpc(), **nat(), **interface("logs")}, "logs")
    assert answer.endpoint is not None
    assert answer.endpoint.place == "Endpointlogs"


_PIECES: dict[str, dict[str, Any]] = {
    "public": public(),
    "nat": {key: value for key, value in nat().items() if key != "NatRoute"},
    "nat route": {**nat()},
    "s3 gateway": gateway(),
    "dynamodb gateway": gateway("dynamodb"),
    "logs endpoint": interface("logs"),
    "logs endpoint without DNS": {"Hidden": interface("logs", PrivateDnsEnabled=False)["Endpointlogs"]},
    "s3 endpoint": interface("s3"),
    "transit": {
        "Transit": resource(
            "EC2::Route", RouteTableId=ref("Table"), DestinationCidrBlock="10.9.0.0/16", TransitGatewayId="tgw-1"
        )
    },
    "unnamed endpoint": {"Unnamed": interface("x", ServiceName=ref("Anything"))["Endpointx"]},
}
_SERVICES = st.sampled_from(["s3", "dynamodb", "logs", "ecs", INTERNET])
_CHOSEN = st.sets(st.sampled_from(sorted(_PIECES)))


@given(fewer=_CHOSEN, more=_CHOSEN, service=_SERVICES, address=st.booleans())
def test_another_route_or_endpoint_never_takes_a_way_away(
    fewer: set[str], more: set[str], service: str, address: bool
) -> None:
    less = _reach(vpc(), *(_PIECES[each] for each in sorted(fewer)), service=service, address=address)
    whole = _reach(vpc(), *(_PIECES[each] for each in sorted(fewer | more)), service=service, address=address)
    assert whole >= less


@given(chosen=_CHOSEN, service=_SERVICES, address=st.booleans())
def test_without_routes_and_endpoints_nothing_is_reached(chosen: set[str], service: str, address: bool) -> None:
    pieces = {**vpc(), **{key: value for each in sorted(chosen) for key, value in _PIECES[each].items()}}
    kept = {
        key: value for key, value in pieces.items() if value["Type"] not in ("AWS::EC2::Route", "AWS::EC2::VPCEndpoint")
    }
    assert _reach(kept, service=service, address=address) is Reach.NO


@given(chosen=_CHOSEN, service=_SERVICES)
def test_a_public_address_never_takes_a_way_away(chosen: set[str], service: str) -> None:
    pieces = [vpc(), *(_PIECES[each] for each in sorted(chosen))]
    assert _reach(*pieces, service=service, address=True) >= _reach(*pieces, service=service, address=False)
