"""smithy-rpc-v2-cbor: the operation in the path, input and output as CBOR (RFC 8949)."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.protocols.base import access_denied_exception, known_operation
from trainworks.twin.wire.protocols.values import read_timestamp

_BREAK = object()
_EPOCH_TAG = 1


class RpcV2Cbor:
    def operation(self, model: ServiceModel, request: Request) -> OperationModel:
        return known_operation(model, request.path.rpartition("/operation/")[2])

    def parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None or not request.body:
            return {}
        document = decode(request.body)
        if not isinstance(document, dict):
            raise ApiError("SerializationException", "The body is not a CBOR map")
        params: dict[str, Any] = _read(shape, document)
        return params

    def answer(self, operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Response:
        shape = operation.output_shape
        document = _writable(shape, output) if shape is not None else {}
        return _response(200, document, request_id)

    def error(self, model: ServiceModel, error: ApiError, request_id: str) -> Response:
        error = access_denied_exception(error)
        return _response(error.status, {"__type": error.code, "message": error.message}, request_id)


def _response(status: int, document: Any, request_id: str) -> Response:
    headers = {
        "Content-Type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-RequestId": request_id,
    }
    return Response(status, headers, encode(document))


def _read(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: _read(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_read(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _read(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp" and not isinstance(value, datetime):
        return read_timestamp(value)
    return value


def _writable(shape: Shape, value: Any) -> Any:
    """Output with timestamps as datetime and numbers of the shape's kind, for `encode`."""
    if isinstance(shape, StructureShape):
        return {
            name: _writable(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_writable(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _writable(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp" and not isinstance(value, datetime):
        return datetime.fromtimestamp(value, UTC)
    return float(value) if shape.type_name in ("float", "double") else value


def encode(value: Any) -> bytes:
    """A Python value as CBOR; a datetime is tag 1 with seconds since the epoch."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def _encode(value: Any, out: bytearray) -> None:
    if value is None or isinstance(value, bool):
        out.append({None: 0xF6, False: 0xF4, True: 0xF5}[value])
    elif isinstance(value, int):
        _head(*((0, value) if value >= 0 else (1, -1 - value)), out)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, datetime):
        _head(6, _EPOCH_TAG, out)
        _encode(round(value.timestamp(), 3), out)
    else:
        _encode_sized(value, out)


def _encode_sized(value: Any, out: bytearray) -> None:
    if isinstance(value, str):
        raw = value.encode()
        _head(3, len(raw), out)
        out += raw
    elif isinstance(value, bytes | bytearray):
        _head(2, len(value), out)
        out += value
    elif isinstance(value, Mapping):
        _head(5, len(value), out)
        for key, item in value.items():
            _encode(key, out)
            _encode(item, out)
    elif isinstance(value, list | tuple):
        _head(4, len(value), out)
        for item in value:
            _encode(item, out)
    else:
        raise TypeError(f"{type(value).__name__} has no CBOR form")


def _head(major: int, argument: int, out: bytearray) -> None:
    for extra, limit, form in ((24, 1 << 8, ">B"), (25, 1 << 16, ">H"), (26, 1 << 32, ">I"), (27, 1 << 64, ">Q")):
        if argument < 24:
            out.append(major << 5 | argument)
            return
        if argument < limit:
            out.append(major << 5 | extra)
            out += struct.pack(form, argument)
            return
    raise OverflowError(f"{argument} does not fit a CBOR integer")


def decode(body: bytes) -> Any:
    """The one value in a CBOR document; raises `SerializationException` for anything else."""
    try:
        value, end = _decode(body, 0)
    except (IndexError, struct.error, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise ApiError("SerializationException", "The body is not CBOR") from error
    if end != len(body):
        raise ApiError("SerializationException", "The body has bytes behind its CBOR value")
    return value


def _decode(body: bytes, at: int) -> tuple[Any, int]:
    major, info = body[at] >> 5, body[at] & 31
    if major == 7:
        return _simple(body, at + 1, info)
    if info == 31:
        return _indefinite(body, at + 1, major)
    argument, at = _argument(body, at + 1, info)
    if major in (0, 1):
        return (argument if major == 0 else -1 - argument), at
    if major in (2, 3):
        raw = body[at : at + argument]
        if len(raw) != argument:
            raise IndexError(at)
        return (raw if major == 2 else raw.decode()), at + argument
    if major == 6:
        return _tagged(body, at, argument)
    return _collection(body, at, major, argument)


def _argument(body: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at
    form = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}.get(info)
    if form is None:
        raise IndexError(at)
    return struct.unpack_from(form, body, at)[0], at + struct.calcsize(form)


def _collection(body: bytes, at: int, major: int, count: int) -> tuple[Any, int]:
    items = []
    for _ in range(count * (1 if major == 4 else 2)):
        item, at = _decode(body, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2], strict=True))), at


def _indefinite(body: bytes, at: int, major: int) -> tuple[Any, int]:
    items = []
    while True:
        item, at = _decode(body, at)
        if item is _BREAK:
            break
        items.append(item)
    if major == 2:
        return b"".join(items), at
    if major == 3:
        return "".join(items), at
    if major == 4:
        return items, at
    return dict(zip(items[::2], items[1::2], strict=False)), at


def _tagged(body: bytes, at: int, tag: int) -> tuple[Any, int]:
    value, at = _decode(body, at)
    return (read_timestamp(value) if tag == _EPOCH_TAG else value), at


def _simple(body: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in (20, 21):
        return info == 21, at
    if info in (22, 23):
        return None, at
    if info == 31:
        return _BREAK, at
    form = {25: ">e", 26: ">f", 27: ">d"}.get(info)
    if form is None:
        raise IndexError(at)
    value = struct.unpack_from(form, body, at)[0]
    return (None if math.isnan(value) and info == 25 else value), at + struct.calcsize(form)
