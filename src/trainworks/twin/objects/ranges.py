"""`Range` headers, as S3 serves them: one byte range; what is not one is ignored (RFC 9110, section 14)."""

from __future__ import annotations

import re

from trainworks.twin.objects.errors import S3Error

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`(offset, count)` of an object of `size` bytes; None for the whole of it. Raises `InvalidRange`."""
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        offset, end = max(size - int(last), 0), size
        satisfiable = int(last) > 0 and size > 0
    else:
        if last and int(last) < int(first):
            return None
        offset, end = int(first), min(int(last) + 1, size) if last else size
        satisfiable = offset < size
    if not satisfiable:
        elements = {"RangeRequested": match.group(), "ActualObjectSize": str(size)}
        headers = {"content-range": f"bytes */{size}"}
        raise S3Error("InvalidRange", "The requested range is not satisfiable", 416, elements=elements, headers=headers)
    return offset, end - offset


def copy_range(header: str, size: int) -> tuple[int, int]:
    """`(offset, count)` of `x-amz-copy-source-range`, which must lie inside the source. Raises `InvalidArgument`."""
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or "" in match.groups():
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise S3Error("InvalidArgument", message, 400)
    first, last = (int(group) for group in match.groups())
    if last < first or last >= size:
        raise S3Error("InvalidRange", f"Range specified is not valid for source object of size: {size}", 400)
    return first, last - first + 1
