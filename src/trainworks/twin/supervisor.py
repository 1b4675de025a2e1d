"""Keeps the twin's server running: `python -m trainworks.twin --detach` becomes this process.

It owns the listening socket and hands it to the server, so that while a server that died is started again its clients
wait in the socket's queue and are not refused. It imports next to nothing and holds no state: killing the server loses
nothing that was acknowledged, and killing this process leaves the server running.

    server ends with 0 or REFUSED     told to stop, or could never start: the supervisor ends with the same code
    anything else, signals included   started again at once; GIVE_UP_AFTER quick deaths in a row end it with 1
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

REFUSED = 2
"""Exit code of a server that cannot start whatever happens: port, home or version."""
GIVE_UP_AFTER = 5
STARTED, DIED, NOT_AGAIN = "the supervisor starts the server", "the server died", "it is not started again"
"""What it says into the log, also for those who read there what became of the server."""
_QUICK_SECONDS = 5.0
_BACKLOG = 512


def main(home: str, port: int) -> int:
    """Listen on 127.0.0.1 and keep a server running on that socket. Exit code 0, 1, or REFUSED."""
    try:
        listener = listen(port)
    except OSError as error:
        _say(f"error: port {port} on 127.0.0.1 cannot be used: {error.strerror}")
        return REFUSED
    supervisor = _Supervisor([sys.executable, "-m", "trainworks.twin", "--home", home], listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stop)
    _say(f"{STARTED} (port {listener.getsockname()[1]})")
    return supervisor.run()


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface alone; port 0 takes a free one. Raises `OSError`."""
    # The protocol is named because asyncio turns delayed sending off only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class _Supervisor:
    def __init__(self, command: list[str], listener: socket.socket) -> None:
        self._command = [*command, "--listener", str(listener.fileno()), "--supervisor", str(os.getpid())]
        self._listener = listener
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def stop(self, number: int, frame: object) -> None:
        """Pass the signal on; whoever waits for the server then sees it end."""
        del number, frame
        self._stopping = True
        if self._server is not None:
            self._server.terminate()

    def run(self) -> int:
        deaths = 0
        while not self._stopping:
            started = time.monotonic()
            code = self._run_once()
            if code in (0, REFUSED) or self._stopping:
                return max(code, 0)
            deaths = deaths + 1 if time.monotonic() - started < _QUICK_SECONDS else 1
            if deaths >= GIVE_UP_AFTER:
                _say(f"{DIED} {deaths} times in a row (the last time with {code}); {NOT_AGAIN}")
                return 1
            _say(f"{DIED} with {code}; starting it again")
            time.sleep(0.05 * (deaths - 1))
        return 0

    def _run_once(self) -> int:
        with subprocess.Popen(self._command, pass_fds=[self._listener.fileno()], stdin=subprocess.DEVNULL) as server:
            self._server = server
            if self._stopping:  # the signal came while the server was being started
                server.terminate()
            return server.wait()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
