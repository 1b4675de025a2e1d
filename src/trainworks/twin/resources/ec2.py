"""Resource types of EC2 that the platform's networks use: security group rules, addresses, NAT gateways, flow logs.

Each is made by the EC2 API's own actions, so that `Describe...` shows what a template made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from trainworks.twin.ports import ApiError
from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.properties import changed, reject_unknown, tags_of


class Ec2Api(Protocol):
    """EC2's query API in process: action and flat parameters in, the answer's XML (without namespaces) out.

    Raises `ApiError` with EC2's code. Called on the server's event loop.
    """

    def __call__(self, action: str, params: Mapping[str, str]) -> Element: ...


class SecurityGroupRule:
    """`AWS::EC2::SecurityGroupIngress` and `SecurityGroupEgress`. Ref and `Id` are the rule's id."""

    compared = ()  # a rule's id comes of its content: it is there as declared, or it is not

    def __init__(self, ec2: Ec2Api, *, is_egress: bool) -> None:
        self._ec2 = ec2
        self._direction = "Egress" if is_egress else "Ingress"
        self._peer = "Destination" if is_egress else "Source"
        self._known = frozenset({
            "CidrIp", "CidrIpv6", "Description", "FromPort", "ToPort", "GroupId", "IpProtocol",
            f"{self._peer}PrefixListId", f"{self._peer}SecurityGroupId",
        })  # fmt: skip

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        reject_unknown(properties, self._known)
        params = {"GroupId": str(properties.get("GroupId", "")), **self._permission(properties)}
        answer = self._ec2(f"AuthorizeSecurityGroup{self._direction}", params)
        rule_id = text_of(answer, ".//securityGroupRuleId")
        return Resource(rule_id, {"Id": rule_id})

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) - {"Description"}:
            return self.create(request)
        # A new description: the rule's id stays, as in ModifySecurityGroupRules.
        rule = "SecurityGroupRule.1"
        params = {"GroupId": str(request.properties["GroupId"]), f"{rule}.SecurityGroupRuleId": request.physical_id}
        for name, value in self._flat_rule(request.properties).items():
            params[f"{rule}.SecurityGroupRule.{name}"] = value
        self._ec2("ModifySecurityGroupRules", params)
        return Resource(request.physical_id, {"Id": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        group_id = str(request.properties.get("GroupId", ""))
        params = {"GroupId": group_id, "SecurityGroupRuleId.1": request.physical_id}
        unless_gone(
            lambda: self._ec2(f"RevokeSecurityGroup{self._direction}", params),
            "InvalidGroup.NotFound",
            "InvalidSecurityGroupRuleId.NotFound",
        )

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        group_id = str(request.properties.get("GroupId", ""))
        params = {"Filter.1.Name": "group-id", "Filter.1.Value.1": group_id}
        answer = self._ec2("DescribeSecurityGroupRules", params)
        found = {each.text for each in answer.iter("securityGroupRuleId")}
        return {} if request.physical_id in found else None

    def _permission(self, properties: Mapping[str, Any]) -> dict[str, str]:
        peer = self._peer_of(properties)
        permission = {"IpProtocol": str(properties.get("IpProtocol", "-1"))}
        permission |= {name: str(properties[name]) for name in ("FromPort", "ToPort") if name in properties}
        list_name, member = {
            "CidrIp": ("IpRanges", "CidrIp"),
            "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
            f"{self._peer}PrefixListId": ("PrefixListIds", "PrefixListId"),
            f"{self._peer}SecurityGroupId": ("Groups", "GroupId"),
        }[peer]
        permission[f"{list_name}.1.{member}"] = str(properties[peer])
        if properties.get("Description"):
            permission[f"{list_name}.1.Description"] = str(properties["Description"])
        return {f"IpPermissions.1.{name}": value for name, value in permission.items()}

    def _flat_rule(self, properties: Mapping[str, Any]) -> dict[str, str]:
        peer = self._peer_of(properties)
        member = {
            "CidrIp": "CidrIpv4",
            "CidrIpv6": "CidrIpv6",
            f"{self._peer}PrefixListId": "PrefixListId",
            f"{self._peer}SecurityGroupId": "ReferencedGroupId",
        }[peer]
        rule = {"IpProtocol": str(properties.get("IpProtocol", "-1")), member: str(properties[peer])}
        rule |= {name: str(properties[name]) for name in ("FromPort", "ToPort") if name in properties}
        return rule | {"Description": str(properties.get("Description", ""))}

    def _peer_of(self, properties: Mapping[str, Any]) -> str:
        peers = ("CidrIp", "CidrIpv6", f"{self._peer}PrefixListId", f"{self._peer}SecurityGroupId")
        given = [name for name in peers if properties.get(name)]
        if len(given) != 1:
            raise ResourceError(f"Exactly one of {', '.join(peers)} must be specified")
        return given[0]


class ElasticIp:
    """`AWS::EC2::EIP`. Ref and `PublicIp` are the address; `AllocationId`."""

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("Domain", "Tags"))
        params = {"Domain": str(request.properties.get("Domain", "vpc")), **tag_specification("elastic-ip", request)}
        answer = self._ec2("AllocateAddress", params)
        public_ip, allocation_id = text_of(answer, "publicIp"), text_of(answer, "allocationId")
        return Resource(public_ip, {"PublicIp": public_ip, "AllocationId": allocation_id})

    def update(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("Domain", "Tags"))
        if "Domain" in changed(request.previous_properties, request.properties):
            return self.create(request)
        allocation_id = self._allocation_of(request.physical_id)
        replace_tags(self._ec2, allocation_id, request)
        return Resource(request.physical_id, {"PublicIp": request.physical_id, "AllocationId": allocation_id})

    def delete(self, request: ResourceRequest) -> None:
        allocation_id = self._allocation_of(request.physical_id)
        if allocation_id:
            self._ec2("ReleaseAddress", {"AllocationId": allocation_id})

    def _allocation_of(self, public_ip: str) -> str:
        answer = self._ec2("DescribeAddresses", {})
        items = [item for item in answer.iterfind("addressesSet/item") if item.findtext("publicIp") == public_ip]
        return items[0].findtext("allocationId", "") if items else ""


class NatGateway:
    """`AWS::EC2::NatGateway`. Ref and `NatGatewayId` are its id. All but its tags replaces it."""

    _known = ("AllocationId", "ConnectivityType", "SubnetId", "Tags")

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        reject_unknown(properties, self._known)
        is_public = properties.get("ConnectivityType", "public") == "public"
        if is_public != bool(properties.get("AllocationId")):
            raise ResourceError("A public NAT gateway needs an AllocationId, a private one must not have one")
        self._check_subnet(str(properties.get("SubnetId", "")))
        params = {name: str(properties[name]) for name in self._known[:3] if name in properties}
        answer = self._ec2("CreateNatGateway", {**params, **tag_specification("natgateway", request)})
        gateway_id = text_of(answer, "natGateway/natGatewayId")
        return Resource(gateway_id, {"NatGatewayId": gateway_id})

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) - {"Tags"}:
            return self.create(request)
        replace_tags(self._ec2, request.physical_id, request)
        return Resource(request.physical_id, {"NatGatewayId": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        params = {"NatGatewayId": request.physical_id}
        unless_gone(lambda: self._ec2("DeleteNatGateway", params), "NatGatewayNotFound")

    def _check_subnet(self, subnet_id: str) -> None:
        """Stock takes any subnet; EC2 does not."""
        answer = self._ec2("DescribeSubnets", {"SubnetId.1": subnet_id})
        if answer.find("subnetSet/item") is None:
            raise ResourceError(f"The subnet ID '{subnet_id}' does not exist (InvalidSubnetID.NotFound)")


class FlowLog:
    """`AWS::EC2::FlowLog`, recorded: no traffic is logged. Ref and `Id` are its id. All but its tags replaces it."""

    _known = (
        "DeliverLogsPermissionArn", "LogDestination", "LogDestinationType", "LogGroupName", "MaxAggregationInterval",
        "ResourceType", "TrafficType", "ResourceId", "Tags",
    )  # fmt: skip

    def __init__(self, ec2: Ec2Api) -> None:
        self._ec2 = ec2

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        reject_unknown(properties, self._known)
        params = {name: str(properties[name]) for name in self._known[:7] if name in properties}
        params["ResourceId.1"] = str(properties["ResourceId"])
        answer = self._ec2("CreateFlowLogs", {**params, **tag_specification("vpc-flow-log", request)})
        flow_log_id = text_of(answer, "flowLogIdSet/item")
        # Stock reads the tags of the specification under another name than EC2's.
        replace_tags(self._ec2, flow_log_id, request)
        return Resource(flow_log_id, {"Id": flow_log_id})

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) - {"Tags"}:
            return self.create(request)
        replace_tags(self._ec2, request.physical_id, request)
        return Resource(request.physical_id, {"Id": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        self._ec2("DeleteFlowLogs", {"FlowLogId.1": request.physical_id})


def text_of(answer: Element, path: str) -> str:
    """The text at a path of an answer, which has to have one."""
    found = answer.findtext(path, "")
    if not found:
        raise ResourceError(f"EC2 answered without {path}")
    return found


def unless_gone(operation: Any, *codes: str) -> None:
    """Run a deletion; what is gone already is fine."""
    try:
        operation()
    except ApiError as error:
        if error.code not in codes:
            raise


def tag_specification(resource_type: str, request: ResourceRequest) -> dict[str, str]:
    """The resource's tags as parameters of the action that makes it."""
    params = {"TagSpecification.1.ResourceType": resource_type}
    for number, (key, value) in enumerate(tags_of(request.properties).items(), start=1):
        params[f"TagSpecification.1.Tag.{number}.Key"] = key
        params[f"TagSpecification.1.Tag.{number}.Value"] = value
    return params


def replace_tags(ec2: Ec2Api, resource_id: str, request: ResourceRequest) -> None:
    """Give a resource the tags that are new, and take off those that are gone."""
    old, new = tags_of(request.previous_properties), tags_of(request.properties)
    resource = {"ResourceId.1": resource_id}
    dropped = {f"Tag.{number}.Key": key for number, key in enumerate(sorted(old.keys() - new.keys()), start=1)}
    if dropped:
        ec2("DeleteTags", {**resource, **dropped})
    if new:
        params = dict(resource)
        for number, (key, value) in enumerate(new.items(), start=1):
            params |= {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
        ec2("CreateTags", params)
