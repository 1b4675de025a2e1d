"""What a deployment tells whoever watches, as records; the caller decides how to draw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.changes import StackChanges


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence: what is about to be done and why."""

    text: str


@dataclass(frozen=True, slots=True)
class AssetUploaded:
    """One asset is in the bootstrap bucket now."""

    asset: AssetUpload


@dataclass(frozen=True, slots=True)
class ChangesPlanned:
    """What is going to change, before it is executed."""

    changes: StackChanges


@dataclass(frozen=True, slots=True)
class ResourceProgress:
    """A resource, or a whole stack, reached a status. `place` is its construct path."""

    timestamp: datetime
    place: str
    stack: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Emptied:
    """A bucket or repository was emptied: `count` object versions or images are gone."""

    kind: str
    name: str
    count: int


Progress = Notice | AssetUploaded | ChangesPlanned | ResourceProgress | Emptied
Report = Callable[[Progress], None]
