from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only
from tests.unit.preflight.small_vpc import batch, gateway, interface, nat, ref, resource, vpc
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.network_acl import RULE, find
from trainworks.preflight.settings import CheckSettings

ECS = ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs")
EPHEMERAL = {"From": 1024, "To": 65535}
HTTPS = {"From": 443, "To": 443}
ANYWHERE = "0.0.0.0/0"


def _faults(*pieces: dict[str, Any]) -> list[Fault]:
    template = {key: value for piece in pieces for key, value in piece.items()}
    parameters = {"Anything": {"Type": "String"}, "Number": {"Type": "Number"}}
    return list(find(draft_of({"Parameters": parameters, "Resources": template}).graph(), CheckSettings()))


def entry(number: Any, *, out: bool, ports: Any = None, acl: Any = None, **more: Any) -> dict[str, Any]:
    ranges = {} if ports is None else {"PortRange": ports}
    settings = {"Protocol": 6 if ports else -1, "RuleAction": "allow", "CidrBlock": ANYWHERE, **ranges, **more}
    return resource("EC2::NetworkAclEntry", NetworkAclId=acl or ref("Acl"), RuleNumber=number, Egress=out, **settings)


def acl(*entries: dict[str, Any], subnet: str = "Subnet") -> dict[str, Any]:
    return {
        "Acl": resource("EC2::NetworkAcl", VpcId=ref("Vpc")),
        "AclOfSubnet": resource("EC2::SubnetNetworkAclAssociation", SubnetId=ref(subnet), NetworkAclId=ref("Acl")),
        **{f"Entry{number}": each for number, each in enumerate(entries)},
    }


OUT, BACK = entry(100, out=True, ports=HTTPS), entry(100, out=False, ports=EPHEMERAL)
DENY = entry(90, out=True, ports={"From": 0, "To": 65535}, RuleAction="deny")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((OUT, BACK), ""),
        ((), "does not let TCP 443 out to addresses outside the VPC"),
        ((OUT,), "does not let all of TCP 32768 to 60999, the ports of answers, in from addresses outside"),
        ((BACK,), "does not let TCP 443 out"),
        ((OUT, entry(100, out=False, ports={"From": 49152, "To": 65535})), "ports of answers, in from"),
        ((OUT, BACK, entry(50, out=False, ports={"From": 40000, "To": 40000}, RuleAction="deny")), "ports of answers"),
        ((OUT, BACK, DENY), "does not let TCP 443 out"),
        ((OUT, BACK, {**DENY, "Properties": {**DENY["Properties"], "RuleNumber": 110}}), ""),
        ((entry(100, out=True, ports=HTTPS, Protocol=17), BACK), "does not let TCP 443 out"),
        ((entry(1, out=True, CidrBlock="10.0.0.0/16"), BACK), "does not let TCP 443 out"),
        ((entry(1, out=True, CidrBlock="52.92.0.0/14"), BACK), ""),  # where S3 is, nobody here knows
        ((entry(1, out=True, CidrBlock=None, Ipv6CidrBlock="::/0"), BACK), "does not let TCP 443 out"),
        ((entry(ref("Number"), out=True, CidrBlock="10.0.0.0/16"),), ""),
        ((entry(1, out=True, CidrBlock=ref("Anything")), BACK), ""),
        ((entry(1, out=True, ports={"From": ref("Number"), "To": 443}), BACK), ""),
        ((entry(1, out=True, RuleAction=ref("Anything")), BACK), ""),
    ],
)
def test_both_ways_to_a_gateway(entries: tuple[dict[str, Any], ...], said: str) -> None:
    doors = [interface(each) for each in ECS]
    found = _faults(vpc(), gateway(), *doors, batch(), acl(*entries))
    assert said in found[0].message if said else not found, found
    assert all("NetworkAclEntry" in each.fix for each in found)


