"""Connections into a slot that has a network of its own: a client of the door gets a connection to a port in it.

    outside: connect(door) --> Unix socket --> thread in the slot: connect(127.0.0.1:port), pass its descriptor out

A socket belongs to the network namespace that it was made in, whoever holds it. So nothing is forwarded: the client
talks to the task itself, at the cost of a loopback connection. If nothing listens on the port, the answer is one byte,
REFUSED, without a descriptor.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

from trainworks.twin.compute.sandbox import linux

OPEN, REFUSED = b"+", b"-"
_CLONE_FS = 0x200
_BACKLOG = 128
_CONNECT_SECONDS = 2.0
_ADDRESS = "127.0.0.1"


class Door:
    """Create it before the slot enters its namespaces, while the path is visible, and `open` it within them."""

    def __init__(self, path: Path, port: int) -> None:
        """Raises `OSError` if nothing can be made at `path`."""
        self._port = port
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A path that fits into the 108 bytes of `sun_path`, however long the folder's is.
            self._listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        self._listener.listen(_BACKLOG)
        self._apart = threading.Event()

    def open(self) -> None:
        """Serve clients from now on. Returns when the slot's own thread may change its file systems again."""
        threading.Thread(target=self._serve, name="door", daemon=True).start()
        self._apart.wait()

    def _serve(self) -> None:
        # A thread that shares its root and working folder keeps the other ones from entering a mount namespace.
        linux.unshare(_CLONE_FS)
        self._apart.set()
        while True:
            caller, _ = self._listener.accept()
            with caller, suppress(OSError):  # a client that has gone away needs no answer
                self._answer(caller)

    def _answer(self, caller: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as within:
            within.settimeout(_CONNECT_SECONDS)
            try:
                within.connect((_ADDRESS, self._port))
            except OSError:
                caller.sendall(REFUSED)
                return
            within.setblocking(False)
            within.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            socket.send_fds(caller, [OPEN], [within.fileno()])
