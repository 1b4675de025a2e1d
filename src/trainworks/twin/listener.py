"""The HTTP server: uvicorn with connections of ours, taken from the listening socket as many as it may hold open.

If the process has no descriptor left, asyncio's own accepting logs and tries again without end. Here it ends what is
idle, waits a second, and says so once a minute.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from trainworks.twin.connection import Connection, Connections

_AT_ONCE = 64
_BACK_OFF_SECONDS = 1.0
_SAY_SECONDS = 60.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_CONNECTIONS_MAX = 1024

_LOG = logging.getLogger(__name__)


def connection_limit() -> int:
    """How many connections may be open: half of what the process may open at all, as files are opened too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else max(16, min(_CONNECTIONS_MAX, soft // 2))


class Listener:
    """What uvicorn takes for an `asyncio.Server`, over one socket that listens already."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        connections: Connections,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._socket = listening
        self._make = make
        self._connections = connections
        self._loop = loop
        self._joining: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._said = -_SAY_SECONDS
        self._sweep = loop.create_task(self._sweep_overdue())
        loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Take no more connections; those that are there go on."""
        self._loop.remove_reader(self._socket)
        self._sweep.cancel()
        if self._retry is not None:
            self._retry.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._back_off(error)
                return
            connection.setblocking(False)
            joining = self._loop.create_task(self._join(connection))
            self._joining.add(joining)
            joining.add_done_callback(self._joining.discard)

    async def _join(self, connection: socket.socket) -> None:
        await self._loop.connect_accepted_socket(self._make, connection)

    def _back_off(self, error: OSError) -> None:
        ended = self._connections.evict(_AT_ONCE)
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(_BACK_OFF_SECONDS, self._loop.add_reader, self._socket, self._accept)
        if self._loop.time() - self._said >= _SAY_SECONDS:
            self._said = self._loop.time()
            _LOG.warning(
                "no new connection can be taken (%s); %d are open, %d idle ones were ended. Trying again each second",
                error.strerror,
                len(self._connections),
                ended,
            )

    async def _sweep_overdue(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._connections.sweep(self._loop.time())


class Server(uvicorn.Server):
    """uvicorn with connections of ours, and without its signal handling, which ends the process before its parts."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from the one socket of the twin."""
        (listening,) = sockets or []
        loop, connections = asyncio.get_running_loop(), Connections(connection_limit())

        def make() -> Connection:
            return Connection(self.config, self.server_state, loop, connections)

        # uvicorn closes it and waits for it, and asks nothing else of it.
        self.servers = [Listener(listening, make, connections, loop)]  # type: ignore[list-item]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def exit_soon(self) -> None:
        """Finish what runs, take nothing new."""
        self.should_exit = True
