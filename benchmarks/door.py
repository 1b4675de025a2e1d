"""Small signed requests and small objects through one server, a signature's check, and memory over many requests."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from figures import Figure
from load import Driven, drive, signed
from twins import ScratchTwin, scratch_twin

from trainworks.twin.home import DEFAULT_REGION
from trainworks.twin.ports import Caller
from trainworks.twin.sigv4 import SignedRequest, SigningKey, verify

_REQUESTS, _OBJECTS, _LONG_RUN = 4_000, 3_000, 100_000
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
_MIB = 1024 * 1024


def measure() -> list[Figure]:
    """The figures of the door, each from a twin of its own."""
    with scratch_twin() as twin:
        return [_signature(twin), *_requests(twin), _objects(twin), _memory(twin)]


def _signature(twin: ScratchTwin) -> Figure:
    """Microseconds of CPU to check one signature, in this process; against SHA-256 over the same request."""
    server = twin.server
    keys = server.credentials
    raw = signed(server, "sts", "POST", "/", _WHO, _FORM)
    lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    key = SigningKey(keys.secret_access_key, Caller("arn", "0" * 12, DEFAULT_REGION, keys.access_key_id))
    digest = _sha256(_WHO)
    now, count = time.time(), 20_000

    def check() -> None:
        verify(SignedRequest("POST", "/", "", headers), lambda _: key, now, digest)

    ours, bound = _each(check, count) * 1e6, _each(lambda: _sha256(raw), count) * 1e6
    return Figure("check of a signature", ours, "SHA-256 of the request", bound, "30 µs", ours <= 30, unit="µs")


def _requests(twin: ScratchTwin) -> list[Figure]:
    """Seconds for each of many requests over kept connections; against the health check, which does nothing."""
    server = twin.server
    s3 = twin.client("s3")
    s3.create_bucket(Bucket="door")
    s3.put_object(Bucket="door", Key="one", Body=b"x" * 100)
    json = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListTrainingJobs"}
    kinds = {
        "GetCallerIdentity": signed(server, "sts", "POST", "/", _WHO, _FORM),
        "HeadObject": signed(server, "s3", "HEAD", "/door/one"),
        "GetObject of 100 bytes": signed(server, "s3", "GET", "/door/one"),
        "ListTrainingJobs": signed(server, "sagemaker", "POST", "/", b"{}", json),
    }
    health = f"GET /_trainworks/health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    figures = []
    for name, request in kinds.items():
        drive(server, [request] * 200)
        ours, bound = drive(server, [request] * _REQUESTS), drive(server, [health] * _REQUESTS)
        figures.append(_figure(f"{name}, each", ours, "no work", bound.seconds / bound.count, "2,000 a second", 2000))
    return figures


def _objects(twin: ScratchTwin) -> Figure:
    """Seconds for each small object, durable; against a loop that writes and syncs a file for each."""
    server = twin.server
    requests = [signed(server, "s3", "PUT", f"/door/k{number}", b"y" * 100) for number in range(_OBJECTS)]
    ours = drive(server, requests)
    folder = twin.home / "bench-loop"
    folder.mkdir()
    started = time.perf_counter()
    for number in range(500):
        _write_and_sync(folder / str(number))
    loop = (time.perf_counter() - started) / 500
    return _figure("PUT of 100 bytes, each", ours, "write and fsync a file", loop, "1,000 a second", 1000)


def _memory(twin: ScratchTwin) -> Figure:
    """MiB that the server grows by over the second half of many requests."""
    server, process = twin.server, psutil.Process(twin.server.pid)
    request = signed(server, "sts", "POST", "/", _WHO, _FORM)
    drive(server, [request] * (_LONG_RUN // 2))
    before = process.memory_info().rss / _MIB
    drive(server, [request] * (_LONG_RUN // 2))
    grown = max(process.memory_info().rss / _MIB - before, 0.01)
    name = f"server's growth over {_LONG_RUN // 2:,} requests"
    return Figure(name, grown, "the server", before, "flat", grown < 5, unit="MiB")


def _figure(  # noqa: PLR0917 -- what a figure says
    name: str, ours: Driven, bound_name: str, bound: float, aim: str, per_second: float
) -> Figure:
    note = f"{ours.per_second:.0f} a second; {ours.cpu_each * 1e6:.0f} µs of the server's CPU each"
    return Figure(name, ours.seconds / ours.count, bound_name, bound, aim, ours.per_second >= per_second, note=note)


def _each(action: Callable[[], object], count: int) -> float:
    """Seconds of CPU for one call: what else runs on the machine does not count."""
    started = time.process_time()
    for _ in range(count):
        action()
    return (time.process_time() - started) / count


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_and_sync(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"y" * 100)
    os.fsync(descriptor)
    os.close(descriptor)
