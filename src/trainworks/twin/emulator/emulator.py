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
from collections.abc import Awaitable, Callable, MutableMapping
from types import ModuleType
from typing import Any

from trainworks.twin.emulator import corrections, engine, update_rules
from trainworks.twin.emulator.authorization import Authorization
from trainworks.twin.emulator.buckets import EmulatorBuckets, ObjectData
from trainworks.twin.emulator.control_plane import EmulatorControlPlane
from trainworks.twin.emulator.durability import Persistence
from trainworks.twin.emulator.loading import LoadHook
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.emulator.nested_change_sets import NestedChangeSets
from trainworks.twin.emulator.registry import Registry
from trainworks.twin.emulator.resource_types import ResourceTypes
from trainworks.twin.emulator.stacks import Stacks
from trainworks.twin.home import Home, RootCredentials
from trainworks.twin.ports import ApiError
from trainworks.twin.resource_types import ResourceType
from trainworks.twin.sigv4 import SigningKey

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_BACKGROUND_SECONDS = 0.2
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]+)")
_READING = (b"Get", b"List", b"Describe", b"Head", b"Filter", b"BatchGet", b"Lookup", b"Simulate", b"Validate")

_LOG = logging.getLogger(__name__)


class Emulator:
    """ministack behind our authorization and durability."""

    def __init__(self, home: Home, root: RootCredentials, port: int) -> None:
        self._app: Any = engine.load(port)
        self._loop = StateLoop()
        self._persistence = Persistence(home, self._loop)
        self._registry = Registry(self._persistence.database)
        self._resources = ResourceTypes(root)
        self._hook = LoadHook(self._loaded)
        self._hook.install()
        self._authorization = Authorization(root)
        self._stacks = Stacks(self._persistence.journal)
        self.buckets = EmulatorBuckets(self._persistence.commit)
        self._flusher: asyncio.Task[None] | None = None
        self.control_plane = EmulatorControlPlane(
            self._authorization, self._registry, self._loop, self._persistence.commit
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

    async def handle(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one verified request; what it changed is durable before the answer starts."""
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        with self._persistence.journal.request(reading=is_reading(scope, body)) as watch:

            async def send_durable(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await self._persistence.settle(watch)
                await send(message)

            await self._app.app(scope, receive, send_durable)

    def attach_objects(self, objects: ObjectData) -> None:
        """Connect the object store, which needs `control_plane` and `buckets` and is therefore built later."""
        self.buckets.attach(objects)

    def register_resource_type(self, type_name: str, resource_type: ResourceType) -> None:
        """Let stacks use a CloudFormation type of ours, or ours in place of ministack's."""
        self._resources.register(type_name, resource_type)

    async def stop(self) -> None:
        """Write what the background touched and close the database."""
        if self._flusher is not None:
            self._flusher.cancel()
        self._persistence.close()
        self._hook.remove()

    async def _flush_background(self) -> None:
        """What timers and threads of ministack change belongs to no request: write it within a moment."""
        while True:
            await asyncio.sleep(_BACKGROUND_SECONDS)
            try:
                await self._persistence.settle()
            except ApiError:
                _LOG.exception("background changes are not on disk yet; trying again")

    def _loaded(self, name: str, module: ModuleType) -> None:
        """A service of ministack was loaded: bring its rows back, put corrections in place."""
        engine.check_signatures(engine.SERVICE_SIGNATURES.get(name, {}))
        self._persistence.adopt(name, module)
        if name == "cloudformation":
            self._stacks.install(module)
            NestedChangeSets().install(module)
            update_rules.install()
            corrections.install(self.buckets)
            self._resources.install()
        elif name == "s3":
            self.buckets.install(module)
        elif name == "ecr":
            self._registry.install(module)


def is_reading(scope: Scope, body: bytes) -> bool:
    """Whether a request's operation only reads, by its name."""
    headers = dict(scope["headers"])
    target = headers.get(b"x-amz-target", b"").rpartition(b".")[2]
    if not target:
        match = _ACTION.search(scope["query_string"]) or _ACTION.search(body[:4096])
        target = match[1] if match else b""
    if target:
        return bytes(target).startswith(_READING)
    return scope["method"] in ("GET", "HEAD")
