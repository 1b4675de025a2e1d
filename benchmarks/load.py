"""Signed requests made ahead and driven at a server over kept connections, by a client that costs next to nothing."""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trainworks.twin.home import DEFAULT_REGION
from trainworks.twin.lifecycle import RunningServer

_CONNECTIONS = 32


class Reachable(Protocol):
    """A server on a port of 127.0.0.1, by its process."""

    @property
    def pid(self) -> int: ...
    @property
    def port(self) -> int: ...


@dataclass(frozen=True)
class Driven:
    """`seconds` by the wall clock, `cpu_seconds` of the server, for `count` requests that all were answered 2xx.

    `waits` are the seconds from each request to its whole answer, shortest first.
    """

    count: int
    seconds: float
    cpu_seconds: float
    waits: Sequence[float] = ()

    def percentile(self, share: float) -> float:
        """The wait that this share of the requests stayed below."""
        return self.waits[min(int(len(self.waits) * share), len(self.waits) - 1)]

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        return self.cpu_seconds / self.count


def signed(  # noqa: PLR0917 -- what an HTTP request consists of
    server: RunningServer,
    service: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> bytes:
    """The bytes of one request, signed as boto3 would."""
    keys = server.credentials
    host = f"127.0.0.1:{server.port}"
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host, **(headers or {})})
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    if service == "s3":
        request.context["payload_signing_enabled"] = True
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    auth(Credentials(keys.access_key_id, keys.secret_access_key), service, DEFAULT_REGION).add_auth(request)
    if body or method in {"PUT", "POST"}:
        request.headers["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def drive(server: Reachable, requests: Sequence[bytes], connections: int = _CONNECTIONS) -> Driven:
    """Send every request once, as fast as answers come. Raises `RuntimeError` if the answer is not a success."""
    process = psutil.Process(server.pid)
    before, started = _cpu(process), time.perf_counter()
    waiting = iter(requests)
    selector = selectors.DefaultSelector()
    waits: list[float] = []
    for _ in range(min(connections, len(requests))):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = next(waiting)
        connection.sendall(request)
        selector.register(connection, selectors.EVENT_READ, [request[:4] == b"HEAD", b"", time.perf_counter()])
    while len(waits) < len(requests):
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            state: list[object] = key.data
            data = bytes(state[1]) + connection.recv(65536)  # type: ignore[call-overload]
            if not _whole(data, head=bool(state[0])):
                state[1] = data
                continue
            if data[9:10] != b"2":
                raise RuntimeError(data.decode(errors="replace"))
            waits.append(time.perf_counter() - float(state[2]))  # type: ignore[arg-type]
            state[1] = b""
            request = next(waiting, b"")
            if request:
                state[0], state[2] = request[:4] == b"HEAD", time.perf_counter()
                connection.sendall(request)
    seconds = time.perf_counter() - started
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    return Driven(len(requests), seconds, _cpu(process) - before, sorted(waits))


def _whole(data: bytes, *, head: bool) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if not data:
            raise RuntimeError("the server closed the connection")
        return False
    if head:
        return True
    headers = data[:end].lower()
    at = headers.find(b"\r\ncontent-length:")
    if at >= 0:
        return len(data) >= end + 4 + int(headers[at + 17 :].split(b"\r\n", 1)[0])
    return b"transfer-encoding" not in headers or data.endswith(b"0\r\n\r\n")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
