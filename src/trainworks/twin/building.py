"""All parts of a twin, built in the order in which they need one another, started and stopped together.

`SERVICES` is the one list of our services: a new one is a line there (and its CloudFormation types one in
`resources/registry.py`). The front, the emulator, control, retention and the fidelity page read it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainworks.config.twin_settings import network_wish
from trainworks.config.variables import framework_images_wish, sandbox_wish
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.gpus import find_gpus
from trainworks.twin.compute.images import Images
from trainworks.twin.compute.requirements import Requirements
from trainworks.twin.compute.scheduler import LocalCompute
from trainworks.twin.control import Control
from trainworks.twin.emulator.budgets_api import EmulatorBudgets
from trainworks.twin.emulator.ec2.ec2_api import EmulatorEc2
from trainworks.twin.emulator.emulator import Emulator
from trainworks.twin.front import Front, Routes
from trainworks.twin.functions.runner import LocalFunctions
from trainworks.twin.home import Home
from trainworks.twin.in_hand import InHand
from trainworks.twin.objects.handler import ObjectHandler
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.process import end_processes, running_processes
from trainworks.twin.recorded import RecordedStore
from trainworks.twin.recorded.tags import resource_keys
from trainworks.twin.resources.registry import recorded, resource_types
from trainworks.twin.retention import Retention
from trainworks.twin.service import Kept, Locator, Service
from trainworks.twin.services.batch.service import BatchService
from trainworks.twin.services.cost_anomalies import CostAnomalies
from trainworks.twin.services.logs.service import LogsService
from trainworks.twin.services.logship import LogShipper
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker.service import SageMakerService
from trainworks.twin.serving.gateway import Gateway
from trainworks.twin.store.database import Database
from trainworks.twin.wire import Endpoint

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 3.0
"""The time for parts of the twin to finish their work. Nothing is lost: what is cut short is done again at a start."""


SERVICES: Mapping[str, Callable[[Parts], Service]] = {
    "sagemaker": SageMakerService,
    "batch": BatchService,
    "ce": lambda parts: CostAnomalies(parts.recorded, parts.control_plane),
}
"""Our services by botocore's name, in the order in which they start; they stop all at once.

Logs is not among them: the others write into it, so it starts before and stops after them.
"""

OWN_SERVICES = (*SERVICES, "logs")
"""What the front serves without ministack."""


@dataclass(frozen=True, slots=True)
class Twin:
    """All parts of one twin, built and connected."""

    home: Home
    database: Database
    emulator: Emulator
    objects: TwinObjectStore
    object_handler: ObjectHandler
    compute: LocalCompute
    logs: LogsService
    shipper: LogShipper
    outbox: Outbox
    services: tuple[Service, ...]
    control: Control
    functions: LocalFunctions
    retention: Retention
    gateway: Gateway

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The services of ours."""
        return (*(each.endpoint for each in self.services), self.logs.endpoint)

    def front(self) -> Front:
        """The ASGI application over these parts."""
        endpoints = {each.service_name: each for each in self.endpoints()}
        routes = Routes(
            endpoints,
            self.object_handler,
            self.gateway,
            self.control,
            self.emulator.handle,
            self.emulator.function_urls,
        )
        return Front(self.emulator.signing_key, routes)

    async def start(self) -> None:
        """Start what runs in the background, lower parts first."""
        await self.emulator.start()
        await asyncio.to_thread(self._start_services)

    async def stop(self) -> None:
        """Stop in the opposite order. Instances end too, unless the one who stops the twin asked to keep them."""
        keep = self.home.keep_instances_file.exists()
        await asyncio.to_thread(self._stop_services, keep)
        await self.emulator.stop()
        self.logs.close()
        self.database.close()

    async def discard(self) -> None:
        """Let go of parts that were built and never started."""
        self.object_handler.close()
        self.objects.close()
        self.emulator.close()
        self.logs.close()
        self.database.close()

    def _start_services(self) -> None:
        self.objects.start()
        self.outbox.start()
        self.logs.start()
        self.shipper.start()
        for service in self.services:
            service.start()
        self.compute.start()
        self.retention.start()
        self.emulator.start_invocations()

    def _stop_services(self, keep_instances: bool) -> None:
        agents = [] if keep_instances else running_processes([info.pid for info in self.compute.instances()])
        self.emulator.stop_invocations()
        stops = [service.stop for service in self.services[::-1]]
        in_time(_STOP_SECONDS, self.functions.close, self.retention.stop, *stops)
        self.compute.close()
        # The engine is down, so nothing is started in their place. The next start finds them gone: LOST.
        end_processes(agents)
        in_time(_STOP_SECONDS, self.shipper.stop, self.logs.stop, self.outbox.stop)
        self.object_handler.close()
        self.objects.close()


