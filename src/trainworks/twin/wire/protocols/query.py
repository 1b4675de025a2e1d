"""query and its EC2 dialect: a form with `Action` and flattened members in, XML out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.protocols.base import known_operation
from trainworks.twin.wire.protocols.values import read_blob, read_timestamp, wire_name, write_timestamp

_LONGEST = 9  # digits of an index: what has more is none of a list that anybody sends
# What no XML document can hold, and a message may quote from a request.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Tree = dict[str, Any]
"""A form's names split at their dots; a leaf is a string."""


# What every action of the Query API takes besides its own parameters: "Common parameters", and those of signatures.
_COMMON = frozenset(
    {
        "Action",
        "AWSAccessKeyId",
        "Expires",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)


class Query:
    """`ec2=True` is the EC2 dialect: lists without `member`, names by `queryName`, a flat answer."""

    def __init__(self, *, ec2: bool = False) -> None:
        self.ec2 = ec2

    def operation(self, model: ServiceModel, request: Request) -> OperationModel:
        return known_operation(model, str(form_of(request).get("Action", "")))

    def parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        tree = form_of(request)
        given = {
            name: node
            for name, node in tree.items()
            if not name.startswith("X-Amz-") and (name not in _COMMON or name in shape.members)
        }
        return self._structure(shape, given)

    def _value(self, shape: Shape, node: Any) -> Any:
        if isinstance(shape, StructureShape):
            return self._structure(shape, node) if isinstance(node, dict) else node
        if isinstance(shape, ListShape):
            return self._list(shape, node)
        if isinstance(shape, MapShape):
            return self._map(shape, node)
        return _scalar(shape, node)

    def _structure(self, shape: StructureShape, tree: Tree) -> dict[str, Any]:
        params: dict[str, Any] = {}
        names = {self._input_name(name, member): name for name, member in shape.members.items()}
        for key, node in tree.items():
            name = names.get(key, key)
            member = shape.members.get(name)
            params[name] = self._value(member, node) if member is not None else node
        return params

    def _list(self, shape: ListShape, node: Any) -> list[Any]:
        if not isinstance(node, dict):
            return []
        if not self.ec2 and not shape.serialization.get("flattened"):
            inner = node.get(wire_name("member", shape.member), {})
            node = inner if isinstance(inner, dict) else {}
        return [self._value(shape.member, node[index]) for index in _numbered(node)]

    def _map(self, shape: MapShape, node: Any) -> dict[str, Any]:
        if not isinstance(node, dict):
            return {}
        entries = node if shape.serialization.get("flattened") else node.get("entry", {})
        key, value = wire_name("key", shape.key), wire_name("value", shape.value)
        return {
            entries[index][key]: self._value(shape.value, entries[index].get(value, ""))
            for index in _numbered(entries)
            if isinstance(entries[index], dict) and key in entries[index]
        }

    def _input_name(self, name: str, member: Shape) -> str:
        if self.ec2:
            if "queryName" in member.serialization:
                return str(member.serialization["queryName"])
            plain = wire_name(name, member)
            return plain[:1].upper() + plain[1:]
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            return str(member.member.serialization.get("name", wire_name(name, member)))
        return wire_name(name, member)

    def answer(self, operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Response:
        shape = operation.output_shape
        inner = self._members(shape, output) if shape is not None else ""
        namespace = operation.service_model.metadata.get("xmlNamespace", "")
        tag = f"{operation.name}Response"
        if self.ec2:
            body = f"<{tag} xmlns={quoteattr(namespace)}><requestId>{request_id}</requestId>{inner}</{tag}>"
        else:
            wrapper = shape.serialization.get("resultWrapper", "") if shape is not None else ""
            result = f"<{wrapper}>{inner}</{wrapper}>" if wrapper else inner
            metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            body = f"<{tag} xmlns={quoteattr(namespace)}>{result}{metadata}</{tag}>"
        return _xml(200, body, request_id)

    def error(self, model: ServiceModel, error: ApiError, request_id: str) -> Response:
        detail = f"<Code>{escape(error.code)}</Code><Message>{escape(printable(error.message))}</Message>"
        if self.ec2:
            body = f"<Response><Errors><Error>{detail}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        else:
            fault = "Sender" if error.status < 500 else "Receiver"
            detail = f"<Type>{fault}</Type>{detail}"
            body = f"<ErrorResponse><Error>{detail}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        return _xml(error.status, body, request_id)

    def _members(self, shape: StructureShape, value: Mapping[str, Any]) -> str:
        return "".join(
            self._element(wire_name(name, member), member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        )

    def _element(self, tag: str, shape: Shape, value: Any) -> str:
        if isinstance(shape, StructureShape):
            return f"<{tag}>{self._members(shape, value)}</{tag}>"
        if isinstance(shape, ListShape):
            return self._list_element(tag, shape, value)
        if isinstance(shape, MapShape):
            return self._map_element(tag, shape, value)
        return f"<{tag}>{escape(_text(shape, value))}</{tag}>"

    def _list_element(self, tag: str, shape: ListShape, value: Any) -> str:
        if shape.serialization.get("flattened"):
            name = str(shape.member.serialization.get("name", tag))
            return "".join(self._element(name, shape.member, item) for item in value)
        name = wire_name("item" if self.ec2 else "member", shape.member)
        return f"<{tag}>{''.join(self._element(name, shape.member, item) for item in value)}</{tag}>"

    def _map_element(self, tag: str, shape: MapShape, value: Mapping[str, Any]) -> str:
        flattened = shape.serialization.get("flattened")
        entry = tag if flattened else "entry"
        key, item = wire_name("key", shape.key), wire_name("value", shape.value)
        inner = "".join(
            f"<{entry}>{self._element(key, shape.key, name)}{self._element(item, shape.value, member)}</{entry}>"
            for name, member in value.items()
        )
        return inner if flattened else f"<{tag}>{inner}</{tag}>"


def printable(text: str) -> str:
    """A text with the replacement character in the place of each character that XML cannot hold."""
    return _NO_XML.sub("\ufffd", text)


def form_of(request: Request) -> Tree:
    """The form's fields (body, then query string) as a tree: `A.member.1=x` is `{"A": {"member": {"1": "x"}}}`."""
    if not request.form:
        request.form.update(_read_form(request))
    return request.form


def _read_form(request: Request) -> Tree:
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    pairs += [(name, value) for name, values in request.query.items() for value in values]
    tree: Tree = {}
    for name, value in pairs:
        *parents, leaf = name.split(".")
        node = tree
        for parent in parents:
            following = node.setdefault(parent, {})
            if not isinstance(following, dict):
                raise ApiError("MalformedQueryString", f"The field {name} is given twice in different forms")
            node = following
        node[leaf] = value
    return tree


def _numbered(node: Mapping[str, Any]) -> list[str]:
    return sorted((index for index in node if index.isascii() and index.isdigit() and len(index) <= _LONGEST), key=int)


def _scalar(shape: Shape, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
    except ValueError as error:
        raise ApiError("MalformedInput", f"'{text}' is not a number") from error
    if shape.type_name == "boolean":
        return text.lower() == "true"
    if shape.type_name == "timestamp":
        return read_timestamp(text)
    return read_blob(text) if shape.type_name == "blob" else text


def _text(shape: Shape, value: Any) -> str:
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        return str(write_timestamp(value, str(shape.serialization.get("timestampFormat", "iso8601"))))
    if shape.type_name == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
    return str(value)


def _xml(status: int, body: str, request_id: str) -> Response:
    headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
    return Response(status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())
