"""Network ACLs with all that decides: ports of entries, one entry for each number, and their subnets.

Stock drops an entry's ports and ICMP type, keeps several entries of one number, and loses the subnet when an
association is replaced. A subnet that was given no ACL is associated with its VPC's default one; the id of that
association follows from the subnet's. After CreateNetworkAclEntry, ReplaceNetworkAclEntry, ReplaceNetworkAclAssociation
and DeleteNetworkAcl in the API reference of EC2.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.numerals import whole_number
from trainworks.twin.ports import ApiError

Row = Mapping[str, Any]
Handler = Callable[[Any], Any]
_LAST_RULE = 32766  # 32767 denies what no entry matches
_LAST_PORT = 65535
_MOST_ENTRIES = 40
"""The most entries in one direction that AWS gives any account ("Amazon VPC quotas"): every one may be evaluated."""
_WITH_PORTS = ("6", "17")
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}


def install(ec2: Any) -> None:
    """EC2 was loaded."""
    acls = _NetworkAcls(ec2)
    ours = {
        "CreateNetworkAclEntry": acls.create_entry,
        "ReplaceNetworkAclEntry": acls.replace_entry,
        "DeleteNetworkAclEntry": acls.delete_entry,
        "ReplaceNetworkAclAssociation": acls.replace_association,
        "DeleteNetworkAcl": acls.delete,
        "DescribeNetworkAcls": acls.describe,
    }
    ec2._ACTION_MAP.update({name: _refusing(ec2, operation) for name, operation in ours.items()})


def _refusing(ec2: Any, operation: Handler) -> Handler:
    def handler(params: Any) -> Any:
        try:
            return operation(params)
        except ApiError as error:
            return ec2._error(error.code, error.message, error.status)

    return handler


class _NetworkAcls:
    """The operations. Each gives EC2's answer, or raises `ApiError`."""

    def __init__(self, ec2: Any) -> None:
        self._ec2 = ec2
        self._stock_delete = ec2._ACTION_MAP["DeleteNetworkAcl"]

    def create_entry(self, params: Any) -> Any:
        row, entry = self._named(params), _entry(self._ec2, params)
        if any(_is_same(each, entry) for each in row["Entries"]):
            said = f"The network acl entry identified by {entry['RuleNumber']} already exists."
            raise ApiError("NetworkAclEntryAlreadyExists", said)
        beside = [each for each in row["Entries"] if each["Egress"] == entry["Egress"]]
        if sum(each["RuleNumber"] <= _LAST_RULE for each in beside) >= _MOST_ENTRIES:
            said = f"The maximum number of network acl entries ({_MOST_ENTRIES}) has been reached."
            raise ApiError("NetworkAclEntryLimitExceeded", said)
        self._keep(row, Entries=[*row["Entries"], entry])
        return self._done("CreateNetworkAclEntry")

    def replace_entry(self, params: Any) -> Any:
        row, entry = self._named(params), _entry(self._ec2, params)
        self._keep(row, Entries=[*_without(row, entry), entry])
        return self._done("ReplaceNetworkAclEntry")

    def delete_entry(self, params: Any) -> Any:
        row, egress = self._named(params), self._ec2._p(params, "Egress").lower() == "true"
        self._keep(row, Entries=_without(row, {"RuleNumber": _rule_number(self._ec2, params), "Egress": egress}))
        return self._done("DeleteNetworkAclEntry")

    def replace_association(self, params: Any) -> Any:
        row, association_id = self._named(params), self._ec2._p(params, "AssociationId")
        given = associations(self._ec2)
        found = next((each for each in given if each["NetworkAclAssociationId"] == association_id), None)
        if found is None:
            raise ApiError("InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist")
        subnet_id, new_id = str(found["SubnetId"]), f"aclassoc-0{secrets.token_hex(8)}"
        if self._ec2._subnets[subnet_id]["VpcId"] != row["VpcId"]:
            said = f"Network ACL {row['NetworkAclId']} and subnet {subnet_id} belong to different networks."
            raise ApiError("InvalidParameterValue", said)
        for other in _all(self._ec2):
            left = [each for each in other["Associations"] if each["SubnetId"] != subnet_id]
            if other["NetworkAclId"] == row["NetworkAclId"]:
                left.append({"NetworkAclAssociationId": new_id, "SubnetId": subnet_id})
            if left != other["Associations"]:
                self._keep(other, Associations=left)
        return self._ec2._xml(
            200, "ReplaceNetworkAclAssociationResponse", f"<newAssociationId>{new_id}</newAssociationId>"
        )

    def delete(self, params: Any) -> Any:
        row = self._named(params)
        if row["IsDefault"]:
            raise ApiError("InvalidParameterValue", f"Cannot delete default network ACL {row['NetworkAclId']}")
        if any(each["NetworkAclId"] == row["NetworkAclId"] for each in associations(self._ec2)):
            said = f"The networkAcl '{row['NetworkAclId']}' has dependencies and cannot be deleted."
            raise ApiError("DependencyViolation", said)
        return self._stock_delete(params)

    def describe(self, params: Any) -> Any:
        """Filters are those of `ec2_filters`."""
        wanted = [self._acl(each)["NetworkAclId"] for each in self._ec2._parse_member_list(params, "NetworkAclId")]
        held = list(associations(self._ec2))
        rows_ = [row for row in self._ec2._network_acls.values() if not wanted or row["NetworkAclId"] in wanted]
        items = "".join(_xml(self._ec2, _with_associations(row, held)) for row in rows_)
        return self._ec2._xml(200, "DescribeNetworkAclsResponse", f"<networkAclSet>{items}</networkAclSet>")

    def _named(self, params: Any) -> Row:
        return self._acl(self._ec2._p(params, "NetworkAclId"))

    def _acl(self, acl_id: str) -> Row:
        row: Row | None = self._ec2._network_acls.get(acl_id)
        if row is None:
            raise ApiError("InvalidNetworkAclID.NotFound", f"The network ACL '{acl_id}' does not exist")
        return row

    def _keep(self, row: Row, **changes: Any) -> None:
        # A new value instead of a change inside the old one: the table writes what is set.
        self._ec2._network_acls[row["NetworkAclId"]] = {**row, **changes}

    def _done(self, operation: str) -> Any:
        return self._ec2._xml(200, f"{operation}Response", "<return>true</return>")


