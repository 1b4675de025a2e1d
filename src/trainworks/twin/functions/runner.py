"""`ports.Functions`: an invocation from its event to its result.

refused by name       a runtime that the twin does not run
a warm environment    of the same version of the function, or a new one: code unpacked, credentials of its role
START, what it prints, END and REPORT go to its log group, as its role
a result, or an error document with the type and the words that AWS has for it
"""

from __future__ import annotations

import json
import logging
import math
import os
import pwd
import re
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from trainworks.twin.compute.sandbox.interpreters import prefixes_of
from trainworks.twin.compute.sandbox.namespaces import SandboxMode
from trainworks.twin.compute.sandbox.trial import try_sandbox
from trainworks.twin.functions.code import CodeStore
from trainworks.twin.functions.environment import MOST_RESULT_BYTES, ExecutionEnvironment, InvocationOutcome, ReplyKind
from trainworks.twin.functions.output import OutputCollector
from trainworks.twin.functions.packages import make_runtime
from trainworks.twin.functions.pool import Pool
from trainworks.twin.functions.variables import variables
from trainworks.twin.ports import (
    ApiError,
    Caller,
    ControlPlane,
    Credentials,
    FunctionResult,
    FunctionSpec,
    Invocation,
    Logs,
)

PRINCIPAL = "lambda.amazonaws.com"
INIT_SECONDS = 10.0
"""Seconds of initialisation, after which it is tried once more within the timeout ("Lambda execution environment")."""
_SESSION_SECONDS = 12 * 3600
_PYTHON = re.compile(r"^python(?P<version>3\.\d+)$")
_TASK, _RUNTIME, _LAYERS = "/var/task", "/var/runtime", "/opt"
_SOURCE_ROOT = Path(__file__).resolve().parents[3]

_LOG = logging.getLogger(__name__)


class LocalFunctions:
    """See `ports.Functions`. `home` is the twin's, `sandbox` "auto" or "off" as for jobs."""

    def __init__(
        self, home: Path, control_plane: ControlPlane, logs: Logs, endpoint_url: str, *, sandbox: str = "auto"
    ) -> None:
        self._home = home
        self._folder = home / "functions"
        self.control_plane = control_plane
        self.logs = logs
        self._endpoint_url = endpoint_url
        self._sandbox = sandbox
        self.pool = Pool()
        self._lock = threading.Lock()
        self._code: CodeStore | None = None
        self._packages: tuple[Path, ...] = ()

    def refusal(self, runtime: str) -> str:
        """See `ports.Functions.refusal`."""
        if _PYTHON.match(runtime):
            return ""
        return (
            f"The twin does not run functions of the runtime {runtime or 'container image'}; it runs only Python. "
            "Fix: use python3.11 or another python3 runtime here, or deploy the function to AWS."
        )

    def invoke(self, spec: FunctionSpec, invocation: Invocation) -> FunctionResult:
        """See `ports.Functions.invoke`."""
        if problem := self.refusal(spec.runtime):
            raise ApiError("InvalidRuntimeException", problem, 502)
        run = _Run(self, spec, invocation)
        return run.result()

    def keep(self, counts: Sequence[tuple[FunctionSpec, int]]) -> None:
        """See `ports.Functions.keep`."""
        self.pool.keep({_key(spec): count for spec, count in counts})

    def provision(self, spec: FunctionSpec, count: int) -> tuple[int, str]:
        """See `ports.Functions.provision`."""
        problem = self.refusal(spec.runtime)
        while not problem and self.pool.count(_key(spec)) < count:
            problem = _Run(self, spec, Invocation("", b"", spec.function_arn)).provision()
        return min(self.pool.count(_key(spec)), count), problem

    def close(self) -> None:
        """End every idle environment."""
        self.pool.close()

    @cached_property
    def mode(self) -> SandboxMode:
        """The sandbox that this machine allows, found out once; without one, `server.log` says so once."""
        mode, why_not = ("off", "it is switched off") if self._sandbox == "off" else try_sandbox()
        if mode == SandboxMode.OFF:
            _LOG.warning("Lambda functions run without a sandbox: %s", why_not)
        return SandboxMode(mode)

    def start(
        self, spec: FunctionSpec, credentials: Credentials, log_stream: str, initialisation: str
    ) -> ExecutionEnvironment:
        """A new environment of `spec`; its process runs. `initialisation` is AWS's name for the reason."""
        with self._lock:
            mode = self.mode
            if self._code is None:
                self._packages = make_runtime(self._folder / "runtime")
                (self._folder / "tmp").mkdir(exist_ok=True, mode=0o700)
                self._code = CodeStore(self._folder / "code")
        self._code.prune(self.pool.folders())
        code, layers = self._code.code(spec.code), self._code.layers(spec.layers)
        shown = {_TASK: str(code), _RUNTIME: str(self._folder / "runtime")}
        places = {"task": _TASK, "runtime": _RUNTIME, "layers": _LAYERS}
        if mode is SandboxMode.OFF:
            places = {"task": str(code), "runtime": shown[_RUNTIME], "layers": str(layers)}
        hidden = self._hidden()
        visible = dict.fromkeys([sys.prefix, sys.base_prefix, *map(str, self._packages)])
        settings = {
            "mode": mode.value,
            "argv": [sys.executable, "-S", "-u", f"{places['runtime']}/bootstrap.py"],
            "env": {
                **variables(spec, credentials, self._endpoint_url, log_stream, places),
                "AWS_LAMBDA_INITIALIZATION_TYPE": initialisation,
            },
            "shown": shown,
            "code": str(code),
            "layers": str(layers),
            "tmp": str(self._folder / "tmp"),
            "tmp_bytes": spec.ephemeral_storage_in_mb << 20,
            "memory_bytes": spec.memory_size_in_mb << 20,
            "hidden": hidden,
            "visible": [*visible, *prefixes_of(Path(sys.executable), hidden, visible)],
        }
        return ExecutionEnvironment(settings, log_stream, credentials.caller)

    def _hidden(self) -> list[str]:
        homes = {os.environ.get("HOME", "/"), _home_of_user(), str(self._home.resolve())}
        return sorted(str(Path(home).resolve()) for home in homes if home and home != "/")


