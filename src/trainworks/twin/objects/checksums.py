"""The checksums of S3's "additional checksum algorithms": running, verified, combined over parts.

Full-object CRCs of a multipart upload follow from those of its parts; the other algorithms make a checksum of checksums
(type COMPOSITE). Source: "Checking object integrity in Amazon S3".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import anycrc

from trainworks.twin.objects.errors import S3Error, invalid_request
from trainworks.twin.objects.records import Checksum

DEFAULT = "CRC64NVME"
"""What S3 computes for an object that was sent without a checksum."""

CRC_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8}
_CRC_MODELS = {"CRC32": "CRC32", "CRC32C": "CRC32-ISCSI", "CRC64NVME": "CRC64-NVME"}
_HASH_BYTES = {"SHA1": 20, "SHA256": 32}
ALGORITHMS = (*CRC_BYTES, *_HASH_BYTES)
_HEADER = "x-amz-checksum-"


class RunningChecksum(Protocol):
    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _ModelCrc:
    def __init__(self, algorithm: str) -> None:
        self._model = _model(algorithm)
        self._size = CRC_BYTES[algorithm]
        self._value: int | None = None

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._value = self._model.calc(data) if self._value is None else self._model.calc(data, self._value)

    def digest(self) -> bytes:
        return (self._value or 0).to_bytes(self._size, "big")


@cache
def _model(algorithm: str) -> Any:
    return anycrc.Model(_CRC_MODELS[algorithm])


def running(algorithm: str) -> RunningChecksum:
    """A checksum over nothing yet."""
    if algorithm == "CRC32":
        return _Crc32()
    if algorithm in CRC_BYTES:
        return _ModelCrc(algorithm)
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def known_algorithm(name: str) -> str:
    """The algorithm in upper case. Raises `InvalidRequest` for one that S3 does not have."""
    if name.upper() not in ALGORITHMS:
        raise invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(ALGORITHMS)}]"
        )
    return name.upper()


def from_headers(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """`(algorithm, base64 value)` of the one `x-amz-checksum-` header; None without one. Raises `InvalidRequest`."""
    found = [
        (name.upper(), headers[_HEADER + name.lower()]) for name in ALGORITHMS if _HEADER + name.lower() in headers
    ]
    if len(found) > 1:
        raise invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if found:
        _check_form(*found[0])
    return found[0] if found else None


def header_name(algorithm: str) -> str:
    return _HEADER + algorithm.lower()


def from_trailer_name(name: str) -> str:
    """The algorithm that `x-amz-trailer` announces. Raises `InvalidRequest` for another trailer."""
    algorithm = name.strip().lower().removeprefix(_HEADER)
    if not name.strip().lower().startswith(_HEADER) or algorithm.upper() not in ALGORITHMS:
        raise invalid_request("The value specified in the x-amz-trailer header is not supported")
    return algorithm.upper()


def verify(algorithm: str, computed: bytes, expected: str) -> None:
    """Raise `BadDigest` unless the base64 `expected` is what was computed."""
    _check_form(algorithm, expected)
    if base64.b64decode(expected) != computed:
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", 400)


def encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def of_parts(algorithm: str, checksum_type: str, parts: Sequence[tuple[str, int]]) -> Checksum:
    """The checksum of an object from `(base64 checksum, size)` of its parts."""
    if checksum_type == "COMPOSITE":
        total = running(algorithm)
        for value, _ in parts:
            total.update(base64.b64decode(value))
        return Checksum(algorithm, f"{encode(total.digest())}-{len(parts)}", "COMPOSITE")
    model = _model(algorithm)
    values = [(int.from_bytes(base64.b64decode(value), "big"), size) for value, size in parts if size]
    whole = values[0][0] if values else 0
    for crc, size in values[1:]:
        whole = model.combine(whole, crc, size)
    return Checksum(algorithm, encode(whole.to_bytes(CRC_BYTES[algorithm], "big")))


def multipart_type(algorithm: str, asked: str | None) -> str:
    """The checksum type of an upload. Raises `InvalidRequest` for a type that the algorithm does not have."""
    if asked is None:
        return "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    if (asked == "FULL_OBJECT" and algorithm not in CRC_BYTES) or (asked == "COMPOSITE" and algorithm == "CRC64NVME"):
        raise invalid_request(
            f"The {asked} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    if asked not in ("FULL_OBJECT", "COMPOSITE"):
        raise invalid_request("Value for x-amz-checksum-type header is invalid.")
    return asked


def _check_form(algorithm: str, value: str) -> None:
    try:
        size = len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        size = -1
    if size != {**CRC_BYTES, **_HASH_BYTES}[algorithm]:
        raise invalid_request(f"Value for {header_name(algorithm)} header is invalid.")
