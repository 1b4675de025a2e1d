"""Keys of S3's objects.

Source: "Naming Amazon S3 objects" in the S3 user guide: any UTF-8 is a key, and XML 1.0 has no form for some of it.
"""

from __future__ import annotations

import re

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def is_deleted_alone(key: str) -> bool:
    """Whether `DeleteObjects`, whose list is XML, cannot name the key. `DeleteObject` can: it has it in its path."""
    return _NOT_IN_XML.search(key) is not None
