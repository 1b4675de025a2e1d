"""Which images are AWS's own: `data/aws_registries.json`, the accounts of its registries, with source and date."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from trainworks.aws.ecr import parse_ecr_uri


def is_of_aws(image: str) -> bool:
    """Whether the image lies in a registry that AWS keeps for SageMaker."""
    uri = parse_ecr_uri(image)
    return uri is not None and uri.account in _accounts()


@cache
def _accounts() -> frozenset[str]:
    text = files(__package__).joinpath("data/aws_registries.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text)["accounts"])
