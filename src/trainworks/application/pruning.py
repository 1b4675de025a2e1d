"""Removes from a running twin what has ended or is unused, part by part, so that no request takes long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.twin.control_client import ask
from trainworks.twin.home import Home
from trainworks.twin.lifecycle import running


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many of each kind were removed, or would be, and what that frees."""

    counts: Mapping[str, int]
    freed_bytes: int


def prune(home: Home, older_than_seconds: float, *, dry_run: bool) -> Pruned:
    """Remove what is older; in a dry run only count it. Raises `TwinError` where no twin runs."""
    server = running(home)
    counts: dict[str, int] = {}
    freed, more = 0, True
    while more:
        # In a dry run everything stays where it is, so that the next part is behind this one.
        after = max(counts.values(), default=0)
        request = {"older_than_seconds": older_than_seconds, "dry_run": dry_run}
        answer = ask(server, "prune", {**request, "after": after} if dry_run else request)
        counts = {name: counts.get(name, 0) + count for name, count in answer["counts"].items()}
        freed, more = freed + answer["freed_bytes"], answer["more"]
    return Pruned(counts, freed)
