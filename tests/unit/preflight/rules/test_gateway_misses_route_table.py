from __future__ import annotations

from collections.abc import Callable

from tests.unit.preflight.draft import Draft, draft_of, only
from tests.unit.preflight.small_vpc import batch, gateway, nat, vpc
from trainworks.preflight.rules.gateway_misses_route_table import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]


def test_public_subnets_left_out(platform: Platform) -> None:
    draft = platform("dev")
    tables = draft.properties("Network/Vpc/S3")["RouteTableIds"]
    tables[:] = [each for each in tables if "Isolated" in each["Ref"]]
    (found,) = only(draft, RULE)
    assert not found.is_error
    assert found.place == "Network/Vpc/S3"
    assert "PublicSubnet1" in found.message
    assert "Batch hosts" in found.message


def test_private_subnets_left_out(platform: Platform) -> None:
    draft = platform("staging")
    tables = draft.properties("Network/Vpc/S3")["RouteTableIds"]
    tables[:] = [each for each in tables if "PrivateSubnet1" not in each["Ref"]]
    (found,) = only(draft, RULE)
    assert "Network/Vpc/PrivateSubnet1/Subnet" in found.message
    assert "notebook instance" in found.message


def test_no_gateway_at_all_is_no_gap_of_one() -> None:
    graph = draft_of({**vpc(), **nat(), **batch()}).graph()
    assert list(find(graph, CheckSettings())) == []


def test_route_tables_that_are_unknown() -> None:
    endpoint = gateway()
    endpoint["Gateways3"]["Properties"]["RouteTableIds"] = [{"Ref": "Tables"}]
    template = {"Parameters": {"Tables": {"Type": "String"}}, "Resources": {**vpc(), **nat(), **batch(), **endpoint}}
    assert list(find(draft_of(template).graph(), CheckSettings())) == []


def test_only_subnets_of_workloads_count() -> None:
    graph = draft_of({**vpc(), **nat(), **batch(), **gateway()}).graph()
    assert list(find(graph, CheckSettings())) == []
