"""JSON-like values to and from a shape: timestamps, blobs and numbers in the forms that the AWS protocols give them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from trainworks.twin.ports import ApiError


def wire_name(name: str, shape: Shape) -> str:
    """A member's name in a JSON document."""
    return str(shape.serialization.get("name", name))


def read_json(shape: Shape, value: Any) -> Any:
    """A decoded JSON value as boto3 takes it. Types that do not fit are left for validation to report."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return _read_structure(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [read_json(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: read_json(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):
        return read_blob(value)
    if shape.type_name == "timestamp" and value is not None:
        return read_timestamp(value)
    return value


def _read_structure(shape: StructureShape, value: Mapping[str, Any]) -> dict[str, Any]:
    names = {wire_name(name, member): name for name, member in shape.members.items()}
    return {
        names.get(key, key): read_json(shape.members[names[key]], item) if key in names else item
        for key, item in value.items()
        if item is not None
    }


def write_json(shape: Shape, value: Any, timestamp_format: str = "unixTimestamp") -> Any:
    """A value as JSON has it: timestamps in the shape's format, blobs in base64, members that are None left out."""
    if isinstance(shape, StructureShape):
        return {
            wire_name(name, member): write_json(member, value[name], timestamp_format)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [write_json(shape.member, item, timestamp_format) for item in value]
    if isinstance(shape, MapShape):
        return {str(key): write_json(shape.value, item, timestamp_format) for key, item in value.items()}
    if shape.type_name == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
    if shape.type_name == "timestamp":
        return write_timestamp(value, str(shape.serialization.get("timestampFormat", timestamp_format)))
    return value


def read_blob(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ApiError("SerializationException", "A blob is not valid base64") from error


def read_timestamp(value: Any) -> datetime:
    """Seconds since the epoch, ISO 8601 or an HTTP date, as an aware datetime in UTC."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        text = str(value)
        if text[:3].isalpha():
            return parsedate_to_datetime(text).astimezone(UTC)
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ApiError("SerializationException", f"'{value}' is not a timestamp") from error


def write_timestamp(value: datetime | float | int, timestamp_format: str) -> float | int | str:
    """A timestamp (datetime or seconds since the epoch) in one of the three formats, to the millisecond."""
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if timestamp_format == "iso8601":
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    if timestamp_format == "rfc822":
        return format_datetime(moment.astimezone(UTC), usegmt=True)
    seconds = round(moment.timestamp(), 3)
    return int(seconds) if seconds.is_integer() else seconds
