"""The emulator as one object: built once by the server, answers verified requests, and is asked by our own services.

emulator = Emulator(home, root, port, objects)
emulator.register_resource_type("AWS::Batch::JobQueue", ...)     before start
await emulator.start()                                           on the server's event loop
await emulator.handle(scope, body, send)                         a request whose signature holds
await emulator.stop()
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, MutableMapping
from types import ModuleType
from typing import Any

from trainworks.twin import answers
from trainworks.twin.emulator import engine, gates, linear_patterns
from trainworks.twin.emulator.cloudformation.resource_types import ResourceTypes
from trainworks.twin.emulator.cloudformation.stack_permissions import StackPermissions
from trainworks.twin.emulator.cloudformation.stack_recovery import is_interrupted
from trainworks.twin.emulator.cloudformation.stacks import Stacks
from trainworks.twin.emulator.cloudwatch.alarms import Alarms
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData
from trainworks.twin.emulator.control_plane import EmulatorControlPlane
from trainworks.twin.emulator.dressing import ALONE, CorrectionParts, corrections_of
from trainworks.twin.emulator.durable.changed_parts import ChangedParts
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.growing_lists import GrowingLists
from trainworks.twin.emulator.durable.histories import Histories
from trainworks.twin.emulator.durable.item_rows import TableItems
from trainworks.twin.emulator.ended import forget_ended, forget_events
from trainworks.twin.emulator.events.event_targets import EventTargets
from trainworks.twin.emulator.events.role_calls import RoleCalls
from trainworks.twin.emulator.functions.async_invocations import AsyncInvocations
from trainworks.twin.emulator.functions.function_urls import FunctionUrls
from trainworks.twin.emulator.functions.lambda_functions import LambdaFunctions
from trainworks.twin.emulator.functions.provisioned import ProvisionedConcurrency
from trainworks.twin.emulator.functions.queue_source import QueueSource
from trainworks.twin.emulator.functions.stream_source import StreamSource
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.iam.reading import READ_BY_OTHERS, Reading
from trainworks.twin.emulator.loading import LoadHook
from trainworks.twin.emulator.logs import old_logs
from trainworks.twin.emulator.logs.log_groups import AttachedLogs, LogStreams
from trainworks.twin.emulator.logs.old_logs import OldGroup
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.emulator.page_tokens import PageTokens
from trainworks.twin.emulator.registry import Registry
from trainworks.twin.emulator.request_members import request_members
from trainworks.twin.emulator.s3 import bucket_requests
from trainworks.twin.emulator.s3.buckets import EmulatorBuckets, ObjectData
from trainworks.twin.emulator.services import SERVICES
from trainworks.twin.emulator.sqs.queues import QueueParts
from trainworks.twin.emulator.step_functions.sdk_tasks import SdkTasks
from trainworks.twin.home import Home, RootCredentials
from trainworks.twin.ports import ApiError, Functions
from trainworks.twin.resource_types import ResourceType
from trainworks.twin.sigv4 import SigningKey
from trainworks.twin.store.database import Database
from trainworks.twin.wire.current import CurrentCall, answering

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_BACKGROUND_SECONDS = 0.2
_PRELOAD_SECONDS = 0.5
_ALARM_SECONDS = 1.0
_FORGET_SECONDS = 600.0
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]+)")
_READING = ("Get", "List", "Describe", "Head", "Filter", "BatchGet", "Lookup", "Simulate", "Validate")

_LOG = logging.getLogger(__name__)


class Emulator:
    """ministack behind our authorization and durability. `own_services` are those that the twin serves without it."""

    def __init__(self, home: Home, root: RootCredentials, port: int, own_services: Collection[str] = ()) -> None:
        self._app: Any = engine.load(port)
        self._loop = StateLoop()
        self._persistence = Persistence(home, self._loop)
        self._histories = Histories(self._persistence.database, self._persistence.tracker)
        registry = Registry(self._persistence.database)
        self._lambda = LambdaFunctions()
        self._metric_data = MetricData(Database(home.metrics_db, synchronous="NORMAL"))
        self._alarms = Alarms(self._metric_data)
        self._logs = AttachedLogs()
        self._resources = ResourceTypes(root, self._persistence.flush)
        self._corrections = ALONE
        self._hook = LoadHook(self._loaded)
        self._hook.install()
        gates.install(self._app.SERVICE_HANDLERS, PageTokens(root.secret_access_key))
        self._authorization = Authorization(root)
        self._stacks = Stacks(self._persistence.tracker, self._persistence.flush)
        stack_permissions = StackPermissions(self._authorization)
        self._reading = Reading(self._authorization, stack_permissions)
        self.buckets = EmulatorBuckets(self._persistence.commit)
        self._recovery: asyncio.Task[None] | None = None
        self._preload: asyncio.TimerHandle | None = None
        self._flusher: asyncio.Task[None] | None = None
        self.control_plane = EmulatorControlPlane(self._authorization, registry, self._persistence)
        called = (self.control_plane.assume_for_service, f"http://127.0.0.1:{port}", {*SERVICES, *own_services})
        calls = RoleCalls(*called)
        self._event_targets = EventTargets(self._authorization, self._logs, calls, self._persistence.database)
        self._invocations = AsyncInvocations(self._persistence.database, calls)
        self._provisioned = ProvisionedConcurrency(self._lambda.spec, lambda: self._lambda.port)
        self.function_urls = FunctionUrls(self._authorization, f"http://127.0.0.1:{port}")
        kept = (self._persistence.tracker, self._persistence.rows_of)
        self._corrections = corrections_of(
            CorrectionParts(
                self._authorization,
                TableItems(*kept),
                QueueParts(*kept),
                GrowingLists(*kept),
                self._histories,
                ChangedParts(*kept),
                registry,
                self._lambda,
                self._invocations,
                self.function_urls,
                QueueSource(),
                StreamSource(calls),
                self._provisioned,
                self._metric_data,
                self._alarms,
                self._logs,
                self._event_targets,
                SdkTasks(*called),
                self.buckets,
                self._stacks,
                stack_permissions,
                self._resources,
            )
        )

    def signing_key(self, access_key_id: str) -> SigningKey | None:
        """What is known of an access key; the front checks signatures with it."""
        return self._authorization.signing_key(access_key_id)

    async def start(self) -> None:
        """Take the running loop as the one that owns all state, and start what runs on timers."""
        self._loop.bind(asyncio.get_running_loop())
        self._app._MAIN_LOOP = asyncio.get_running_loop()
        for name in ("eventbridge", "scheduler"):
            engine.service(name).start_scheduler()
        self._flusher = asyncio.create_task(self._flush_background())
        self._preload = asyncio.get_running_loop().call_later(_PRELOAD_SECONDS, self._load_ahead)
        if any(is_interrupted(stack) for _, stack in self._persistence.stored("cloudformation._stacks")):
            engine.service("cloudformation")
            self._recovery = asyncio.create_task(self._stacks.recover())

    def start_invocations(self) -> None:
        """Run the events that Lambda took in and make the calls that rules are due, an earlier run's too; when all that
        they may need has started."""
        self._invocations.start()
        if self._persistence.holds("lambda_svc._functions"):
            # What is provisioned is there before somebody calls.
            threading.Thread(target=engine.service, args=("lambda_svc",), name="load-lambda", daemon=True).start()
        self._event_targets.start()

    def stop_invocations(self) -> None:
        """Begin no event more; before the environments of functions end, so that none of them counts as failed."""
        self._invocations.stop()
        self._provisioned.stop()
        self._event_targets.stop()

    async def handle(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one verified request; what it changed is durable before the answer starts."""
        operation = operation_of(scope, body)
        refused = await gates.unserved(served_service(scope, operation), scope, body)
        if refused is not None:
            await answers.send_response(send, refused.status, refused.headers, refused.body)
            return
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        call = CurrentCall(lambda service, name: request_members(scope, body, service, name))
        with self._persistence.tracker.request(reading=operation.startswith(_READING)) as write_set, answering(call):

            async def send_durable(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await self._persistence.settle(write_set)
                await send(message)

            await self._app.app(scope, receive, send_durable)

    def attach_objects(self, objects: ObjectData) -> None:
        """Connect the object store, which needs `control_plane` and `buckets` and is therefore built later."""
        self.buckets.attach(objects)

    def attach_functions(self, functions: Functions) -> None:
        """Connect what runs Lambda functions, which needs `control_plane` and is therefore built later."""
        self._lambda.attach(functions)

    def attach_logs(self, logs: LogStreams) -> None:
        """Connect CloudWatch Logs, which needs `control_plane`; before anything of the emulator writes a log."""
        self._logs.attach(logs)

    def old_logs(self) -> Iterator[OldGroup]:
        """The log groups that an earlier version kept in `emulator.db`; `forget_old_logs` once they are elsewhere."""
        return old_logs.groups(self._persistence.database)

    def old_log_policies(self) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
        """The resource policies that are stored next to `old_logs`: account, region, name, record."""
        return old_logs.policies(self._persistence.database)

    def forget_old_logs(self) -> None:
        old_logs.forget(self._persistence.database)

    def register_resource_type(self, type_name: str, resource_type: ResourceType) -> None:
        """Let stacks use a CloudFormation type of ours, or ours in place of ministack's."""
        self._resources.register(type_name, resource_type)

    @property
    def resource_types(self) -> Mapping[str, ResourceType]:
        """The CloudFormation types of ours, by name."""
        return self._resources.registered

    def register_resource_types_later(self, types: Callable[[], Mapping[str, ResourceType]]) -> None:
        """The same for many, which are asked for when CloudFormation is loaded."""
        self._resources.register_later(types)

    async def stop(self) -> None:
        """Write what the background touched and close the database."""
        for task in (self._flusher, self._recovery, self._preload):
            if task is not None:
                task.cancel()
        self.close()

    def close(self) -> None:
        """Write what is left and let go of the database, of an emulator that was never started, too."""
        self._persistence.close()
        self._metric_data.close()
        self._hook.remove()

    def _load_ahead(self) -> None:
        """Load the largest service before somebody waits for it; it costs half a second."""
        threading.Thread(target=engine.service, args=("cloudformation",), name="load-ahead", daemon=True).start()

    async def _flush_background(self) -> None:
        """What timers and threads of ministack change belongs to no request: it is written shortly afterwards."""
        next_alarms = 0.0
        next_forget = time.monotonic() + _FORGET_SECONDS
        is_forgetting = False
        while True:
            await asyncio.sleep(_BACKGROUND_SECONDS)
            try:
                if time.monotonic() >= next_alarms:
                    next_alarms = time.monotonic() + _ALARM_SECONDS
                    with self._persistence.tracker.request(reading=True):
                        self._alarms.evaluate_all()
                await self._persistence.settle()
                if time.monotonic() >= next_forget:
                    next_forget = time.monotonic() + _FORGET_SECONDS
                    forget_ended()
                    is_forgetting = True
                if is_forgetting:  # a part each time, which delays nobody
                    is_forgetting = forget_events()
                    is_forgetting |= await asyncio.to_thread(self._histories.drop_old)
            except Exception:  # noqa: BLE001 - whatever it was, what comes after has to reach the disk
                _LOG.exception("background changes are not on disk yet; trying again")

    def _loaded(self, name: str, module: ModuleType) -> None:
        """A service of ministack was loaded: bring its rows back, put corrections in place."""
        engine.check_signatures(engine.SERVICE_SIGNATURES.get(name, {}))
        if name == "s3":
            bucket_requests.prepare(module)
        self._persistence.adopt(name, module)
        linear_patterns.install(name, module)
        for install in self._corrections.get(name, ()):
            install(module)
        if name in READ_BY_OTHERS:
            self._reading.install(name, module)


def operation_of(scope: Scope, body: bytes) -> str:
    """The name of a request's operation where the protocol names it, else a verb of HTTP as one: `Get` or `Put`."""
    headers = dict(scope["headers"])
    target = headers.get(b"x-amz-target", b"").rpartition(b".")[2]
    if not target:
        match = _ACTION.search(scope["query_string"]) or _ACTION.search(body[:4096])
        target = match[1] if match else b""
    if not target and b"/operation/" in scope["raw_path"]:
        target = scope["raw_path"].rpartition(b"/")[2]
    if target:
        return bytes(target).decode("ascii", "replace")
    return "Get" if scope["method"] in ("GET", "HEAD") else "Put"


def served_service(scope: Scope, operation: str) -> str:
    """The service that a request is for. Raises `ApiError` `NotImplemented` for one that the twin does not serve."""
    service: str = engine.module("core.router").detect_service(
        scope["method"],
        scope["path"],
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        {"Action": [operation]},
    )
    if service not in SERVICES:
        raise ApiError(
            "NotImplemented",
            f"trainworks does not implement the service {service}; see docs/reference/fidelity.md",
            501,
        )
    return service
