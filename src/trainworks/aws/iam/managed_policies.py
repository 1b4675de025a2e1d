"""AWS's own managed policies, as far as this project knows them: `managed_policies.json`, with source and date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from trainworks.aws.iam.documents import VARIABLES_VERSION
from trainworks.aws.iam.partial.statements import Statement, anything, statements_of
from trainworks.aws.wildcards import covers

_MARK = ":iam::aws:policy/"


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy's default version. What an incomplete one allows beyond its statements is unknown."""

    name: str
    version: str
    statements: tuple[Statement, ...]


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    text = files(__package__).joinpath("managed_policies.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def managed_policy_name(arn: str) -> str | None:
    """The name of AWS's managed policy, None if the ARN is another policy's."""
    _, mark, path = arn.partition(_MARK)
    return path.rpartition("/")[2] if mark else None


def complete_documents() -> dict[str, str]:
    """The documents that are known whole, by the ARN of their policy."""
    return {
        f"arn:aws{_MARK.removesuffix('/')}{body['path']}{name}": json.dumps(
            {"Version": VARIABLES_VERSION, "Statement": body["statements"]}
        )
        for name, body in _data()["policies"].items()
        if body["complete"]
    }


@lru_cache(maxsize=256)
def managed_policy(name: str) -> ManagedPolicy:
    """The policy of that name; of one that is not in the data, everything is unknown."""
    body = _data()["policies"].get(name)
    if body is None:
        return ManagedPolicy(name, "", (anything(),))
    statements = tuple(statements_of({"Statement": body["statements"]}, is_own=False))
    return ManagedPolicy(name, body["version"], statements if body["complete"] else (*statements, anything()))


def too_broad(name: str) -> str | None:
    """Why no role of a platform should have the policy; None if nothing speaks against it."""
    for pattern, reason in _data()["broad"].items():
        if covers(pattern, name):
            return str(reason)
    return None
