"""The parts of an ARN: `arn:partition:service:region:account:resource` ("Amazon Resource Names", IAM User Guide)."""

from __future__ import annotations

from typing import NamedTuple


class Arn(NamedTuple):
    """`resource` is all that is behind the account, colons and slashes included."""

    partition: str = ""
    service: str = ""
    region: str = ""
    account: str = ""
    resource: str = ""


def parts_of_arn(text: str) -> Arn:
    """The parts of an ARN; all are "" for a text that is not an ARN."""
    mark, *parts = text.split(":", 5)
    return Arn(*parts) if mark == "arn" and len(parts) == len(Arn._fields) else Arn()