class _Run:
    """One invocation."""

    def __init__(self, functions: LocalFunctions, spec: FunctionSpec, invocation: Invocation) -> None:
        self._functions = functions
        self._pool = functions.pool
        self._spec = spec
        self._invocation = invocation
        self._key = _key(spec)
        self._initialisation = "on-demand"
        self._stream = ""
        self._caller: Caller | None = None
        self._init_ms: float | None = None
        self._output = OutputCollector(self._ship)

    def result(self) -> FunctionResult:
        environment = self._pool.warm(self._key)
        started = time.monotonic()
        if environment is not None:
            self._stream, self._caller = environment.log_stream, environment.caller
            self._start_line()
            outcome = self._invoke(environment)
        else:
            environment, outcome = self._cold()
            self._start_line()
            started = time.monotonic()
            if outcome.kind is ReplyKind.READY:
                outcome = self._invoke(environment)
        duration_ms = (time.monotonic() - started) * 1000
        if outcome.kind in (ReplyKind.RESPONSE, ReplyKind.ERROR, ReplyKind.TOO_LARGE):
            self._pool.release(self._key, environment)
        else:
            self._pool.discard(environment)
        if outcome.kind is ReplyKind.BROKEN:
            raise ApiError("ServiceException", f"The execution environment could not be started: {outcome.log}", 500)
        result = self._described(outcome)
        self._end_lines(outcome, duration_ms)
        return FunctionResult(result[0], result[1], self._output.tail())

    def provision(self) -> str:
        """Make a warm environment for later; returns why it failed, or ""."""
        self._initialisation = "provisioned-concurrency"
        environment, outcome = self._cold()
        if outcome.kind is ReplyKind.READY:
            self._output.flush(now=True)
            environment.freeze()
            self._pool.release(self._key, environment)
            return ""
        self._pool.discard(environment)
        if outcome.log:
            self._output.line(outcome.log)
        self._output.flush(now=True)
        if outcome.kind is ReplyKind.TIMEOUT:
            return "FUNCTION_ERROR_INIT_TIMEOUT"
        return outcome.log if outcome.kind is ReplyKind.BROKEN else "FUNCTION_ERROR_INIT_FAILURE"

    def _cold(self) -> tuple[ExecutionEnvironment, InvocationOutcome]:
        """A new environment, and the outcome of its initialisation."""
        spec = self._spec
        now = datetime.now(UTC)
        self._stream = f"{now:%Y/%m/%d}/[{spec.version}]{uuid.uuid4().hex}"
        credentials = self._functions.control_plane.assume_for_service(
            spec.role_arn, PRINCIPAL, spec.function_name[:64], _SESSION_SECONDS, spec.function_arn
        )
        self._caller = credentials.caller
        version = ".".join(str(part) for part in sys.version_info[:3])
        stands = "" if spec.runtime == f"python{version.rpartition('.')[0]}" else f" (stands for {spec.runtime})"
        self._output.line(f"INIT_START Runtime Version: python:{version}{stands}")
        for seconds in (INIT_SECONDS, float(spec.timeout_seconds)):
            began = time.monotonic()
            environment = self._pool.start(
                self._key, lambda: self._functions.start(spec, credentials, self._stream, self._initialisation)
            )
            outcome = environment.initialise(seconds, self._output)
            self._init_ms = (time.monotonic() - began) * 1000
            if outcome.kind is not ReplyKind.TIMEOUT or seconds != INIT_SECONDS:
                return environment, outcome
            self._output.line(f"INIT_REPORT Init Duration: {self._init_ms:.2f} ms\tPhase: init\tStatus: timeout")
            self._pool.discard(environment)
        raise AssertionError("unreachable")

    def _invoke(self, environment: ExecutionEnvironment) -> InvocationOutcome:
        invocation, seconds = self._invocation, self._spec.timeout_seconds
        header = {
            "request_id": invocation.request_id,
            "deadline_ms": int((time.time() + seconds) * 1000),
            "function_arn": invocation.invoked_function_arn,
            "trace_id": invocation.trace_id,
            "client_context": invocation.client_context,
        }
        return environment.invoke(header, invocation.payload, seconds, self._output)

    def _described(self, outcome: InvocationOutcome) -> tuple[bytes, str]:
        """(payload, function error); writes to the log what AWS writes about an error."""
        request_id = self._invocation.request_id
        if outcome.kind is ReplyKind.RESPONSE:
            return outcome.body, ""
        if outcome.kind in (ReplyKind.ERROR, ReplyKind.INIT_ERROR):
            self._output.line(outcome.log)
            return outcome.body, "Unhandled"
        if outcome.kind is ReplyKind.TOO_LARGE:
            words = f"Response payload size exceeded maximum allowed payload size ({MOST_RESULT_BYTES} bytes)."
            return self._failed("Function.ResponseSizeTooLarge", words)
        if outcome.kind is ReplyKind.TIMEOUT:
            words = f"Task timed out after {self._spec.timeout_seconds:.2f} seconds"
            self._output.line(f"{_now()} {request_id} {words}")
            return self._failed("Sandbox.Timedout", f"RequestId: {request_id} Error: {words}")
        if outcome.out_of_memory:
            self._output.line(f"{request_id} used more than its {self._spec.memory_size_in_mb} MB of memory")
        how = _exit_words(outcome.exit_code)
        self._output.line(f"RequestId: {request_id} Error: {how}\nRuntime.ExitError")
        return self._failed("Runtime.ExitError", f"RequestId: {request_id} Error: {how}")

    def _failed(self, kind: str, message: str) -> tuple[bytes, str]:
        return json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled"

    def _start_line(self) -> None:
        self._output.line(f"START RequestId: {self._invocation.request_id} Version: {self._spec.version}")

    def _end_lines(self, outcome: InvocationOutcome, duration_ms: float) -> None:
        request_id, spec = self._invocation.request_id, self._spec
        peak = min(-(-outcome.peak_kib // 1024), spec.memory_size_in_mb)
        used = f"\tMax Memory Used: {peak} MB" if peak else ""
        init = "" if self._init_ms is None else f"\tInit Duration: {self._init_ms:.2f} ms"
        status = "\tStatus: timeout" if outcome.kind is ReplyKind.TIMEOUT else ""
        self._output.line(f"END RequestId: {request_id}")
        self._output.line(
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {math.ceil(duration_ms)} ms\t"
            f"Memory Size: {spec.memory_size_in_mb} MB{used}{init}{status}"
        )
        self._output.flush(now=True)

    def _ship(self, events: Sequence[tuple[int, str]]) -> None:
        """Send events to the log. A log that cannot be written does not fail the function, as on AWS."""
        spec = self._spec
        try:
            self._functions.logs.put_log_events(self._caller, spec.log_group, self._stream, events)
        except ApiError as error:
            _LOG.warning("the log of %s is not written: %s", spec.function_arn, error)


def _key(spec: FunctionSpec) -> str:
    """What environments of the same version of the same function have in common."""
    return f"{spec.function_arn}:{spec.version}:{spec.revision}"


def _exit_words(code: int) -> str:
    if code < 0:
        return (
            "Runtime exited with error: signal: killed" if code == -9 else f"Runtime exited with error: signal {-code}"
        )
    return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
