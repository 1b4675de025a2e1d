"""Which images are AWS's own: `data/aws_registries.json`, the accounts of its registries, with source and date."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

_REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr\.")


def is_of_aws(image: str) -> bool:
    """Whether the image lies in a registry that AWS keeps for SageMaker."""
    match = _REGISTRY.match(image)
    return match is not None and match[1] in _accounts()


@cache
def _accounts() -> frozenset[str]:
    text = files(__package__).joinpath("data/aws_registries.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text)["accounts"])
