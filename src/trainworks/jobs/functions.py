"""Lambda functions of an environment: list them, invoke one, read its log, update its code from a folder.

    functions = Functions(connection)
    invoked = functions.invoke("resize", b'{"key": "a.png"}')      its result, or what the function raised
    functions.update_code("resize", Path("src"))                   the next invocation runs what is in src/

Names are as `Invoke` takes them: NAME, NAME:VERSION-OR-ALIAS, or an ARN.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from trainworks.errors import InvocationError, RequestError
from trainworks.jobs.clock import Clock
from trainworks.jobs.connection import Connection
from trainworks.jobs.faults import code_of, message_of
from trainworks.jobs.source import folder_files

MOST_ARCHIVE_BYTES = 50 * 1024**2
"""The quota of a deployment package that is sent with the call and not through S3 ("Lambda quotas")."""
_LONGEST_RUN_SECONDS = 900
_UPDATE_SECONDS, _UPDATE_PAUSE_SECONDS = 120.0, 0.2
_FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Function:
    """A line of `ListFunctions`. `runtime` is `image` for a container image; `changed_at` is as AWS writes it."""

    name: str
    arn: str
    runtime: str
    handler: str
    memory_size_in_mb: int
    timeout_seconds: int
    code_bytes: int
    changed_at: str


@dataclass(frozen=True, slots=True)
class Invoked:
    """What one invocation answered. `payload` is JSON: the result, or the error document if `error` is not ""."""

    function: str
    executed_version: str
    payload: bytes
    error: str = ""
    log_tail: str = field(default="", repr=False)

    def checked(self) -> Invoked:
        """Returns itself, or raises `InvocationError` with the type and message of what the function raised."""
        if self.error:
            raise InvocationError(f"function {self.function} failed: {self._what()}")
        return self

    def _what(self) -> str:
        try:
            document = json.loads(self.payload)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            return self.error
        kind, message = document.get("errorType"), str(document.get("errorMessage") or "")
        return f"{kind}: {message}" if kind else message or self.error


class Functions:
    """The functions of one environment."""

    def __init__(self, connection: Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or Clock()

    @cached_property
    def _lambda(self) -> Any:
        """A client that waits as long as a function may run, and does not retry: the first invocation may still run."""
        config = Config(read_timeout=_LONGEST_RUN_SECONDS + 20, retries={"total_max_attempts": 1}, tcp_keepalive=True)
        return self._connection.session.client("lambda", config=config)

    def newest_first(self) -> list[Function]:
        """All functions, the most recently changed first."""
        pages = self._connection.client("lambda").get_paginator("list_functions").paginate()
        found = [_function(each) for page in pages for each in page["Functions"]]
        return sorted(found, key=lambda each: (each.changed_at, each.name), reverse=True)

    def names_beginning(self, prefix: str) -> Iterator[str]:
        """Names of functions, for completion: one page of them."""
        for each in self._connection.client("lambda").list_functions()["Functions"]:
            if each["FunctionName"].startswith(prefix):
                yield each["FunctionName"]

    def invoke(self, name: str, event: bytes, qualifier: str | None = None) -> Invoked:
        """Run one event, which is JSON, and wait for its result. Raises `RequestError` if there is no such function."""
        chosen = {"Qualifier": qualifier} if qualifier else {}
        with self._named(name):
            answer = self._lambda.invoke(FunctionName=name, Payload=event, LogType="Tail", **chosen)
        return Invoked(
            name,
            answer.get("ExecutedVersion", "$LATEST"),
            answer["Payload"].read(),
            answer.get("FunctionError", ""),
            base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
        )

    def log_group(self, name: str) -> str:
        """The log group of a function. Raises `RequestError` if there is no such function."""
        configuration = self._configuration(name)
        group = (configuration.get("LoggingConfig") or {}).get("LogGroup")
        return str(group or f"/aws/lambda/{configuration['FunctionName']}")

    def update_code(self, name: str, folder: Path) -> bool:
        """Update the code from `folder`, without what ignore files exclude; returns whether the code differs.

        Returns when the next invocation runs the new code. Raises `RequestError` for a folder that is missing, empty or
        too large, and for a function that has no archive of code.
        """
        packed = package_function(folder)
        before = self._configuration(name)
        if before.get("PackageType") == "Image":
            raise RequestError(
                f"function {name} is a container image: it has no folder of code",
                fix="build its image again, and update the function with it",
            )
        if before["CodeSha256"] == base64.b64encode(hashlib.sha256(packed).digest()).decode():
            return False
        with self._named(name):
            self._lambda.update_function_code(FunctionName=name, ZipFile=packed)
        self._await_update(name)
        return True

    def _await_update(self, name: str) -> None:
        deadline = self._clock.now() + _UPDATE_SECONDS
        while (configuration := self._configuration(name)).get("LastUpdateStatus") == "InProgress":
            if self._clock.now() > deadline:
                raise InvocationError(f"the update of {name} is still in progress after {_UPDATE_SECONDS:.0f} s")
            self._clock.sleep(_UPDATE_PAUSE_SECONDS)
        if configuration.get("LastUpdateStatus") == "Failed":
            raise InvocationError(f"the update of {name} failed: {configuration.get('LastUpdateStatusReason', '')}")

    def _configuration(self, name: str) -> dict[str, Any]:
        with self._named(name):
            found: dict[str, Any] = self._lambda.get_function_configuration(FunctionName=name)
        return found

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise RequestError(
                f"there is no function {name!r} in environment {self._connection.environment.name!r}: "
                f"{message_of(error)}",
                fix="list the functions: trainworks function list",
            ) from error


@dataclass(slots=True)
class FunctionLog:
    """Reads a log group from `since` on, all its streams together: each environment of a function has its own stream.

    `FilterLogEvents` has no token for new events, so the last seconds are read again, and events already given skipped.
    """

    connection: Connection
    group: str
    since: datetime
    _given: dict[str, int] = field(default_factory=dict)
    _newest_ms: int = 0

    _LATE_MS = 10_000

    def new_lines(self) -> list[tuple[float, str]]:
        """(seconds since the epoch, message) of the events since the last call; none if there is no such log group."""
        start_ms = max(int(self.since.timestamp() * 1000), self._newest_ms - self._LATE_MS)
        lines: list[tuple[float, str]] = []
        try:
            pages = self.connection.client("logs").get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=self.group, startTime=start_ms):
                for event in page["events"]:
                    if event["eventId"] not in self._given:
                        self._given[event["eventId"]] = event["timestamp"]
                        lines.append((event["timestamp"] / 1000, event["message"].rstrip("\n")))
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
        self._newest_ms = max([self._newest_ms, *self._given.values()])
        kept = self._newest_ms - self._LATE_MS
        self._given = {event: at for event, at in self._given.items() if at >= kept}
        return sorted(lines, key=lambda line: line[0])


class Watch:
    """Whether files have changed since it was asked last; the first answer is True. Contents are not read."""

    def __init__(self, folder: Path, *files: Path) -> None:
        _require_folder(folder)
        self._folder = folder
        self._more = files
        self._seen: object = None

    def has_changed(self) -> bool:
        """A file that goes while it is looked at was changed: an editor puts another one in its place.

        A folder that cannot be packed was changed too: whoever packs it says why. Raises `RequestError` once it is
        gone.
        """
        _require_folder(self._folder)
        before = self._seen
        try:
            listed, _ = folder_files(self._folder)
        except (RequestError, OSError) as error:
            self._seen = str(error)
            return self._seen != before
        paths = [path for _, path in listed] + list(self._more)
        found = []
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((path, status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode))
        self._seen = found
        return found != before


def package_function(folder: Path) -> bytes:
    """A folder's files as a zip archive, without what ignore files exclude; equal files give equal bytes.

    Raises `RequestError` for a folder that is missing or empty, and beyond the 50 MB that a call may carry.
    """
    _require_folder(folder)
    files, _ = folder_files(folder)
    if not files:
        raise RequestError(f"{folder} has no files", fix="give the folder that holds the function's code")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            _require_text(name, folder)
            member = zipfile.ZipInfo(name, _FIRST_OF_ZIP)
            member.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
            if packed.tell() > MOST_ARCHIVE_BYTES:
                raise RequestError(
                    f"the code in {folder} is larger than {MOST_ARCHIVE_BYTES // 1024**2} MiB (at {name})",
                    fix="exclude what the function does not need by a line in .trainworksignore",
                )
    return packed.getvalue()


def _require_text(name: str, folder: Path) -> None:
    """Names in an archive are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RequestError(
            f"the name of {name!a} in {folder} is not UTF-8",
            fix="rename the file, or name it in .trainworksignore",
        ) from None


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder", fix="give the folder that holds the function's code")


def _function(listed: dict[str, Any]) -> Function:
    return Function(
        listed["FunctionName"],
        listed["FunctionArn"],
        listed.get("Runtime") or "image",
        listed.get("Handler") or "",
        int(listed.get("MemorySize") or 128),
        int(listed.get("Timeout") or 3),
        int(listed.get("CodeSize") or 0),
        str(listed.get("LastModified") or ""),
    )
