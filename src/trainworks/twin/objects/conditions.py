"""Conditional requests: `If-` headers on reads, copies and writes (RFC 9110, section 13; "Conditional requests")."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from trainworks.twin.objects.errors import no_such_key, not_implemented, precondition_failed
from trainworks.twin.objects.index import Precondition
from trainworks.twin.objects.records import ObjectVersion


def check_read(headers: Mapping[str, str], version: ObjectVersion) -> bool:
    """Whether the object is sent; False for 304. Raises `PreconditionFailed`."""
    failed = _failed(headers, version, "")
    if failed in ("If-Match", "If-Unmodified-Since"):
        raise precondition_failed(failed)
    return failed is None


def check_copy_source(headers: Mapping[str, str], version: ObjectVersion) -> None:
    """The `x-amz-copy-source-if-` headers. Raises `PreconditionFailed`."""
    failed = _failed(headers, version, "x-amz-copy-source-")
    if failed:
        raise precondition_failed(f"x-amz-copy-source-{failed}")


def write_precondition(headers: Mapping[str, str]) -> Precondition | None:
    """What `If-None-Match: *` or `If-Match` ask of a write. Raises `NotImplemented` for other entity tags."""
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is None and match is None:
        return None
    if none_match is not None and (none_match.strip() != "*" or match is not None):
        raise not_implemented("a conditional write with If-None-Match other than *, or together with If-Match")

    def check(current: ObjectVersion | None) -> None:
        if none_match is not None:
            if current is not None:
                raise precondition_failed("If-None-Match")
        elif current is None:
            raise no_such_key("")
        elif not _matches(match or "", current.etag):
            raise precondition_failed("If-Match")

    return check


def _failed(headers: Mapping[str, str], version: ObjectVersion, prefix: str) -> str | None:
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    modified = int(version.last_modified)
    if match is not None:
        if not _matches(match, version.etag):
            return "If-Match"
    else:
        unmodified_since = _seconds(headers.get(f"{prefix}if-unmodified-since"))
        if unmodified_since is not None and modified > unmodified_since:
            return "If-Unmodified-Since"
    if none_match is not None:
        return "If-None-Match" if _matches(none_match, version.etag) else None
    modified_since = _seconds(headers.get(f"{prefix}if-modified-since"))
    if modified_since is not None and modified <= modified_since:
        return "If-Modified-Since"
    return None


def _matches(header: str, etag: str) -> bool:
    return any(item.strip().strip('"') in ("*", etag) for item in header.split(","))


def _seconds(http_date: str | None) -> float | None:
    if http_date is None:
        return None
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except ValueError:
        return None
