"""Requests to an endpoint, through the door of the twin, beside the same handler under uvicorn alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from figures import Figure
from load import Driven, drive, signed
from twins import HERE, ScratchTwin, scratch_twin, training_role

_ROWS = [[round(0.1 * column + row, 1) for column in range(16)] for row in range(9)]
_BODY = json.dumps(_ROWS).encode()
_LARGE = b"x" * 6_000_000
_PATH = "/endpoints/bench/invocations"
_KIND = {"Content-Type": "application/json"}
_IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"
_TURNS = 5


@dataclass(frozen=True)
class _Bare:
    pid: int
    port: int


def measure() -> list[Figure]:
    """One client, eight, sixty-four, and large bodies; each in turn with the bare server: a drift meets both."""
    with scratch_twin() as twin, _bare() as bare:
        _serve(twin)
        ours, plain = signed(twin.server, "sagemaker", "POST", _PATH, _BODY, _KIND), _unsigned(bare, _BODY)
        figures = []
        for clients, count in ((1, 400), (8, 1600), (64, 3200)):
            found = [_pair(twin, bare, ours, plain, clients=clients, count=count) for _ in range(_TURNS)]
            figures.append(_figure(clients, found))
        large, plain = signed(twin.server, "sagemaker", "POST", _PATH, _LARGE, _KIND), _unsigned(bare, _LARGE)
        found = [_pair(twin, bare, large, plain, clients=1, count=10) for _ in range(_TURNS)]
        figures.append(_large(found))
        return figures


def _pair(
    twin: ScratchTwin, bare: _Bare, ours: bytes, plain: bytes, *, clients: int, count: int
) -> tuple[Driven, Driven]:
    return drive(twin.server, [ours] * count, clients), drive(bare, [plain] * count, clients)


def _middle(found: list[tuple[Driven, Driven]]) -> tuple[Driven, Driven]:
    """The turn whose ratio is in the middle."""
    return sorted(found, key=lambda pair: pair[0].seconds / pair[1].seconds)[len(found) // 2]


def _figure(clients: int, found: list[tuple[Driven, Driven]]) -> Figure:
    ours, bare = _middle(found)
    note = (
        f"p99 {ours.percentile(0.99) * 1e3:.1f} ms, bare {bare.percentile(0.99) * 1e3:.1f}; "
        f"{ours.cpu_each * 1e6:.0f} µs of the twin's CPU each, bare {bare.cpu_each * 1e6:.0f}"
    )
    if clients == 1:
        p50, bound = ours.percentile(0.5) * 1e3, bare.percentile(0.5) * 1e3
        return Figure(
            "InvokeEndpoint, 1 client, p50", p50, "bare uvicorn", bound, "1 ms more", p50 <= bound + 1,
            unit="ms", note=note,
        )  # fmt: skip
    share = ours.per_second / bare.per_second
    return Figure(
        f"InvokeEndpoint, {clients} clients, each", ours.seconds / ours.count, "bare uvicorn",
        bare.seconds / bare.count, "0.6 of its requests a second", share >= 0.6, note=f"{share:.2f} of them; {note}",
    )  # fmt: skip


def _large(found: list[tuple[Driven, Driven]]) -> Figure:
    ours, bare = _middle(found)
    return Figure(
        "InvokeEndpoint, body of 6 MB", ours.percentile(0.5), "bare uvicorn", bare.percentile(0.5), "told", True
    )


def _serve(twin: ScratchTwin) -> None:
    """An endpoint `bench` of one instance."""
    role = training_role(twin, "bench")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(HERE / "serving_handler.py", "code/inference.py")
    twin.client("s3").put_object(Bucket="bench", Key="model.tar.gz", Body=packed.getvalue())
    sagemaker = twin.client("sagemaker")
    container = {"Image": _IMAGE, "ModelDataUrl": "s3://bench/model.tar.gz"}
    sagemaker.create_model(ModelName="bench", PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {
        "VariantName": "AllTraffic", "ModelName": "bench", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName="bench", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench")
    while sagemaker.describe_endpoint(EndpointName="bench")["EndpointStatus"] == "Creating":
        time.sleep(0.05)


@contextmanager
def _bare() -> Iterator[_Bare]:
    command = [sys.executable, str(HERE / "bare_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield _Bare(process.pid, int(process.stdout.readline()))
        finally:
            process.terminate()


def _unsigned(bare: _Bare, body: bytes) -> bytes:
    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1:{bare.port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
