"""The XML documents that buckets are configured with, read by botocore's own shapes as strictly as S3 reads them.

`read` gives a document as Python values by member name, as boto3 takes them. What S3's schema does not have is
`MalformedXML`: unknown or repeated elements, required ones that are missing, values outside of an enumeration.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from trainworks.twin import documents
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import service_model

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def malformed() -> ApiError:
    """The error for every document that S3's schema does not have."""
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return ApiError("MalformedXML", message, 400)


def read(operation: str, body: bytes) -> dict[str, Any]:
    """The document in the body of an operation of S3. Raises `MalformedXML`."""
    shape, name = _payload(operation)
    root = parsed(body)
    if _local(root) != name:
        raise malformed()
    return _structure(shape, root)


def parsed(body: bytes) -> ET.Element:
    """The root element of a body. Raises `MalformedXML`."""
    documents.check_xml(body)
    try:
        return ET.fromstring(body)  # noqa: S314 - without a DTD there are no entities to expand
    except (ET.ParseError, ValueError) as error:
        raise malformed() from error


def _payload(operation: str) -> tuple[StructureShape, str]:
    shape: Any = service_model("s3").operation_model(operation).input_shape
    member = shape.serialization["payload"]
    payload = shape.members[member]
    return payload, payload.serialization.get("name", member)


def _structure(shape: StructureShape, element: ET.Element) -> dict[str, Any]:
    _no_text(element)
    members = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
    values: dict[str, Any] = {}
    for child in element:
        if _local(child) not in members:
            raise malformed()
        name, member = members[_local(child)]
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            values.setdefault(name, []).append(_value(member.member, child))
        elif name in values:
            raise malformed()
        else:
            values[name] = _value(member, child)
    attributes = {name for name, member in shape.members.items() if member.serialization.get("xmlAttribute")}
    if not set(shape.required_members) - attributes <= set(values):
        raise malformed()
    return values


def _no_text(element: ET.Element) -> None:
    """Raise `MalformedXML` if text lies between the members of a structure or a list."""
    if any(text and not text.isspace() for text in (element.text, *(child.tail for child in element))):
        raise malformed()


def _value(shape: Shape, element: ET.Element) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, element)
    if isinstance(shape, ListShape):
        _no_text(element)
        name = shape.member.serialization.get("name", "member")
        if any(_local(child) != name for child in element):
            raise malformed()
        return [_value(shape.member, child) for child in element]
    if len(element):
        raise malformed()
    return _scalar(shape, (element.text or "") if shape.type_name == "string" else (element.text or "").strip())


def _scalar(shape: Shape, text: str) -> Any:
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name == "timestamp":
            return parse_timestamp(text)
    except ValueError as error:
        raise malformed() from error
    if shape.type_name == "boolean":
        if text.lower() not in ("true", "false"):
            raise malformed()
        return text.lower() == "true"
    allowed = getattr(shape, "enum", [])
    if allowed and text not in allowed:
        raise malformed()
    return text


def _wire_name(name: str, member: Shape) -> str:
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return str(member.serialization.get("name") or member.member.serialization.get("name") or name)
    return str(member.serialization.get("name", name))


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]
