"""A Batch service on in-memory ports, and shorthands for its calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.fakes import CALLER, FakeCompute, FakeControlPlane, FakeGateway, FakeImages, FakeLogs
from tests.unit.twin.services.sagemaker.doubles import FolderObjects, NoPackages
from trainworks.twin.ports import TaskEvent
from trainworks.twin.recorded import RecordedStore
from trainworks.twin.services.batch.service import BatchService
from trainworks.twin.services.logship import LogShipper
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.parts import Parts
from trainworks.twin.store import Database

RESOURCES = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]


class Batch:
    """The service with its fakes. Nothing runs in threads: `dispatch` is called by `submit`."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.database = Database(folder / "twin.db")
        self.control_plane = FakeControlPlane()
        self.logs = FakeLogs()
        self.compute = FakeCompute(self.database)
        self.images = FakeImages(Path(sys.executable))
        self.outbox = Outbox(self.database, self.control_plane)
        self.log_shipper = LogShipper(self.database, self.logs, clock=lambda: self.now)
        self.jobs_dir = folder / "jobs"
        self.service = self.make_service()

    def make_service(self) -> BatchService:
        parts = Parts(
            database=self.database,
            control_plane=self.control_plane,
            objects=FolderObjects(self.jobs_dir.parent / "objects"),
            compute=self.compute,
            images=self.images,
            packages=NoPackages(),
            shipper=self.log_shipper,
            outbox=self.outbox,
            recorded=RecordedStore(self.database),
            gateway=FakeGateway(),
            jobs_dir=self.jobs_dir,
            endpoint_url="http://127.0.0.1:4577",
        )
        return BatchService(parts, clock=lambda: self.now)

    def call(self, operation: str, **params: Any) -> Any:
        return self.service.endpoint.invoke(operation, params, CALLER)

    def platform(self, *, resources: Mapping[str, Any] | None = None, queue: Mapping[str, Any] | None = None) -> None:
        """An environment `ce`, a queue `q` and a definition `d` that runs `true`."""
        self.call(
            "CreateComputeEnvironment",
            computeEnvironmentName="ce",
            type="MANAGED",
            computeResources={
                "type": "SPOT",
                "maxvCpus": 64,
                "instanceTypes": ["m5.large"],
                "subnets": ["subnet-1"],
                "instanceRole": "ecsInstanceRole",
                "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
                **(resources or {}),
            },
        )
        order = [{"order": 1, "computeEnvironment": "ce"}]
        self.call("CreateJobQueue", jobQueueName="q", priority=1, computeEnvironmentOrder=order, **(queue or {}))
        self.define("d")

    def define(self, name: str, *, container: Mapping[str, Any] | None = None, **more: Any) -> str:
        properties = {
            "image": "python:3.11",
            "command": ["true"],
            "resourceRequirements": RESOURCES,
            **(container or {}),
        }
        answer = self.call(
            "RegisterJobDefinition", jobDefinitionName=name, type="container", containerProperties=properties, **more
        )
        return str(answer["jobDefinitionArn"])

    def submit(self, **params: Any) -> str:
        given = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", **params}
        job_id = str(self.call("SubmitJob", **given)["jobId"])
        self.service.dispatcher.dispatch()
        return job_id

    def job(self, job_id: str) -> Any:
        return self.call("DescribeJobs", jobs=[job_id])["jobs"][0]

    def status(self, job_id: str) -> str:
        return str(self.job(job_id)["status"])

    def report(self, *events: TaskEvent) -> None:
        """What tasks report, and all their output brought to Logs."""
        self.compute.report(*events)
        self.log_shipper.ship()

    def run(self, job_id: str, exit_code: int = 0, reason: str = "", attempt: int = 1) -> None:
        self.compute.run(f"batch.{job_id.replace(':', '.')}.{attempt}", exit_code, reason)
        self.log_shipper.ship()
        self.service.dispatcher.dispatch()


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)
