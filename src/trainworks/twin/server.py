"""The twin's server process: `python -m trainworks.twin --home H --port N`.

1. lock the home, check its version, make the root credentials
2. build the parts and hand each the ports that it needs
3. listen on 127.0.0.1, write `server.json`, say that it is ready
4. on SIGTERM or SIGINT: stop listening, let the parts finish, exit 0
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from trainworks.config.twin_settings import network_wish
from trainworks.config.variables import framework_images_wish, sandbox_wish
from trainworks.errors import PortInUseError, TrainworksError, TwinError
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
from trainworks.twin.home import DEFAULT_PORT, Home, default_home, write_private
from trainworks.twin.in_hand import InHand
from trainworks.twin.listener import Server
from trainworks.twin.objects.handler import ObjectHandler
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.process import end_processes, running_processes, start_time
from trainworks.twin.resources.registry import recorded, resource_types
from trainworks.twin.retention import Kind, Retention
from trainworks.twin.services.batch.service import BatchService
from trainworks.twin.services.cost_anomalies import CostAnomalies
from trainworks.twin.services.logs.service import LogsService
from trainworks.twin.services.logship import LogShipper
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.sagemaker.training.service import Parts, SageMakerService
from trainworks.twin.services.sagemaker.training.worker import MOST_DEATHS_OF_A_STEP
from trainworks.twin.store.database import Database
from trainworks.twin.supervisor import REFUSED, listen
from trainworks.twin.wire import Endpoint

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 3.0
"""What parts of the twin are given to finish what is in hand. Nothing is lost: it is done again after a start."""
_EXIT_SECONDS = 2.0

_SWITCH_SECONDS = 0.001
"""How long a thread may compute while others wait: a request takes several turns, beside threads that carry on jobs."""


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
    sagemaker: SageMakerService
    batch: BatchService
    cost_anomalies: CostAnomalies
    control: Control
    functions: LocalFunctions
    retention: Retention

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The services of ours."""
        return (self.sagemaker.endpoint, self.batch.endpoint, self.cost_anomalies.endpoint, self.logs.endpoint)

    def front(self) -> Front:
        """The ASGI application over these parts."""
        endpoints = {each.service_name: each for each in self.endpoints()}
        routes = Routes(endpoints, self.object_handler, self.control, self.emulator.handle)
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
        self.sagemaker.start()
        self.batch.start()
        self.compute.start()
        self.retention.start()
        self.emulator.start_invocations()

    def _stop_services(self, keep_instances: bool) -> None:
        agents = [] if keep_instances else running_processes([info.pid for info in self.compute.instances()])
        self.emulator.stop_invocations()
        in_time(_STOP_SECONDS, self.functions.close, self.retention.stop, self.batch.stop, self.sagemaker.stop)
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
    emulator = Emulator(home, home.make_credentials(), port)
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
    parts = Parts(database, control_plane, objects, compute, images, requirements, shipper, outbox)
    sagemaker = SageMakerService(
        parts,
        home.jobs_dir,
        endpoint_url,
        in_hand=InHand(home.in_hand_dir / "training-steps", MOST_DEATHS_OF_A_STEP),
        network=network_wish(None),
    )
    batch = BatchService(
        database,
        control_plane,
        compute,
        images,
        network=network_wish(None),
        outbox=outbox,
        log_shipper=shipper,
        in_hand=InHand(home.in_hand_dir / "batch-launches", MOST_DEATHS_OF_A_STEP),
        jobs_dir=home.jobs_dir,
        endpoint_url=endpoint_url,
    )
    compute.on_interruption(batch.on_interruption)
    cost_anomalies = CostAnomalies(database, control_plane)
    types = resource_types(
        batch.endpoint, sagemaker.endpoint, cost_anomalies.endpoint, logs.endpoint, EmulatorEc2(), EmulatorBudgets()
    )
    for name, resource_type in types.items():
        emulator.register_resource_type(name, resource_type)
    emulator.register_resource_types_later(lambda: recorded(database, types))
    kinds: dict[str, Kind] = {"training_jobs": sagemaker, "batch_jobs": batch}
    kinds |= {"images": images.unused, "requirements": requirements.unused}
    retention = Retention(home.retention_file, kinds)
    locators = {"training_job_name": sagemaker.instance_ids, "job_id": batch.instance_ids}
    control = Control(control_plane, compute, locators, retention, make_image=images.make, made_images=images.made)
    return Twin(
        home,
        database,
        emulator,
        objects,
        ObjectHandler(objects),
        compute,
        logs,
        shipper,
        outbox,
        sagemaker,
        batch,
        cost_anomalies,
        control,
        functions,
        retention,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop. Exit code 0, or REFUSED with the error on standard error."""
    parser = argparse.ArgumentParser(prog="trainworks-twin")
    parser.add_argument("--home", type=Path, default=default_home().root)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--listener", type=int, help="descriptor of a socket that listens already, instead of --port")
    parser.add_argument("--supervisor", type=int, help="pid of the process that starts the server again")
    options = parser.parse_args(arguments)
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # It warns of every request that is no HTTP; whoever sends such is answered, and does not write the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        with listener_of(options.listener, options.port) as listener:
            asyncio.run(serve(Home(options.home.absolute()), listener, options.supervisor))
    except TrainworksError as error:
        sys.stderr.write(f"error: {error}\n")
        return REFUSED
    return 0


async def serve(home: Home, listener: socket.socket, supervisor_pid: int | None = None) -> None:
    """Hold the home and serve. Raises `HomeVersionError`, `TwinError`."""
    home.prepare()
    lock = home.lock_file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise TwinError(f"another twin runs on {home.root}", fix="trainworks twin status") from None
    port = listener.getsockname()[1]
    twin = build(home, port)
    await twin.start()
    server = Server(
        uvicorn.Config(
            twin.front(),
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )
    record: dict[str, object] = {
        "port": port,
        "server": process_record(os.getpid()),
        "network": network_wish(None),
    }
    if supervisor_pid is not None:
        record["supervisor"] = process_record(supervisor_pid)
    write_private(home.server_file, json.dumps(record) + "\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.exit_soon)
    noting = asyncio.create_task(_note_sandbox(twin.compute, home, record))
    try:
        await server.serve(sockets=[listener])
    finally:
        noting.cancel()
        await twin.stop()
        home.server_file.unlink(missing_ok=True)
        _exit_soon()


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


def _exit_soon() -> None:
    """End the process even where a thread is still in a request or a build: all that was acknowledged is on disk."""

    def end() -> None:
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(_EXIT_SECONDS, end)
    timer.daemon = True
    timer.start()


async def _note_sandbox(compute: LocalCompute, home: Home, record: dict[str, object]) -> None:
    """Add to `server.json` what jobs are not guaranteed on this machine, as soon as an agent has found out."""
    try:
        warning = await asyncio.to_thread(compute.sandbox_warning)
    except TimeoutError as error:
        _LOG.exception("it is not known whether jobs run in the sandbox")
        warning = str(error)
    write_private(home.server_file, json.dumps({**record, "sandbox_warning": warning}) + "\n")


def process_record(pid: int) -> dict[str, object]:
    """A process as `server.json` names it: a pid alone may be somebody else's later."""
    return {"pid": pid, "start_time": start_time(pid)}


def listener_of(descriptor: int | None, port: int) -> socket.socket:
    """The socket that the supervisor listens on, or one of our own. Raises `PortInUseError`."""
    if descriptor is not None:
        listener = socket.socket(fileno=descriptor)
        # Instances outlive the server; none of them may keep the port.
        listener.set_inheritable(False)
    else:
        try:
            listener = listen(port)
        except OSError as error:
            raise PortInUseError(
                f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", fix="trainworks twin start --port N"
            ) from None
    listener.setblocking(False)
    return listener