def test_the_default_acl_of_the_platform_is_closed(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod")
    template = draft.template("Network")["Resources"]
    vpc_id = next(name for name, body in template.items() if body["Type"] == "AWS::EC2::VPC")
    default = {"Fn::GetAtt": [vpc_id, "DefaultNetworkAcl"]}
    template["Closed"] = entry(10, out=False, ports=EPHEMERAL, acl=default, RuleAction="deny")
    found = only(draft, RULE)
    assert {each.place for each in found} == {"TrainingJobConfig", "Batch/Spot", "Batch/OnDemand"}
    assert all(each.is_error and "ports of answers, in from" in each.message for each in found)


def test_an_endpoint_in_the_same_subnet_is_met_within() -> None:
    doors = [interface(each) for each in ECS]
    (found,) = _faults(vpc(), gateway(), *doors, batch(), acl())
    assert "s3" in found.message
    assert "logs" not in found.message


def _elsewhere(*entries: dict[str, Any]) -> list[Fault]:
    """The endpoints are in another subnet, which has the ACL."""
    other = {"Doors": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.5.0/24")}
    doors = [interface(each, SubnetIds=[ref("Doors")]) for each in ECS]
    return _faults(vpc(), gateway(), other, *doors, batch(), acl(*entries, subnet="Doors"))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((entry(1, out=True), entry(1, out=False)), ""),
        ((OUT, BACK), "does not let TCP 443 in from 10.0.0.0/24"),
        ((entry(1, out=False, ports=HTTPS, CidrBlock="10.0.0.0/16"),), "ports of answers, out to 10.0.0.0/24"),
        ((entry(1, out=False, CidrBlock="10.0.0.128/25"), entry(1, out=True)), ""),  # the half of the subnet
        ((entry(1, out=False, CidrBlock="10.0.1.0/24"), entry(1, out=True)), "does not let TCP 443 in"),
    ],
)
def test_the_acl_of_the_endpoints_subnet_counts_too(entries: tuple[dict[str, Any], ...], said: str) -> None:
    found = _elsewhere(*entries)
    assert said in found[0].message if said else not found, found


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((entry(1, out=True), entry(1, out=False)), ""),
        ((OUT, BACK), "does not let TCP 443 in from 10.0.0.0/24"),
        ((OUT, BACK, entry(2, out=False, ports=HTTPS)), "ports of answers, out to 10.0.0.0/24"),
        (
            (OUT, entry(2, out=False, ports={"From": 32768, "To": 65535}), entry(3, out=False, ports=HTTPS),
             entry(3, out=True, ports=EPHEMERAL)),
            "does not let all of TCP 1024 to 65535",
        ),
        ((OUT, BACK, entry(2, out=False, ports=HTTPS), entry(3, out=True, ports=EPHEMERAL)), ""),
    ],
)  # fmt: skip
def test_the_acl_of_the_nat_gateways_subnet_counts_too(entries: tuple[dict[str, Any], ...], said: str) -> None:
    found = _faults(vpc(), nat(), batch(), acl(*entries, subnet="PublicSubnet"))
    assert said in found[0].message if said else not found, found


def test_the_default_acl_holds_where_no_other_is_chosen() -> None:
    default = {"Fn::GetAtt": ["Vpc", "DefaultNetworkAcl"]}
    closed = {"Closed": entry(10, out=True, acl=default, RuleAction="deny")}
    (found,) = _faults(vpc(), nat(), batch(), closed)
    assert "the default ACL of Vpc" in found.message
    assert _faults(vpc(), nat(), batch(), closed, acl(entry(1, out=True), entry(1, out=False))) != []
    opened = {**closed, "Closed": entry(200, out=True, acl=default, RuleAction="deny")}
    assert _faults(vpc(), nat(), batch(), opened) == []


def test_acls_out_of_sight_stop_nothing() -> None:
    association = {
        "AclOfSubnet": resource(
            "EC2::SubnetNetworkAclAssociation", SubnetId=ref("Subnet"), NetworkAclId=ref("Anything")
        )
    }
    assert _faults(vpc(), nat(), batch(), association) == []
