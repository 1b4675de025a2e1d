"""Hypothesis strategies for values of a botocore shape, and for what a client sends and reads."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.serialize import create_serializer
from hypothesis import strategies as st

from trainworks.twin.wire.call import Request
from trainworks.twin.wire.models import service_model

_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1, max_size=8)
_TIMES = st.integers(1, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
_NUMBERS = st.integers(-(2**31), 2**31 - 1)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": _NUMBERS,
    "long": _NUMBERS,
    "float": st.integers(-1000, 1000).map(lambda number: number / 8),
    "double": st.integers(-1000, 1000).map(lambda number: number / 8),
    "timestamp": _TIMES,
    "blob": st.binary(min_size=1, max_size=8),
}


def values(shape: Shape, depth: int = 5) -> st.SearchStrategy[Any]:
    """Values as boto3 takes and gives them: no empty lists or maps, which some protocols cannot tell from absent."""
    if isinstance(shape, StringShape):
        return st.sampled_from(shape.enum) if shape.enum else _TEXT
    if isinstance(shape, StructureShape):
        return _structures(shape, depth)
    if isinstance(shape, ListShape):
        return st.lists(values(shape.member, depth - 1), min_size=1, max_size=2)
    if isinstance(shape, MapShape):
        return st.dictionaries(_TEXT, values(shape.value, depth - 1), min_size=1, max_size=2)
    return _SCALARS[shape.type_name]


def _structures(shape: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if shape.is_tagged_union:
        return st.one_of([st.fixed_dictionaries({name: values(m, depth - 1)}) for name, m in shape.members.items()])
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, member in shape.members.items():
        if name in shape.required_members or member.serialization.get("location") == "uri":
            required[name] = values(member, depth - 1)
        elif depth > 0 or _is_flat(member):
            optional[name] = values(member, depth - 1)
    drawn = st.fixed_dictionaries(required, optional=optional)
    return drawn if required or not optional else drawn.filter(bool)


def _is_flat(shape: Shape) -> bool:
    if isinstance(shape, ListShape):
        return _is_flat(shape.member)
    return _is_flat(shape.value) if isinstance(shape, MapShape) else not isinstance(shape, StructureShape)


@cache
def inputs(service: str, operation: str, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Requests of an operation."""
    return values(service_model(service).operation_model(operation).input_shape, depth)


@cache
def outputs(service: str, operation: str, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Answers of an operation."""
    shape = service_model(service).operation_model(operation).output_shape
    return values(shape, depth) if shape is not None else st.just({})


def request_for(operation: OperationModel, protocol: str, params: dict[str, Any]) -> Request:
    """What botocore sends for `params`."""
    sent = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    body = sent["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True).encode()
    elif isinstance(body, str):
        body = body.encode()
    path, _, query_text = sent["url_path"].partition("?")
    query = parse_qs(query_text, keep_blank_values=True)
    for name, value in dict(sent.get("query_string") or {}).items():
        query[name] = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    return Request(sent["method"], path, headers, query, bytes(body))
