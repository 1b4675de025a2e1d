"""The Batch service: its parts put together, and the endpoint that joins their operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from sqlite3 import Connection

from trainworks.aws.instance_types import FARGATE_FAMILY
from trainworks.twin.ports import InstanceInfo, Market
from trainworks.twin.service import Kept, Locator, Service
from trainworks.twin.services.batch.arns import TASK_PREFIX, region_of
from trainworks.twin.services.batch.definitions import JobDefinitions
from trainworks.twin.services.batch.dispatch import Dispatcher
from trainworks.twin.services.batch.ended import EndedJobs
from trainworks.twin.services.batch.environments import ComputeEnvironments
from trainworks.twin.services.batch.events import interruption_warning
from trainworks.twin.services.batch.jobs import Jobs
from trainworks.twin.services.batch.launch import LaunchPorts
from trainworks.twin.services.batch.ledger import Ledger
from trainworks.twin.services.batch.output import Output
from trainworks.twin.services.batch.queues import JobQueues
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.services.batch.reports import Reports
from trainworks.twin.services.batch.submission import Submission
from trainworks.twin.services.batch.tags import Tags
from trainworks.twin.services.networks import Networks
from trainworks.twin.services.parts import Parts
from trainworks.twin.store.queries import load_sql
from trainworks.twin.wire import Endpoint


class BatchService(Service):
    """Built before `Compute.start`; `start` and `stop` frame its threads. `endpoint` answers the API."""

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.time) -> None:
        database, control_plane, compute = parts.database, parts.control_plane, parts.compute
        database.apply(load_sql(__package__ or "", "schema.sql"))
        self._outbox = parts.outbox
        ledger = Ledger(database, parts.outbox, clock)
        output = Output(parts.shipper, parts.jobs_dir, ledger.specs)
        launch_ports = LaunchPorts(
            control_plane,
            parts.images,
            parts.shipper.logs,
            Networks(control_plane, compute, parts.endpoint_url, parts.network),
            parts.endpoint_url,
            parts.in_hand("batch-launches"),
        )
        self.dispatcher = Dispatcher(database, ledger, compute, launch_ports, output)
        self.ended = EndedJobs(database, ledger, output, clock)
        self._jobs = Jobs(database, control_plane, compute, ledger)
        resources = (
            ComputeEnvironments(database, control_plane, compute, ledger),
            JobQueues(database, control_plane, compute, ledger),
            JobDefinitions(database, control_plane),
            Submission(database, control_plane, ledger),
            self._jobs,
            Tags(database, control_plane),
        )
        operations = {name: each for resource in resources for name, each in resource.operations().items()}
        self.endpoint = Endpoint("batch", operations, validation_code="ClientException")
        reports = Reports(ledger, output)
        compute.subscribe(TASK_PREFIX, reports.on_task_events)
        parts.shipper.on_arrival(TASK_PREFIX, reports.on_arrival)

    def start(self) -> None:
        """Go on with what an earlier run left: stops, RUNNABLE jobs; and forget jobs that ended long ago."""
        self._jobs.stop_again()
        self.dispatcher.start()
        self.ended.start()

    def stop(self) -> None:
        self.dispatcher.stop()
        self.ended.stop()

    def locators(self) -> Mapping[str, Locator]:
        return {"job_id": self._jobs.instance_ids}

    def kept(self) -> Mapping[str, Kept]:
        return {"batch_jobs": self.ended}

    def on_interruption(self, tx: Connection, instance: InstanceInfo) -> None:
        """EC2's warning, if the instance is a spot host of a compute environment; Fargate's tasks have none."""
        row = tx.execute(SQL["environment_of_pool"], (instance.pool_id,)).fetchone()
        if row is not None and instance.market is Market.SPOT and not instance.instance_type.startswith(FARGATE_FAMILY):
            self._outbox.put(tx, [interruption_warning(instance.instance_id, region_of(row["arn"]))])
