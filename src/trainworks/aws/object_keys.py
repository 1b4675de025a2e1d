"""Keys of S3's objects, and URIs that name them.

Source: "Naming Amazon S3 objects" in the S3 user guide: any UTF-8 is a key, and XML 1.0 has no form for some of it.
"""

from __future__ import annotations

import re

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def split_uri(uri: str) -> tuple[str, str]:
    """(bucket, key) of an `s3://` URI; the key may be a prefix, or empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def is_deleted_alone(key: str) -> bool:
    """Whether `DeleteObjects`, whose list is XML, cannot name the key. `DeleteObject` can: it has it in its path."""
    return _NOT_IN_XML.search(key) is not None
