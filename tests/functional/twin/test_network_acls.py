"""Network ACLs by boto3 and by CloudFormation: what decides of them is kept, and told."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin

ENTRY = {"Protocol": "6", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 443, "To": 443}}


class Vpc:
    """A VPC with two subnets, and an ACL that none of them has yet."""

    def __init__(self, twin: TestTwin) -> None:
        self.ec2 = twin.client("ec2")
        self.id = self.ec2.create_vpc(CidrBlock="10.11.0.0/16")["Vpc"]["VpcId"]
        blocks = ("10.11.0.0/24", "10.11.1.0/24")
        self.subnets = [self.ec2.create_subnet(VpcId=self.id, CidrBlock=each)["Subnet"]["SubnetId"] for each in blocks]
        self.acl = self.ec2.create_network_acl(VpcId=self.id)["NetworkAcl"]["NetworkAclId"]

    def acls(self, **filters: str) -> list[dict[str, Any]]:
        wanted = {
            "vpc-id": self.id,
            **{name.replace("__", ".").replace("_", "-"): each for name, each in filters.items()},
        }
        given = [{"Name": name, "Values": [each]} for name, each in wanted.items()]
        found: list[dict[str, Any]] = self.ec2.describe_network_acls(Filters=given)["NetworkAcls"]
        return found

    def put(self, number: int, *, egress: bool, **more: Any) -> None:
        self.ec2.create_network_acl_entry(NetworkAclId=self.acl, RuleNumber=number, Egress=egress, **{**ENTRY, **more})


@pytest.fixture
def vpc(twin: TestTwin) -> Vpc:
    return Vpc(twin)


def code(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def test_an_entry_is_told_as_it_was_given(vpc: Vpc) -> None:
    vpc.put(100, egress=True)
    vpc.put(100, egress=False, PortRange={"From": 1024, "To": 65535}, RuleAction="deny")
    vpc.ec2.create_network_acl_entry(
        NetworkAclId=vpc.acl, RuleNumber=7, Egress=True, Protocol="58", RuleAction="allow", Ipv6CidrBlock="::/0",
        IcmpTypeCode={"Type": 128, "Code": -1},
    )  # fmt: skip
    [acl] = vpc.acls(network_acl_id=vpc.acl)
    told = {(each["RuleNumber"], each["Egress"]): each for each in acl["Entries"]}
    assert told[100, True]["PortRange"] == {"From": 443, "To": 443}
    assert (told[100, False]["RuleAction"], told[100, False]["PortRange"]["To"]) == ("deny", 65535)
    assert told[7, True]["Ipv6CidrBlock"] == "::/0"
    assert told[7, True]["IcmpTypeCode"] == {"Type": 128, "Code": -1}
    vpc.ec2.replace_network_acl_entry(NetworkAclId=vpc.acl, RuleNumber=100, Egress=True, **{**ENTRY, "Protocol": "17"})
    assert [each["Protocol"] for each in vpc.acls(network_acl_id=vpc.acl)[0]["Entries"] if each["RuleNumber"] == 100]
    vpc.ec2.delete_network_acl_entry(NetworkAclId=vpc.acl, RuleNumber=7, Egress=True)
    assert {each["RuleNumber"] for each in vpc.acls(network_acl_id=vpc.acl)[0]["Entries"]} == {100}


def test_what_ec2_refuses(vpc: Vpc) -> None:
    vpc.put(100, egress=True)
    entry = {"NetworkAclId": vpc.acl, "RuleNumber": 100, "Egress": True, **ENTRY}
    create, replace = vpc.ec2.create_network_acl_entry, vpc.ec2.replace_network_acl_entry
    assert code(create, **entry) == "NetworkAclEntryAlreadyExists"
    assert code(create, **{**entry, "RuleNumber": 32767}) == "InvalidParameterValue"
    assert code(create, **{**entry, "RuleNumber": 5, "CidrBlock": "nowhere"}) == "InvalidParameterValue"
    assert code(create, **{**entry, "RuleNumber": 5, "NetworkAclId": "acl-0"}) == "InvalidNetworkAclID.NotFound"
    without = {name: each for name, each in entry.items() if name != "PortRange"}
    assert code(create, **{**without, "RuleNumber": 5}) == "MissingParameter"
    assert code(replace, **{**entry, "Egress": False}) == "InvalidNetworkAclEntry.NotFound"
    delete = vpc.ec2.delete_network_acl_entry
    assert code(delete, NetworkAclId=vpc.acl, RuleNumber=3, Egress=True) == "InvalidNetworkAclEntry.NotFound"
    [default] = vpc.acls(default="true")
    assert code(vpc.ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"]) == "InvalidParameterValue"
    other = vpc.ec2.create_vpc(CidrBlock="10.12.0.0/16")["Vpc"]["VpcId"]
    foreign = vpc.ec2.create_network_acl(VpcId=other)["NetworkAcl"]["NetworkAclId"]
    association = default["Associations"][0]["NetworkAclAssociationId"]
    move = vpc.ec2.replace_network_acl_association
    assert code(move, AssociationId=association, NetworkAclId=foreign) == "InvalidParameterValue"
    assert code(move, AssociationId="aclassoc-0", NetworkAclId=vpc.acl) == "InvalidAssociationID.NotFound"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"Protocol": each} for each in ("²", "9" * 6000, "256", "-2", "6 ")),
        *({"CidrBlock": each} for each in ("10.0.0.0", "10.0.0.0/255.0.0.0", "10.0.0.0/33", "10.0.0.0/٨", "::/0")),
        *({"CidrBlock": "", "Ipv6CidrBlock": each} for each in ("fe80::1%eth0/64", "::", "10.0.0.0/8")),
        *({"PortRange": {"From": first, "To": last}} for first, last in ((5, 1), (0, 65536), (-1, -1), (2**70, 2**70))),
        *({"Protocol": "1", "IcmpTypeCode": {"Type": kind, "Code": 0}} for kind in (256, -2, 2**70)),
        *({"RuleNumber": each} for each in ("٣", "9" * 18)),
    ],
)
def test_a_number_or_block_that_is_none_is_refused(twin: TestTwin, vpc: Vpc, wrong: dict[str, Any]) -> None:
    ec2 = twin.client("ec2", parameter_validation=False)
    entry = {"NetworkAclId": vpc.acl, "RuleNumber": 100, "Egress": True, **ENTRY, **wrong}
    assert code(ec2.create_network_acl_entry, **entry) in ("InvalidParameterValue", "MalformedInput")


def test_an_acl_has_as_many_entries_as_aws_gives_to_anybody(vpc: Vpc) -> None:
    for number in range(1, 41):
        vpc.put(number, egress=True)
    more = {"NetworkAclId": vpc.acl, "RuleNumber": 41, **ENTRY}
    assert code(vpc.ec2.create_network_acl_entry, **more, Egress=True) == "NetworkAclEntryLimitExceeded"
    vpc.put(41, egress=False)


def test_every_subnet_has_one(vpc: Vpc) -> None:
    [default] = vpc.acls(default="true")
    held = {each["SubnetId"]: each["NetworkAclAssociationId"] for each in default["Associations"]}
    assert set(held) == set(vpc.subnets)
    first, second = vpc.subnets
    moved = vpc.ec2.replace_network_acl_association(AssociationId=held[first], NetworkAclId=vpc.acl)["NewAssociationId"]
    [acl] = vpc.acls(association__subnet_id=first)
    assert (acl["NetworkAclId"], acl["Associations"][0]["NetworkAclAssociationId"]) == (vpc.acl, moved)
    assert [each["SubnetId"] for each in vpc.acls(default="true")[0]["Associations"]] == [second]
    assert code(vpc.ec2.delete_network_acl, NetworkAclId=vpc.acl) == "DependencyViolation"
    vpc.ec2.replace_network_acl_association(AssociationId=moved, NetworkAclId=default["NetworkAclId"])
    vpc.ec2.delete_network_acl(NetworkAclId=vpc.acl)
    assert {each["SubnetId"] for each in vpc.acls()[0]["Associations"]} == set(vpc.subnets)


def test_stacks_make_them_change_them_and_take_them_away(twin: TestTwin, vpc: Vpc) -> None:
    cloudformation, name = twin.client("cloudformation"), f"acls-{uuid.uuid4().hex[:8]}"

    def template(ports: dict[str, int]) -> str:
        entry = {"NetworkAclId": {"Ref": "Acl"}, "RuleNumber": 100, "Egress": True, **ENTRY, "PortRange": ports}
        resources = {
            "Acl": {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": vpc.id}},
            "Entry": {"Type": "AWS::EC2::NetworkAclEntry", "Properties": entry},
            "Association": {
                "Type": "AWS::EC2::SubnetNetworkAclAssociation",
                "Properties": {"SubnetId": vpc.subnets[0], "NetworkAclId": {"Ref": "Acl"}},
            },
        }
        return json.dumps({"Resources": resources})

    waiting = {"Delay": 1, "MaxAttempts": 120}
    cloudformation.create_stack(StackName=name, TemplateBody=template({"From": 443, "To": 443}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiting)
    [acl] = vpc.acls(association__subnet_id=vpc.subnets[0])
    assert [each["PortRange"] for each in acl["Entries"]] == [{"From": 443, "To": 443}]
    cloudformation.update_stack(StackName=name, TemplateBody=template({"From": 80, "To": 443}))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=waiting)
    [acl] = vpc.acls(association__subnet_id=vpc.subnets[0])
    assert [each["PortRange"] for each in acl["Entries"]] == [{"From": 80, "To": 443}]
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=waiting)
    assert {each["NetworkAclId"] for each in vpc.acls()}.isdisjoint({acl["NetworkAclId"]})
    assert {each["SubnetId"] for each in vpc.acls(default="true")[0]["Associations"]} == set(vpc.subnets)
