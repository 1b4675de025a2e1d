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
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from trainworks.errors import PortInUseError, TrainworksError, TwinError
from trainworks.twin.emulator.emulator import Emulator
from trainworks.twin.front import Endpoint, Front, Routes, StreamingHandler
from trainworks.twin.home import DEFAULT_PORT, Home, default_home, write_private
from trainworks.twin.process import start_time
from trainworks.twin.store.database import Database

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Twin:
    """All parts of one twin, built and connected. `endpoints` are the services that we execute ourselves."""

    home: Home
    emulator: Emulator
    database: Database
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    objects: StreamingHandler | None = None

    def front(self) -> Front:
        """The ASGI application over these parts."""
        return Front(self.emulator.signing_key, Routes(self.endpoints, self.objects, self.emulator.handle))

    async def start(self) -> None:
        """Start what runs in the background, lower parts first."""
        await self.emulator.start()

    async def stop(self) -> None:
        """Stop in the opposite order."""
        await self.emulator.stop()
        self.database.close()


def build(home: Home, port: int) -> Twin:
    """Build every part of the twin over `home`, in the order in which they need one another."""
    root = home.make_credentials()
    database = Database(home.twin_db)
    emulator = Emulator(home, root, port)
    twin = Twin(home, emulator, database)
    # --- compose: object data            twin.objects = ...(home, emulator.control_plane)
    # --- compose: compute and images     compute = ...(database, home)
    # --- compose: services               twin.endpoints["sagemaker"] = ..., twin.endpoints["batch"] = ...
    # --- compose: CloudFormation types   emulator.register_resource_type(...)
    return twin


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop. Exit code 0, or 1 with the error on standard error."""
    parser = argparse.ArgumentParser(prog="trainworks-twin")
    parser.add_argument("--home", type=Path, default=default_home().root)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(Home(options.home.absolute()), options.port))
    except TrainworksError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


async def serve(home: Home, port: int) -> None:
    """Hold the home, listen, and serve. Raises `PortInUseError`, `HomeVersionError`, `TwinError`."""
    home.prepare()
    lock = home.lock_file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise TwinError(f"another twin runs on {home.root}", fix="trainworks twin status") from None
    with listen(port) as listener:
        bound = listener.getsockname()[1]
        twin = build(home, bound)
        await twin.start()
        server = uvicorn.Server(
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
                timeout_keep_alive=75,
                timeout_graceful_shutdown=5,
            )
        )
        record = {"pid": os.getpid(), "start_time": start_time(os.getpid()), "port": bound}
        write_private(home.server_file, json.dumps(record) + "\n")
        try:
            await server.serve(sockets=[listener])
        finally:
            await twin.stop()
            home.server_file.unlink(missing_ok=True)


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface alone. Raises `PortInUseError`."""
    # The protocol is named because asyncio turns delayed sending off only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", fix="trainworks twin start --port N"
        ) from None
    listener.setblocking(False)
    return listener
