"""Filters of EC2's listings that ministack does not look at: applied to what it answers.

A filter's name is the path to an element of the answer, in lower case with hyphens: `vpc-id` is `vpcId`,
`attachment.instance-id` is `instanceId` in `attachment`, `vpc-endpoint-state` is `state`. A name that leads nowhere is
refused. `*` and `?` stand for any text and any character, as "Filtering" in the EC2 API Reference has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from xml.etree import ElementTree

import re2
from botocore.model import ListShape, Shape, StructureShape

from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import service_model

FILTERED = (
    "DescribeAddresses",
    "DescribeAvailabilityZones",
    "DescribeCustomerGateways",
    "DescribeEgressOnlyInternetGateways",
    "DescribeKeyPairs",
    "DescribeLaunchTemplateVersions",
    "DescribeNetworkAcls",
    "DescribeNetworkInterfaces",
    "DescribeRegions",
    "DescribeVpcEndpoints",
    "DescribeVpnConnections",
)
"""The operations whose `Filters` ministack does not read."""

_SPELLED = {"tag-key": "tags.key", "tag-value": "tags.value"}
_OF_OPERATION = {
    "DescribeNetworkAcls": {
        "association.association-id": "associations.network-acl-association-id",
        "association.network-acl-id": "associations.network-acl-id",
        "association.subnet-id": "associations.subnet-id",
        "default": "is-default",
        "entry.cidr": "entries.cidr-block",
        "entry.egress": "entries.egress",
        "entry.ipv6-cidr": "entries.ipv6-cidr-block",
        "entry.port-range.from": "entries.port-range.from",
        "entry.port-range.to": "entries.port-range.to",
        "entry.protocol": "entries.protocol",
        "entry.rule-action": "entries.rule-action",
        "entry.rule-number": "entries.rule-number",
    }
}
"""Names of filters that are not those of members."""
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
ElementPath = tuple[str, ...]
Handler = Callable[[Mapping[str, Any]], StockResponse]


def install(ec2: Any) -> None:
    """EC2 was loaded."""
    for operation in FILTERED:
        ec2._ACTION_MAP[operation] = partial(_filtered, ec2, operation, ec2._ACTION_MAP[operation])


def _filtered(ec2: Any, operation: str, stock: Handler, params: Mapping[str, Any]) -> Any:
    status, headers, body = stock(params)
    wanted = filters_of(params)
    if status != 200 or not wanted:
        return status, headers, body
    try:
        return status, headers, apply(operation, body, wanted)
    except ApiError as error:
        return ec2._error(error.code, error.message, error.status)


def filters_of(params: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """(name, values) of `Filter.1.Name=..&Filter.1.Value.1=..`, parsed into lists of values by name."""
    numbers = sorted({int(found[1]) for key in params if (found := re.match(r"Filter\.(\d{1,4})\.Name$", key))})
    wanted = []
    for number in numbers:
        prefix = f"Filter.{number}.Value."
        values = [value for key, given in params.items() if key.startswith(prefix) for value in given]
        wanted.append((params[f"Filter.{number}.Name"][0], values))
    return wanted


def apply(operation: str, body: bytes, wanted: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """An answer with those items alone that pass every filter. Raises `ApiError` for a name that leads nowhere."""
    tests = [_Test(name, _paths(operation, name), list(map(_matcher, values))) for name, values in wanted]
    root = ElementTree.fromstring(body)  # noqa: S314 - our own answer
    for listing in root:
        for item in list(listing):
            if _local(item) == "item" and not all(_passes(item, test) for test in tests):
                listing.remove(item)
    ElementTree.register_namespace("", _NAMESPACE)
    answer: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return answer


@dataclass(frozen=True, slots=True)
class _Test:
    name: str
    paths: Sequence[ElementPath]
    matchers: Sequence[Callable[[str], bool]]


def _passes(item: ElementTree.Element, test: _Test) -> bool:
    if test.name.startswith("tag:"):
        tags = {_text(tag, "key"): _text(tag, "value") for tag in _at(item, ("tagSet", "item"))}
        found = [tags[test.name[4:]]] if test.name[4:] in tags else []
    else:
        found = [(element.text or "").strip() for path in test.paths for element in _at(item, path)]
    return any(matches(text) for text in found for matches in test.matchers)


def _at(element: ElementTree.Element, path: ElementPath) -> Iterator[ElementTree.Element]:
    if not path:
        yield element
        return
    for child in element:
        if _local(child) == path[0]:
            yield from _at(child, path[1:])


def _text(element: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in element if _local(child) == name), "")


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _paths(operation: str, name: str) -> list[ElementPath]:
    if name.startswith("tag:"):
        return []
    known = _known(operation)
    spelled = (_SPELLED | _OF_OPERATION.get(operation, {})).get(name, name)
    paths = known.get(spelled) or next((path for key, path in known.items() if spelled.endswith(f"-{key}")), None)
    if paths is None:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return [paths]


@cache
def _known(operation: str) -> dict[str, ElementPath]:
    """Where filters lead, by their names, the nearest first."""
    shape = service_model("ec2").operation_model(operation).output_shape
    if shape is None:
        return {}
    listing = next(member for member in shape.members.values() if isinstance(member, ListShape))
    found = dict(_names(listing.member, "", (), 3))
    return dict(sorted(found.items(), key=lambda entry: len(entry[1])))


def _names(shape: Shape, prefix: str, path: ElementPath, depth: int) -> Iterator[tuple[str, ElementPath]]:
    if not isinstance(shape, StructureShape) or depth == 0:
        return
    for name, member in shape.members.items():
        wire = str(member.serialization.get("name", name))
        key, below = f"{prefix}{_hyphened(name)}", (*path, wire)
        if isinstance(member, ListShape):
            yield key, (*below, "item")
            yield from _names(member.member, f"{key}.", (*below, "item"), depth - 1)
        elif isinstance(member, StructureShape):
            yield from _names(member, f"{key}.", below, depth - 1)
        else:
            yield key, below


def _hyphened(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _matcher(value: str) -> Callable[[str], bool]:
    pattern = "".join(".*" if each == "*" else "." if each == "?" else re2.escape(each) for each in value)
    compiled = re2.compile(f"(?s){pattern}")
    return lambda text: compiled.fullmatch(text) is not None
