"""The Python runtime of a function, inside its execution environment: import the handler, then one event after another.

    python -S -u /var/runtime/bootstrap.py        descriptor 3 is a socket to the twin

Messages are one line of JSON, followed by as many bytes as its `size` says:

    <- {"kind": "invoke", "request_id", "deadline_ms", "function_arn", "trace_id", "client_context", "size"} + the event
    -> {"kind": "ready"}                        the handler was imported
    -> {"kind": "init_error", "log", "size"}    + the error document; the process ends
    -> {"kind": "response", "peak_kib", "size"} + the handler's result
    -> {"kind": "error", "log", "peak_kib", "size"} + the error document

Nothing but the standard library is used, as the function's own packages come first. Errors have the types and words of
AWS's runtime for Python.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import site
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_RUNTIME_FD = 3
_MOST_STACK_LINES = 100


class Channel:
    """The socket to the twin."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._incoming = self._socket.makefile("rb")

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """(header, body) of the next message; None when the twin has gone."""
        line = self._incoming.readline()
        if not line:
            return None
        header = json.loads(line)
        return header, self._incoming.read(header["size"])

    def send(self, kind: str, body: bytes = b"", **fields: object) -> None:
        _flush()
        header = json.dumps({"kind": kind, **fields, "size": len(body)}).encode() + b"\n"
        self._socket.sendall(header + body)


class CognitoIdentity:
    """`context.identity`: the Cognito identity of a mobile caller; always empty here."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class ClientContext:
    """`context.client_context`: what the caller of `Invoke` said about itself; None for what it left out."""

    class Client:
        """The application that calls."""

        def __init__(self, given: dict[str, Any]) -> None:
            for name in (
                "installation_id",
                "app_title",
                "app_version_name",
                "app_version_code",
                "app_package_name",
            ):
                setattr(self, name, given.get(name))

    def __init__(self, given: dict[str, Any]) -> None:
        client = given.get("client")
        self.client = self.Client(client) if isinstance(client, dict) else None
        self.custom = given.get("custom")
        self.env = given.get("env")


class LambdaContext:
    """What a handler gets as `context`, after "AWS Lambda context object in Python"."""

    def __init__(self, request_id: str, function_arn: str, deadline_ms: int, client_context: Any) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = CognitoIdentity()
        self.client_context = ClientContext(client_context) if isinstance(client_context, dict) else None
        self.tenant_id = None
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(int(self._deadline_ms - time.time() * 1000), 0)

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class RuntimeRefusal(Exception):  # noqa: N818 - it is reported under AWS's name
    """An error that the runtime itself reports: `kind` is its type, as AWS names it."""

    def __init__(self, kind: str, message: str, stack: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def main() -> None:
    channel = Channel(_RUNTIME_FD)
    _prepare_imports()
    _prepare_logging()
    try:
        handler = _load(os.environ.get("_HANDLER", ""))
    except BaseException as error:  # noqa: BLE001 - SystemExit, too: whatever the module does ends the initialisation
        document, log = _described(error, "")
        channel.send("init_error", _encoded(document), log=log)
        raise SystemExit(1) from None
    channel.send("ready")
    while (message := channel.receive()) is not None:
        header, event = message
        _serve(channel, handler, header, event)


def _serve(channel: Channel, handler: Callable[..., Any], header: dict[str, Any], event: bytes) -> None:
    request_id = header["request_id"]
    _REQUEST["id"] = request_id
    if header.get("trace_id"):
        os.environ["_X_AMZN_TRACE_ID"] = header["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    context = LambdaContext(request_id, header["function_arn"], header["deadline_ms"], header.get("client_context"))
    try:
        result = _marshalled(handler(_unmarshalled(event), context))
    except Exception as error:  # noqa: BLE001 - it is the function's result
        document, log = _described(error, request_id)
        channel.send("error", _encoded(document), log=log, peak_kib=_peak_kib())
    else:
        channel.send("response", result, peak_kib=_peak_kib())


def _unmarshalled(event: bytes) -> Any:
    try:
        return json.loads(event)
    except (ValueError, RecursionError) as error:
        raise RuntimeRefusal("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _marshalled(result: object) -> bytes:
    try:
        return json.dumps(result, default=_as_number, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RuntimeRefusal("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _as_number(value: Any) -> float:
    """`decimal.Decimal`, which DynamoDB's resources give, is a number."""
    if type(value).__name__ == "Decimal" and type(value).__module__ == "decimal":
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _load(name: str) -> Any:
    module_name, dot, function = name.rpartition(".")
    if not dot or not module_name:
        raise RuntimeRefusal(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    module_name = module_name.replace("/", ".")
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise RuntimeRefusal(
            "Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RuntimeRefusal(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", _stack(error)
        ) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").rstrip()}\n'
        raise RuntimeRefusal(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [place]
        ) from error
    try:
        return getattr(module, function)
    except AttributeError:
        raise RuntimeRefusal(
            "Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'"
        ) from None


def _described(error: BaseException, request_id: str) -> tuple[dict[str, Any], str]:
    """(error document, what the log says about it) of what a handler or its module raised."""
    kind, message, stack = type(error).__name__, _text(error), _stack(error)
    if isinstance(error, RuntimeRefusal):
        kind, stack = error.kind, error.stack
    if isinstance(error, SystemExit):
        kind, message, stack = "Runtime.ExitError", f"Runtime exited with error: exit status {error.code}", []
    document = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}
    trace = f"\nTraceback (most recent call last):\n{''.join(stack)}" if stack else ""
    return document, f"[ERROR] {kind}: {message}{trace}".rstrip()


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as inner:  # noqa: BLE001 - the function's own class
        return f"<{type(error).__name__}, whose text cannot be read: {type(inner).__name__}>"


def _stack(error: BaseException) -> list[str]:
    """The frames of the function's own code, without those of this file and of the import machinery."""
    frames = traceback.extract_tb(error.__traceback__, limit=_MOST_STACK_LINES)
    own = [each for each in frames if each.filename != __file__ and not each.filename.startswith("<frozen importlib")]
    own = [each for each in own if not each.filename.endswith("/importlib/__init__.py")]
    return traceback.format_list(own)


def _encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a function may have closed or replaced it
            stream.flush()


_REQUEST = {"id": ""}


def _prepare_imports() -> None:
    """`sys.path` as on AWS: the function's folder, its layers, then what the runtime brings, then the library."""
    site.setquit()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    task, layers = os.environ["LAMBDA_TASK_ROOT"], os.environ["TRAINWORKS_LAYERS_ROOT"]
    packages = os.environ.pop("TRAINWORKS_RUNTIME_PACKAGES")
    own = [task, f"{layers}/python/lib/{version}/site-packages", f"{layers}/python", packages]
    library = [path for path in sys.path if path != str(Path(__file__).parent)]
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [task, *given, *own[1:], *[path for path in library if path not in given]]
    del os.environ["TRAINWORKS_LAYERS_ROOT"]
    os.chdir(task)


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = _REQUEST["id"]
        return super().format(record)


def _prepare_logging() -> None:
    """The root logger writes `[LEVEL]<tab>time<tab>request id<tab>message`, as in AWS's runtime for Python."""
    handler = logging.StreamHandler(sys.stdout)
    formatter = _Format(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


if __name__ == "__main__":
    main()
