"""python main.py FOLDER PROGRAM: serve /ping and /invocations by the functions of FOLDER/PROGRAM, on port 8080.

The first worker loads the model; when it has, the port is opened and the other ones are started. A worker that ends is
started again; if one cannot load the model, or ends again and again, this program ends with its exit code.
"""

import os
import signal
import socket
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

_PORT = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
_BACKLOG = 2048
_MOST_ENDS = 3
_MOST_DIGITS = 3
_ENDS_SECONDS = 10.0


class Server:
    """The workers over one listening socket."""

    def __init__(self, folder: str, program: str) -> None:
        self._folder, self._program = folder, program
        self._wanted = _wanted()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("0.0.0.0", _PORT))  # noqa: S104 - within the container, as the contract has it
        self._listener.setblocking(False)
        self._workers: set[int] = set()
        self._ends: list[float] = []
        self._is_over = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        loaded, inner = os.pipe()
        first = self._start(inner)
        os.close(inner)
        if not os.read(loaded, 1):  # its end: it could not load the model, and said why
            return _code(os.waitpid(first, 0)[1])
        os.close(loaded)
        for _ in range(self._wanted - 1):
            self._start(-1)
        return self._watch()

    def _watch(self) -> int:
        code = 0
        while self._workers:
            pid, status = os.waitpid(-1, 0)
            if pid not in self._workers:
                continue
            self._workers.discard(pid)
            if self._is_over:
                continue
            now = time.monotonic()
            self._ends = [each for each in self._ends if now - each < _ENDS_SECONDS] + [now]
            code = _code(status)
            print(f"a worker ended with exit code {code}", file=sys.stderr, flush=True)  # noqa: T201 - the log
            if len(self._ends) >= _MOST_ENDS:
                self._stop(0, None)
                return code or 1
            self._start(-1)
        return code

    def _start(self, tell: int) -> int:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os._exit(self._work(tell))
        self._workers.add(pid)
        return pid

    def _work(self, tell: int) -> int:
        try:
            from handlers import Handlers  # type: ignore[import-not-found]  # noqa: PLC0415 - beside this file
            from worker import run  # type: ignore[import-not-found]  # noqa: PLC0415

            handlers = Handlers(self._folder, self._program, os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
            self._listener.listen(_BACKLOG)
            if tell >= 0:
                os.write(tell, b"+")
                os.close(tell)
            run(self._listener, handlers)
        except BaseException:  # noqa: BLE001 - the log of the container has it, and its exit code says that it failed
            traceback.print_exc()
            sys.stderr.flush()
            return 1
        return 0

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_over = True
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)


def _wanted() -> int:
    """How many workers. Ends the program for what is no number, or is one that no instance could run."""
    given = os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS", "1")
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS):
        sys.exit(
            f"SAGEMAKER_MODEL_SERVER_WORKERS is {given[:80]!r}: it has to be a number of at most {_MOST_DIGITS} digits"
        )
    return max(1, int(given))


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(Server(*sys.argv[1:3]).run())
