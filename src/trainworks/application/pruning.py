"""Removes from a running twin what has ended or is unused, part by part, so that no request takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.twin.control_client import ask
from trainworks.twin.home import Home
from trainworks.twin.lifecycle import running


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many of each kind were removed, or would be, and what that frees.

    `failed` says about each kind what could not be removed, by name, and why.
    """

    counts: Mapping[str, int]
    freed_bytes: int
    failed: Mapping[str, Mapping[str, str]]


def prune(home: Home, older_than_seconds: float, *, dry_run: bool) -> Pruned:
    """Remove what is older; in a dry run only count it. Raises `TwinError` if no twin runs."""
    server = running(home)
    counts, freed, more = Counter[str](), 0, True
    failed: dict[str, dict[str, str]] = {}
    while more:
        # What stays where it is comes first again: in a dry run everything does, else what could not be removed.
        after = dict(counts) if dry_run else {name: len(each) for name, each in failed.items()}
        request = {"older_than_seconds": older_than_seconds, "dry_run": dry_run, "after": after}
        answer = ask(server, "prune", request)
        counts.update(answer["counts"])
        for name, reasons in answer["failed"].items():
            failed.setdefault(name, {}).update(reasons)
        freed, more = freed + answer["freed_bytes"], answer["more"]
    return Pruned(counts, freed, failed)