def build(home: Home, port: int) -> Twin:
    """Build every part of the twin over `home`, in the order in which they need one another."""
    endpoint_url = f"http://127.0.0.1:{port}"
    database = Database(home.twin_db)
    emulator = Emulator(home, home.make_credentials(), port, OWN_SERVICES)
    control_plane = emulator.control_plane
    objects = TwinObjectStore(home.root, control_plane, emulator.buckets)
    emulator.attach_objects(objects)
    compute = LocalCompute(database, home.root)
    builder = Builder(home.root, sandbox=sandbox_wish())
    builder.clear()
    images = Images(
        control_plane,
        home.images_dir,
        builder,
        frameworks=framework_images_wish(),
        has_gpus=bool(len(find_gpus())),
        is_in_use=compute.uses_folder,
    )
    requirements = Requirements(home.requirements_dir, Path(sys.executable), builder, compute.uses_folder)
    logs = LogsService(Database(home.logs_db), control_plane)
    emulator.attach_logs(logs)
    logs.take_over(emulator.old_logs())
    logs.take_over_policies(emulator.old_log_policies())
    emulator.forget_old_logs()
    functions = LocalFunctions(home.root, control_plane, logs, endpoint_url, sandbox=sandbox_wish())
    emulator.attach_functions(functions)
    shipper = LogShipper(database, logs, in_hand=InHand(home.in_hand_dir / "log-lines"))
    outbox = Outbox(database, control_plane)
    recorded_store = RecordedStore(database)
    gateway = Gateway(control_plane, lambda arn: resource_keys(recorded_store.tags(arn), "sagemaker"))
    parts = Parts(
        database,
        control_plane,
        objects,
        compute,
        images,
        requirements,
        shipper,
        outbox,
        recorded_store,
        gateway,
        jobs_dir=home.jobs_dir,
        endpoint_url=endpoint_url,
        network=network_wish(None),
        in_hand_dir=home.in_hand_dir,
    )
    services = tuple(make(parts) for make in SERVICES.values())
    locators: dict[str, Locator] = {}
    kept: dict[str, Kept] = {}
    for service in services:
        locators |= service.locators()
        kept |= service.kept()
        compute.on_interruption(service.on_interruption)
    kept |= {"images": images.unused, "requirements": requirements.unused}
    retention = Retention(home.retention_file, kept)
    control = Control(control_plane, compute, locators, retention, make_image=images.make, made_images=images.made)
    twin = Twin(
        home,
        database,
        emulator,
        objects,
        ObjectHandler(objects),
        compute,
        logs,
        shipper,
        outbox,
        services,
        control,
        functions,
        retention,
        gateway,
    )
    types = resource_types(twin.endpoints(), EmulatorEc2(), EmulatorBudgets())
    for name, resource_type in types.items():
        emulator.register_resource_type(name, resource_type)
    emulator.register_resource_types_later(lambda: recorded(parts.recorded, types))
    return twin


def in_time(seconds: float, *stops: Callable[[], None]) -> None:
    """Call all at once, and go on when they are done or the time is over: a download or a build may take minutes."""
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=stop, name=f"{stop!r}", daemon=True) for stop in stops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            _LOG.warning("%s has not ended within %s s; its work goes on after the next start", thread.name, seconds)
