"""`Range` headers, as S3 serves them: one byte range; what is not one is ignored (RFC 9110, section 14)."""

from __future__ import annotations

import re

from trainworks.twin.numerals import whole_number
from trainworks.twin.objects.errors import S3Error

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`(offset, count)` of an object of `size` bytes; None for the whole of it. Raises `InvalidRange`."""
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = map(whole_number, match.groups())
    if first is None:
        count = last or 0
        offset, end = max(size - count, 0), size
        satisfiable = count > 0 and size > 0
    else:
        if last is not None and last < first:
            return None
        offset, end = first, size if last is None else min(last + 1, size)
        satisfiable = offset < size
    if not satisfiable:
        elements = {"RangeRequested": match.group(), "ActualObjectSize": str(size)}
        headers = {"content-range": f"bytes */{size}"}
        raise S3Error("InvalidRange", "The requested range is not satisfiable", 416, elements=elements, headers=headers)
    return offset, end - offset


def copy_range(header: str, size: int) -> tuple[int, int]:
    """`(offset, count)` of `x-amz-copy-source-range`, which must lie inside the source. Raises `InvalidArgument`."""
    match = _ONE_RANGE.fullmatch(header.strip())
    first, last = map(whole_number, match.groups()) if match else (None, None)
    if first is None or last is None:
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise S3Error("InvalidArgument", message, 400)
    if last < first or last >= size:
        raise S3Error("InvalidRange", f"Range specified is not valid for source object of size: {size}", 400)
    return first, last - first + 1
