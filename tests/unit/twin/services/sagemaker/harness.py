"""A SageMaker service over doubles, called in process through its own endpoint."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_SECONDS
from tests.unit.twin.services.fakes import FakeCompute, FakeControlPlane, FakeGateway, FakeImages, FakeLogs
from tests.unit.twin.services.sagemaker.doubles import ADA, FolderObjects, NoPackages
from trainworks.twin.ports import Caller, Compute
from trainworks.twin.recorded import RecordedStore
from trainworks.twin.services.logship import LogShipper
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker.service import SageMakerService
from trainworks.twin.store.database import Database


@dataclass(slots=True)
class Harness:
    """One server's life over `home`; `stop` and a new one over the same folder is a restart."""

    home: Path
    control_plane: FakeControlPlane
    logs: FakeLogs
    objects: FolderObjects
    database: Database
    compute: Any
    service: SageMakerService
    shipper: LogShipper
    outbox: Outbox
    gateway: FakeGateway

    def call(self, operation: str, caller: Caller = ADA, **params: Any) -> dict[str, Any]:
        return dict(self.service.endpoint.invoke(operation, params, caller))

    def describe(self, name: str = "job-1") -> dict[str, Any]:
        return self.call("DescribeTrainingJob", TrainingJobName=name)

    def wait(self, status: str, name: str = "job-1", seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The description once the job is in a primary or secondary status; fails when it has ended in another."""

        def is_right(job: dict[str, Any]) -> bool:
            right = status in (job["TrainingJobStatus"], job["SecondaryStatus"])
            assert right or job["TrainingJobStatus"] not in ("Completed", "Failed", "Stopped"), (
                f"{job['SecondaryStatus']}: {job['FailureReason']}\n" + "\n".join(self.log(name))
            )
            return right

        return self.until(lambda: self.describe(name), is_right, seconds)

    def until(self, get: Callable[[], Any], right: Callable[[Any], bool], seconds: float = PATIENCE_SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = get()
            if right(value):
                return value
            time.sleep(0.01)
        raise AssertionError(f"not within {seconds} s: {get()}")

    def log(self, name: str = "job-1") -> list[str]:
        lines = []
        for (group, stream), messages in sorted(self.logs.lines.items()):
            if group == "/aws/sagemaker/TrainingJobs" and stream.startswith(f"{name}/"):
                lines += messages
        return lines

    def jobs_cleaned(self, name: str) -> bool:
        """Whether nothing is left to do for a job."""
        row = self.database.read_one("SELECT cleaned FROM training_job WHERE name = ?", (name,))
        return row is not None and bool(row["cleaned"])

    def start(self) -> Harness:
        self.outbox.start()
        self.shipper.start()
        if hasattr(self.compute, "start"):
            self.compute.start()
        self.service.start()
        return self

    def stop(self) -> None:
        self.service.stop()
        if hasattr(self.compute, "close"):
            self.compute.close()
        self.shipper.stop()
        self.outbox.stop()
        self.database.close()


def make(
    home: Path,
    compute_of: Callable[[Database], Compute] | None = None,
    *,
    root: Path | None = None,
    control_plane: FakeControlPlane | None = None,
    logs: FakeLogs | None = None,
    python: Path | None = None,
) -> Harness:
    """A service over `home`; with a commanded compute plane unless `compute_of` makes another."""
    database = Database(home / "twin.db")
    control_plane = control_plane or FakeControlPlane(patterns=[{}])
    logs = logs or FakeLogs()
    objects = FolderObjects(home / "objects")
    compute: Any = compute_of(database) if compute_of else FakeCompute(database)
    gateway = FakeGateway()
    shipper, outbox = LogShipper(database, logs), Outbox(database, control_plane)
    parts = Parts(
        database=database,
        control_plane=control_plane,
        objects=objects,
        compute=compute,
        images=FakeImages(python or Path(sys.executable), root, has_notes=False),
        packages=NoPackages(),
        shipper=shipper,
        outbox=outbox,
        recorded=RecordedStore(database),
        gateway=gateway,
        jobs_dir=home / "jobs",
        endpoint_url="http://127.0.0.1:4577",
    )
    service = SageMakerService(parts, metrics_interval_seconds=1.0)
    return Harness(home, control_plane, logs, objects, database, compute, service, shipper, outbox, gateway)
