"""Names that CloudFormation makes for resources whose template gives none."""

from __future__ import annotations

import secrets
import string

from trainworks.twin.resource_types import ResourceRequest

_ALPHABET = string.ascii_letters + string.digits
_SUFFIX_LENGTH = 12


def physical_name(request: ResourceRequest, max_length: int = 64) -> str:
    """`<stack>-<logical id>-<random>`, of letters, digits and hyphens; the stack name is cut off to fit."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    room = max_length - _SUFFIX_LENGTH - 1
    logical_id = _cleaned(request.logical_id)[: room // 2]
    stack_name = _cleaned(request.stack_name)[: room - len(logical_id) - 1].strip("-")
    return "-".join(part for part in (stack_name, logical_id, suffix) if part)


def _cleaned(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name).strip("-")