def associations(ec2: Any) -> Iterator[Row]:
    """`NetworkAclAssociation` of each subnet; a subnet that was given no ACL has the default one of its VPC."""
    acls = _all(ec2)
    given = {
        str(each["SubnetId"]): {**each, "NetworkAclId": row["NetworkAclId"]}
        for row in acls
        for each in row["Associations"]
    }
    default = {str(row["VpcId"]): row["NetworkAclId"] for row in acls if row["IsDefault"]}
    for subnet in list(dict.values(ec2._subnets._data)):
        subnet_id = str(subnet["SubnetId"])
        if subnet_id in given:
            yield given[subnet_id]
        elif subnet["VpcId"] in default:
            own = f"aclassoc-0{hashlib.sha256(subnet_id.encode()).hexdigest()[:16]}"
            yield {"NetworkAclAssociationId": own, "NetworkAclId": default[subnet["VpcId"]], "SubnetId": subnet_id}


def _is_same(entry: Row, other: Row) -> bool:
    return (entry["RuleNumber"], entry["Egress"]) == (other["RuleNumber"], other["Egress"])


def _without(row: Row, entry: Row) -> list[Row]:
    """The other entries. Raises `ApiError` if there is no such entry."""
    others = [each for each in row["Entries"] if not _is_same(each, entry)]
    if len(others) == len(row["Entries"]):
        way = "outbound" if entry["Egress"] else "inbound"
        raise ApiError(
            "InvalidNetworkAclEntry.NotFound",
            f"The network ACL '{row['NetworkAclId']}' has no {way} entry with rule number {entry['RuleNumber']}",
        )
    return others


def _rule_number(ec2: Any, params: Any) -> int:
    given = ec2._p(params, "RuleNumber")
    number = whole_number(given)
    if number is None or not 1 <= number <= _LAST_RULE:
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({given}) for parameter ruleNumber is invalid: it is from 1 to {_LAST_RULE}",
        )
    return number


