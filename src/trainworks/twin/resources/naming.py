"""Names that CloudFormation makes for resources whose template gives none."""

from __future__ import annotations

import secrets
import string

from trainworks.twin.resource_types import ResourceRequest

_ALPHABET = string.ascii_letters + string.digits
_SUFFIX_LENGTH = 12


def physical_name(request: ResourceRequest, max_length: int = 64) -> str:
    """`<stack>-<logical id>-<random>`, of letters, digits and hyphens, shortened in front to `max_length`."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    room = max_length - _SUFFIX_LENGTH - 1
    stem = f"{request.stack_name}-{request.logical_id}"
    stem = "".join(letter if letter.isalnum() else "-" for letter in stem)[-room:].strip("-")
    return f"{stem}-{suffix}"
