"""Resource types of network ACLs: the ACL, its entries, and its association with a subnet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.ec2 import Ec2Api, replace_tags, tag_specification, text_of, unless_gone
from trainworks.twin.resources.properties import changed, reject_unknown


class NetworkAcl:
    """`AWS::EC2::NetworkAcl`. Ref and `Id` are its id. A change of anything but its tags replaces it."""

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("VpcId", "Tags"))
        params = {"VpcId": str(request.properties["VpcId"]), **tag_specification("network-acl", request)}
        acl_id = text_of(self._ec2("CreateNetworkAcl", params), "networkAcl/networkAclId")
        return Resource(acl_id, {"Id": acl_id})

    def update(self, request: ResourceRequest) -> Resource:
        if "VpcId" in changed(request.previous_properties, request.properties):
            return self.create(request)
        replace_tags(self._ec2, request.physical_id, request)
        return Resource(request.physical_id, {"Id": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        params = {"NetworkAclId": request.physical_id}
        unless_gone(lambda: self._ec2("DeleteNetworkAcl", params), "InvalidNetworkAclID.NotFound")


class NetworkAclEntry:
    """`AWS::EC2::NetworkAclEntry`. Ref is made from ACL, direction and number; a change of these replaces it."""

    _known = (
        "CidrBlock", "Egress", "Icmp", "Ipv6CidrBlock", "NetworkAclId", "PortRange", "Protocol", "RuleAction",
        "RuleNumber",
    )  # fmt: skip
    _replacing = frozenset({"NetworkAclId", "RuleNumber", "Egress"})

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, self._known)
        self._ec2("CreateNetworkAclEntry", self._params(request.properties))
        return self._resource(request.properties)

    def update(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, self._known)
        if changed(request.previous_properties, request.properties) & self._replacing:
            return self.create(request)
        self._ec2("ReplaceNetworkAclEntry", self._params(request.properties))
        return Resource(request.physical_id, {"Id": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        params = self._place(request.properties)
        unless_gone(
            lambda: self._ec2("DeleteNetworkAclEntry", params),
            "InvalidNetworkAclID.NotFound",
            "InvalidNetworkAclEntry.NotFound",
        )

    def _resource(self, properties: Mapping[str, Any]) -> Resource:
        place = self._place(properties)
        way = "egress" if place["Egress"] == "true" else "ingress"
        name = f"{place['NetworkAclId']}-{way}-{place['RuleNumber']}"
        return Resource(name, {"Id": name})

    def _place(self, properties: Mapping[str, Any]) -> dict[str, str]:
        return {
            "NetworkAclId": str(properties.get("NetworkAclId", "")),
            "RuleNumber": str(properties.get("RuleNumber", "")),
            "Egress": str(properties.get("Egress", False)).lower(),
        }

    def _params(self, properties: Mapping[str, Any]) -> dict[str, str]:
        params = self._place(properties)
        for name in ("CidrBlock", "Ipv6CidrBlock", "Protocol", "RuleAction"):
            if properties.get(name) not in (None, ""):
                params[name] = str(properties[name])
        for member, names in (("PortRange", ("From", "To")), ("Icmp", ("Type", "Code"))):
            given = properties.get(member) or {}
            params |= {f"{member}.{name}": str(given[name]) for name in names if name in given}
        return params


class SubnetNetworkAclAssociation:
    """`AWS::EC2::SubnetNetworkAclAssociation`. Ref and `AssociationId` are its id. Any change replaces it.

    After its deletion the subnet has its VPC's default ACL again, unless it was given another one meanwhile.
    """

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("NetworkAclId", "SubnetId"))
        subnet_id = str(request.properties["SubnetId"])
        present = self._present("association.subnet-id", subnet_id)
        if present is None:
            raise ResourceError(f"The subnet ID '{subnet_id}' does not exist (InvalidSubnetID.NotFound)")
        return self._replaced(present, str(request.properties["NetworkAclId"]))

    def update(self, request: ResourceRequest) -> Resource:
        if not changed(request.previous_properties, request.properties):
            return Resource(request.physical_id, {"AssociationId": request.physical_id})
        return self.create(request)

    def delete(self, request: ResourceRequest) -> None:
        present = self._present("association.association-id", request.physical_id)
        if present is None:
            return
        subnet_id = str(request.properties["SubnetId"])
        vpc_id = text_of(self._ec2("DescribeSubnets", {"SubnetId.1": subnet_id}), "subnetSet/item/vpcId")
        answer = self._ec2("DescribeNetworkAcls", _filters({"vpc-id": vpc_id, "default": "true"}))
        self._replaced(present, text_of(answer, "networkAclSet/item/networkAclId"))

    def _replaced(self, association_id: str, acl_id: str) -> Resource:
        params = {"AssociationId": association_id, "NetworkAclId": acl_id}
        new_id = text_of(self._ec2("ReplaceNetworkAclAssociation", params), "newAssociationId")
        return Resource(new_id, {"AssociationId": new_id})

    def _present(self, name: str, value: str) -> str | None:
        member = {"association.subnet-id": "subnetId"}.get(name, "networkAclAssociationId")
        answer = self._ec2("DescribeNetworkAcls", _filters({name: value}))
        items = answer.iterfind("networkAclSet/item/associationSet/item")
        return next(
            (each.findtext("networkAclAssociationId") for each in items if each.findtext(member) == value), None
        )


def _filters(wanted: Mapping[str, str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for number, (name, value) in enumerate(wanted.items(), start=1):
        params |= {f"Filter.{number}.Name": name, f"Filter.{number}.Value.1": value}
    return params
