"""The twin's server process: `python -m trainworks.twin --home H --port N`.

1. lock the home, check its version, make the root credentials
2. build the parts (`building.py`)
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
from pathlib import Path

import uvicorn

from trainworks.config.twin_settings import network_wish
from trainworks.errors import PortInUseError, TrainworksError, TwinError
from trainworks.twin.building import build
from trainworks.twin.compute.scheduler import LocalCompute
from trainworks.twin.home import DEFAULT_PORT, Home, default_home, write_private
from trainworks.twin.listener import Server
from trainworks.twin.process import start_time
from trainworks.twin.supervisor import REFUSED, listen

_LOG = logging.getLogger(__name__)
_EXIT_SECONDS = 2.0

_SWITCH_SECONDS = 0.001
"""How long a thread may compute while others wait: a request takes several turns, next to threads that work on jobs."""


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
    # It warns of every request that is not HTTP; the sender is answered, and the log is not filled.
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


def _exit_soon() -> None:
    """End the process even if a thread is still in a request or a build: all that was acknowledged is on disk."""

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
