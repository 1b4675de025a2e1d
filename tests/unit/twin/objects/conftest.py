"""A served object store per test process, and an in-process one per test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.unit.twin.objects.fakes import CALLER, FakeEmulator
from tests.unit.twin.objects.serving import SECRET
from trainworks.twin.objects.store import TwinObjectStore

ROOT = Path(__file__).parents[4]


@dataclass
class Served:
    """A running server: its home, process and a client."""

    home: Path
    process: subprocess.Popen[str]
    port: int

    def client(self, **config: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=CALLER.access_key_id,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 0}, **config),
        )


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def serving(home: Path, *around: str) -> Iterator[Served]:
    """A server over `home`; `around` is a command that runs it."""
    command = [*around, sys.executable, "-m", "tests.unit.twin.objects.serving", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(home, process, int(process.stdout.readline()))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest.fixture(scope="session")
def s3(served: Served) -> Any:
    return served.client()


@pytest.fixture
def emulator() -> FakeEmulator:
    fake = FakeEmulator()
    fake.add("plain")
    fake.add("versioned", "Enabled")
    fake.add("suspended", "Suspended")
    return fake


@pytest.fixture
def store(tmp_path: Path, emulator: FakeEmulator) -> Iterator[TwinObjectStore]:
    opened = TwinObjectStore(tmp_path / "home", emulator, emulator)
    yield opened
    opened.close()
