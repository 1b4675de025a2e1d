"""Tags by ARN, in the transaction of whoever owns what is tagged: one table for all kinds of resources.

What a service allows (how many, which keys) is the service's to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection

from trainworks.twin.recorded.statements import SQL


def tags_of(tx: Connection, arn: str) -> dict[str, str]:
    """By key, in the order of the keys."""
    return {row["key"]: row["value"] for row in tx.execute(SQL["tags"], (arn,)).fetchall()}


def put_tags(tx: Connection, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, or replace those of the same keys."""
    tx.executemany(SQL["put_tag"], [(arn, key, value) for key, value in tags.items()])


def delete_tags(tx: Connection, arn: str, keys: Iterable[str]) -> None:
    tx.executemany(SQL["delete_tag"], [(arn, key) for key in keys])


def forget_tags(tx: Connection, arn: str) -> None:
    """All tags of what is deleted."""
    tx.execute(SQL["delete_tags"], (arn,))


def request_keys(tags: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """The condition keys of a request that sets these tags."""
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


def resource_keys(tags: Mapping[str, str], *prefixes: str) -> dict[str, str | Sequence[str]]:
    """The condition keys of a resource that has these tags, under `aws:` and the prefixes of its service."""
    return {f"{prefix}:ResourceTag/{key}": value for prefix in ("aws", *prefixes) for key, value in tags.items()}
