"""rest-json: the operation by method and path; input spread over path, query string, headers and a JSON body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols.base import access_denied_exception, status_code_of, unknown_operation
from trainworks.twin.wire.protocols.json_rpc import load_document
from trainworks.twin.wire.protocols.values import read_json, read_timestamp, wire_name, write_json, write_timestamp


class RestJson:
    def operation(self, model: ServiceModel, request: Request) -> OperationModel:
        path = request.path.rstrip("/") or "/"
        for route in _routes(model.service_name):
            if route.method == request.method and route.path.fullmatch(path) and route.asks(request.query):
                return model.operation_model(route.operation)
        raise unknown_operation(model, f"{request.method} {request.path}")

    def parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        params = self._body_params(shape, request)
        template = str(operation.http["requestUri"]).partition("?")[0]
        match = _uri_pattern(template).fullmatch(request.path.rstrip("/") or "/")
        labels = match.groupdict() if match else {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            if location is not None:
                value = _located(location, name, member, request, labels)
                if value is not None:
                    params[name] = value
        return params

    def _body_params(self, shape: StructureShape, request: Request) -> dict[str, Any]:
        payload = shape.serialization.get("payload")
        if payload is None:
            read: dict[str, Any] = read_json(shape, load_document(request.body))
            return read
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            return {payload: request.body if member.type_name == "blob" else request.body.decode()}
        return {payload: read_json(member, load_document(request.body))} if request.body else {}

    def answer(self, operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Response:
        shape = operation.output_shape
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id}
        body: Any = {}
        if shape is not None:
            headers.update(_output_headers(shape, output))
            payload = shape.serialization.get("payload")
            member = shape.members[payload] if payload else None
            if payload and member is not None and member.type_name == "blob":
                return Response(status_code_of(operation), headers, bytes(output.get(payload, b"")))
            body = write_json(member, output[payload]) if payload and member else _output_body(shape, output)
        return Response(status_code_of(operation), headers, json.dumps(body).encode())

    def error(self, model: ServiceModel, error: ApiError, request_id: str) -> Response:
        error = access_denied_exception(error)
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": error.code,
        }
        return Response(error.status, headers, json.dumps({"message": error.message}).encode())


@dataclass(frozen=True, slots=True)
class _Route:
    """Where an operation is: `query` holds what its URI asks of the query string, such as `List=ALL`."""

    method: str
    path: re.Pattern[str]
    query: Mapping[str, list[str]]
    operation: str

    def asks(self, query: Mapping[str, list[str]]) -> bool:
        return all(query.get(name) == values for name, values in self.query.items())


@cache
def _routes(service_name: str) -> list[_Route]:
    """Literal paths before those with labels, and those that ask for a query before those that do not."""
    model = service_model(service_name)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        template, _, query = str(http["requestUri"]).partition("?")
        route = _Route(str(http["method"]), _uri_pattern(template), parse_qs(query, keep_blank_values=True), name)
        found.append((template.count("{"), -len(route.query), route))
    found.sort(key=lambda entry: entry[:2])
    return [route for _, _, route in found]


@cache
def _uri_pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(\+?)\}", template.rstrip("/") or "/")
    pattern = re.escape(parts[0])
    for label, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        pattern += f"(?P<{label}>{'.+' if greedy else '[^/]+'}){re.escape(literal)}"
    return re.compile(pattern)


def _located(location: str, name: str, member: Shape, request: Request, labels: Mapping[str, str]) -> Any:
    key = wire_name(name, member)
    if location == "uri":
        return _from_text(member, unquote(labels[key])) if key in labels else None
    if location == "header":
        text = request.headers.get(key.lower())
        return _from_text(member, text) if text is not None else None
    if location == "headers":
        prefix = key.lower()
        return {head[len(prefix) :]: text for head, text in request.headers.items() if head.startswith(prefix)} or None
    return _from_query(key, member, request.query)


def _from_query(key: str, member: Shape, query: Mapping[str, list[str]]) -> Any:
    if isinstance(member, MapShape):
        return {name: values[0] for name, values in query.items()} or None
    if key not in query:
        return None
    if isinstance(member, ListShape):
        return [_from_text(member.member, text) for text in query[key]]
    return _from_text(member, query[key][0])


def _from_text(shape: Shape, text: str) -> Any:
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
    except ValueError as error:
        raise ApiError("SerializationException", f"'{text}' is not a number") from error
    if shape.type_name == "boolean":
        return text.lower() == "true"
    return read_timestamp(text) if shape.type_name == "timestamp" else text


def _output_headers(shape: StructureShape, output: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header" and output.get(name) is not None:
            value = output[name]
            if member.type_name == "timestamp":
                value = write_timestamp(value, str(member.serialization.get("timestampFormat", "rfc822")))
            headers[wire_name(name, member)] = str(value).lower() if isinstance(value, bool) else str(value)
    return headers


def _output_body(shape: StructureShape, output: Mapping[str, Any]) -> Any:
    body = {
        name: value
        for name, value in output.items()
        if name in shape.members and "location" not in shape.members[name].serialization
    }
    return write_json(shape, body)
