"""A service of ours as the twin sees it. `building.py` lists the services; all that enumerates them reads that list.

A service says `class BatchService(Service)` and overrides what it has: only `endpoint` is demanded of it. A default
does nothing. How CloudFormation makes its resources is in `resources/registry.py`, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from sqlite3 import Connection
from typing import Protocol

from trainworks.twin.ports import Caller, Ended, InstanceInfo
from trainworks.twin.wire import Endpoint

Locator = Callable[[str, Caller], Sequence[str]]
"""The ids of the instances on which a named job runs now; empty if it runs on none."""


class Kept(Protocol):
    """A kind of thing that ends, and is kept for a while: training jobs, batch jobs, images, ..."""

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """At most `limit` that ended before `moment` (seconds since the epoch), oldest first, without the first
        `after`."""
        ...

    def forget(self, names: Sequence[str]) -> None:
        """Remove files and rows of what `ended_before` has named."""
        ...


class Service:
    """One API that the twin executes or records itself, with what works behind it."""

    endpoint: Endpoint

    def start(self) -> None:
        """Go on with what an earlier run left. The compute plane starts afterwards, so its events find everybody."""

    def stop(self) -> None:
        """Stop threads, while the compute plane still runs; jobs go on in their instances."""

    def locators(self) -> Mapping[str, Locator]:
        """Where its jobs run, by the member that names one in a request for an interruption: `training_job_name`."""
        return {}

    def kept(self) -> Mapping[str, Kept]:
        """What of it ends and is removed when it is old, by the name that users see: `training_jobs`."""
        return {}

    def on_interruption(self, tx: Connection, instance: InstanceInfo) -> None:
        """A spot instance was told that it ends, whoever's it is; in the transaction that decides on it."""
