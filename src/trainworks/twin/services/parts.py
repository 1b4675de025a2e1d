"""What a service is built of: the twin's other parts, and where it may write. `building.py` makes it once for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.in_hand import MOST_DEATHS_OF_A_STEP, InHand
from trainworks.twin.ports import Compute, ControlPlane, Gateway, ImageResolver, ObjectStore, PackageResolver
from trainworks.twin.recorded import RecordedStore
from trainworks.twin.services.logship import LogShipper
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.store import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """`network` is what a job's own network leads to (`config.twin_settings`); without an `in_hand_dir` no account is
    kept of what the server died over."""

    database: Database
    control_plane: ControlPlane
    objects: ObjectStore
    compute: Compute
    images: ImageResolver
    packages: PackageResolver
    shipper: LogShipper
    outbox: Outbox
    recorded: RecordedStore
    gateway: Gateway
    jobs_dir: Path
    endpoint_url: str
    network: str = "host"
    in_hand_dir: Path | None = None

    def in_hand(self, name: str) -> InHand:
        """The account of one kind of jobs' steps, by the name of its folder."""
        return InHand(self.in_hand_dir / name if self.in_hand_dir else None, MOST_DEATHS_OF_A_STEP)