def _entry(ec2: Any, params: Any) -> dict[str, Any]:
    number, protocol = _rule_number(ec2, params), ec2._p(params, "Protocol").lower()
    protocol = _NUMBERS.get(protocol, protocol)
    action = ec2._p(params, "RuleAction")
    if action not in ("allow", "deny"):
        raise ApiError("InvalidParameterValue", f"Value ({action}) for parameter ruleAction is invalid: allow or deny")
    _within(protocol, "protocol", -1, 255)
    entry: dict[str, Any] = {
        "RuleNumber": number,
        "Protocol": protocol,
        "RuleAction": action,
        "Egress": ec2._p(params, "Egress").lower() == "true",
        **_block(ec2, params),
    }
    first, last = ec2._p(params, "PortRange.From"), ec2._p(params, "PortRange.To")
    if protocol in _WITH_PORTS:
        if not (first and last):
            raise ApiError("MissingParameter", "The request must contain the parameter portRange for TCP and UDP")
        begin, end = _within(first, "portRange.from", 0, _LAST_PORT), _within(last, "portRange.to", 0, _LAST_PORT)
        if begin > end:
            raise ApiError("InvalidParameterValue", f"Value ({first}-{last}) for parameter portRange is invalid.")
        entry["PortRange"] = {"From": begin, "To": end}
    kind, code = ec2._p(params, "Icmp.Type"), ec2._p(params, "Icmp.Code")
    if kind:
        entry["IcmpTypeCode"] = {
            "Type": _within(kind, "icmpTypeCode.type", -1, 255),
            "Code": _within(code or "-1", "icmpTypeCode.code", -1, 255),
        }
    return entry


def _within(given: str, name: str, least: int, most: int) -> int:
    """The number. Raises `ApiError` for one that is not within the bounds, and for what is none."""
    number = -1 if given == "-1" else whole_number(given)
    if number is None or not least <= number <= most:
        raise ApiError("InvalidParameterValue", f"Value ({given}) for parameter {name} is invalid.")
    return number


def _block(ec2: Any, params: Any) -> dict[str, str]:
    given = {name: ec2._p(params, name) for name in ("CidrBlock", "Ipv6CidrBlock") if ec2._p(params, name)}
    if len(given) != 1:
        raise ApiError("InvalidParameterCombination", "Exactly one of cidrBlock and ipv6CidrBlock must be specified")
    [(name, block)] = given.items()
    network = None
    # The library takes an address without a prefix, a netmask and a zone as well.
    if whole_number(block.partition("/")[2]) is not None and "%" not in block:
        with suppress(ValueError):
            network = ipaddress.ip_network(block, strict=False)
    if network is None or (network.version == 6) is (name == "CidrBlock"):
        raise ApiError("InvalidParameterValue", f"Value ({block}) for parameter {name} is invalid.")
    return given


def _xml(ec2: Any, row: Row) -> str:
    entries = "".join(map(_entry_xml, row["Entries"]))
    own = "".join(
        f"<item><networkAclAssociationId>{each['NetworkAclAssociationId']}</networkAclAssociationId>"
        f"<networkAclId>{row['NetworkAclId']}</networkAclId><subnetId>{each['SubnetId']}</subnetId></item>"
        for each in row["Associations"]
    )
    return (
        f"<item><networkAclId>{row['NetworkAclId']}</networkAclId><vpcId>{escape(str(row['VpcId']))}</vpcId>"
        f"<default>{str(bool(row['IsDefault'])).lower()}</default><entrySet>{entries}</entrySet>"
        f"<associationSet>{own}</associationSet>{ec2._tag_set_xml(row['NetworkAclId'])}"
        f"<ownerId>{row['OwnerId']}</ownerId></item>"
    )


def _entry_xml(entry: Row) -> str:
    name = "cidrBlock" if entry.get("CidrBlock") else "ipv6CidrBlock"
    block = escape(str(entry.get("CidrBlock") or entry.get("Ipv6CidrBlock") or ""))
    ports, icmp = entry.get("PortRange"), entry.get("IcmpTypeCode")
    return (
        f"<item><ruleNumber>{entry['RuleNumber']}</ruleNumber><protocol>{entry['Protocol']}</protocol>"
        f"<ruleAction>{entry['RuleAction']}</ruleAction><egress>{str(bool(entry['Egress'])).lower()}</egress>"
        f"<{name}>{block}</{name}>"
        + (f"<portRange><from>{ports['From']}</from><to>{ports['To']}</to></portRange>" if ports else "")
        + (f"<icmpTypeCode><type>{icmp['Type']}</type><code>{icmp['Code']}</code></icmpTypeCode>" if icmp else "")
        + "</item>"
    )


def rows(ec2: Any, vpc_id: str) -> list[dict[str, Any]]:
    """The ACLs of a VPC, of shape `NetworkAcl`."""
    held = list(associations(ec2))
    return [_with_associations(row, held) for row in _all(ec2) if row["VpcId"] == vpc_id]


def _with_associations(row: Row, held: list[Row]) -> dict[str, Any]:
    return {**row, "Associations": [each for each in held if each["NetworkAclId"] == row["NetworkAclId"]]}


def _all(ec2: Any) -> list[Row]:
    return list(dict.values(ec2._network_acls._data))
