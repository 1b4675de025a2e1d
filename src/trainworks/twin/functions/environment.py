"""One execution environment as the server sees it: a sandboxed process that imports the handler and takes events.

    environment = Environment(settings)
    environment.initialise(seconds, output)       an `InvocationOutcome`: READY, or why not
    environment.invoke(header, event, seconds, output)
    environment.close()

What comes from inside is hostile: every message is bounded, every wait has an end.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from trainworks.twin.functions.output import OutputCollector
from trainworks.twin.ports import Caller

MOST_RESULT_BYTES = 6_291_556
"""The limit of a synchronous invocation, after "Lambda quotas" (6 MB) and the words of its error."""
_MOST_HEADER_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_EXIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.002
_SANDBOXED = Path(__file__).with_name("sandboxed.py")


class ReplyKind(StrEnum):
    """READY: the handler was imported. RESPONSE, ERROR: it returned or raised. INIT_ERROR: its import failed.

    TIMEOUT: it did not end in time. EXITED: its process ended. TOO_LARGE: more than may be returned.
    BROKEN: its sandbox could not be made.
    """

    READY = "ready"
    RESPONSE = "response"
    ERROR = "error"
    INIT_ERROR = "init_error"
    TIMEOUT = "timeout"
    EXITED = "exited"
    TOO_LARGE = "too large"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class InvocationOutcome:
    """What an environment answered. `log` is what the log says about an error; `exit_code` is negative for signals."""

    kind: ReplyKind
    body: bytes = b""
    log: str = ""
    peak_kib: int = 0
    exit_code: int = 0
    out_of_memory: bool = False


class ExecutionEnvironment:
    """`settings` are read by `sandboxed.py`, `caller` is the function's role. The process starts at once."""

    def __init__(self, settings: Mapping[str, Any], log_stream: str, caller: Caller) -> None:
        self.log_stream = log_stream
        self.folders = (Path(settings["code"]), Path(settings["layers"]))
        self.caller = caller
        self.started_at = time.monotonic()
        self.used_at = self.started_at
        self._pending = b""
        control, inner_control = socket.socketpair()
        runtime, inner_runtime = socket.socketpair()
        self._output, inner_output = os.pipe()
        inner = (inner_control.fileno(), inner_runtime.fileno(), inner_output)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SANDBOXED), *(str(fd) for fd in inner)],
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                pass_fds=inner,
                start_new_session=True,
            )
        finally:
            inner_control.close()
            inner_runtime.close()
            os.close(inner_output)
        control.sendall(json.dumps(settings).encode() + b"\n")
        runtime.setblocking(False)
        os.set_blocking(self._output, False)
        self._control, self._runtime = control, runtime

    def initialise(self, seconds: float, output: OutputCollector) -> InvocationOutcome:
        """Wait until the handler is imported."""
        return self._exchange(b"", seconds, output)

    def invoke(
        self, header: Mapping[str, Any], event: bytes, seconds: float, output: OutputCollector
    ) -> InvocationOutcome:
        """Give it one event and wait for the outcome. It can take another only after RESPONSE, ERROR and TOO_LARGE."""
        line = json.dumps({"kind": "invoke", **header, "size": len(event)}).encode() + b"\n"
        try:
            self._control.sendall(b"run ")
        except OSError:
            return InvocationOutcome(ReplyKind.EXITED)
        outcome = self._exchange(line + event, seconds, output)
        self.used_at = time.monotonic()
        if outcome.kind in (ReplyKind.RESPONSE, ReplyKind.ERROR, ReplyKind.TOO_LARGE):
            self.freeze()
        return outcome

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End every process of the environment."""
        self._control.close()
        self._runtime.close()
        os.close(self._output)
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop its processes until the next event."""
        try:
            self._control.sendall(b"idle ")
        except OSError:
            return  # it has just ended; the next use finds that out

    def _exchange(self, outgoing: bytes, seconds: float, output: OutputCollector) -> InvocationOutcome:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._runtime, selectors.EVENT_READ | (selectors.EVENT_WRITE if outgoing else 0))
            while (left := deadline - time.monotonic()) > 0:
                for key, mask in selector.select(min(left, 0.25)):
                    if key.fd == self._output:
                        self._take_output(output)
                    elif key.fd == self._control.fileno():
                        self._drain(output)
                        return self._ended()
                    else:
                        if mask & selectors.EVENT_WRITE:
                            outgoing = self._send(outgoing)
                            if not outgoing:
                                selector.modify(self._runtime, selectors.EVENT_READ)
                        if mask & selectors.EVENT_READ and not self._receive():
                            selector.unregister(self._runtime)
                        if (outcome := self._message()) is not None:
                            self._drain(output)
                            return outcome
                output.flush()
        self._drain(output)
        return InvocationOutcome(ReplyKind.TIMEOUT)

    def _send(self, outgoing: bytes) -> bytes:
        try:
            return outgoing[self._runtime.send(outgoing) :]
        except BlockingIOError:
            return outgoing
        except OSError:
            return b""  # the control socket reports its end

    def _receive(self) -> bool:
        """Read the bytes that have come; False when the runtime has closed its end."""
        try:
            data = self._runtime.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._pending += data
        return bool(data)

    def _message(self) -> InvocationOutcome | None:
        """The next complete message, or None. A message that is malformed or too long ends the environment."""
        line, newline, rest = self._pending.partition(b"\n")
        if not newline:
            return InvocationOutcome(ReplyKind.EXITED) if len(line) > _MOST_HEADER_BYTES else None
        try:
            header = json.loads(line)
            kind, size = ReplyKind(header["kind"]), int(header["size"])
            outcome_log, peak_kib = str(header.get("log", "")), int(header.get("peak_kib", 0))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return InvocationOutcome(ReplyKind.EXITED)
        if not 0 <= size <= MOST_RESULT_BYTES:
            return self._skip(size, len(line) + 1)
        if len(rest) < size:
            return None
        self._pending = rest[size:]
        return InvocationOutcome(kind, rest[:size], outcome_log, peak_kib)

    def _skip(self, size: int, header_bytes: int) -> InvocationOutcome | None:
        """Read a result that is too large to its end, without keeping it, so that the environment can go on."""
        whole = header_bytes + size
        if size < 0 or size > 64 * MOST_RESULT_BYTES:
            return InvocationOutcome(ReplyKind.EXITED)
        deadline = time.monotonic() + _EXIT_SECONDS
        have = len(self._pending)
        while have < whole and time.monotonic() < deadline:
            try:
                data = self._runtime.recv(_CHUNK_BYTES)
            except BlockingIOError:
                time.sleep(_PAUSE_SECONDS)
                continue
            except OSError:
                break
            if not data:
                break
            have += len(data)
        self._pending = b""
        return InvocationOutcome(ReplyKind.TOO_LARGE) if have == whole else InvocationOutcome(ReplyKind.EXITED)

    def _take_output(self, output: OutputCollector) -> bool:
        try:
            data = os.read(self._output, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        output.write(data)
        if output.is_full:
            # Nothing of it is kept; who floods must not keep the server busy.
            time.sleep(_PAUSE_SECONDS)
        return bool(data)

    def _drain(self, output: OutputCollector) -> None:
        """What is in the pipe belongs to this invocation. A process that goes on writing is not waited for."""
        for _ in range(16):
            if not self._take_output(output):
                return

    def _ended(self) -> InvocationOutcome:
        """How the runtime ended, as its supervisor reported it; or the supervisor ended itself."""
        self._control.settimeout(_EXIT_SECONDS)
        try:
            told = json.loads(self._control.recv(4096))
            if "broken" in told:
                return InvocationOutcome(ReplyKind.BROKEN, log=str(told["broken"]))
            return InvocationOutcome(
                ReplyKind.EXITED, exit_code=int(told["exit"]), out_of_memory=bool(told["out_of_memory"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return InvocationOutcome(ReplyKind.EXITED, exit_code=-9)
