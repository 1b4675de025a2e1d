"""For tests of code that talks to AWS: a real twin in a process of its own, on a free port, in a home of its own.

    import pytest

    from trainworks.testing import temporary_twin


    @pytest.fixture(scope="session")  # one twin for all tests of a session
    def twin():
        with temporary_twin() as running:
            yield running


    def test_that_a_bucket_is_there(twin):
        twin.client("s3").create_bucket(Bucket="data")
        twin.client("s3").head_bucket(Bucket="data")

`FakeClock` is time that passes only when somebody sleeps, for `trainworks.jobs.Follow` and `wait`.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from trainworks.errors import TwinError
from trainworks.jobs.clock import Clock
from trainworks.twin import lifecycle
from trainworks.twin.home import DEFAULT_REGION, Home
from trainworks.twin.job_files import remove_whole
from trainworks.twin.process import is_same, start_time


class TestTwin:
    """A twin for tests. Stopped, with all its instances, when the `with` block ends."""

    __test__ = False  # not a test class, whatever its name makes pytest think

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self._server: lifecycle.RunningServer | None = None
        self._clients: dict[tuple[str, str, str], Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lifecycle.stop(self.home)

    @property
    def server(self) -> lifecycle.RunningServer:
        """The process that serves: `pid`, `port`, `endpoint_url`. Raises `TwinError` before it is started."""
        if self._server is None:
            raise TwinError("the twin is not running", fix="call start() first")
        return self._server

    @property
    def endpoint_url(self) -> str:
        """What clients take as `endpoint_url`: `http://127.0.0.1:PORT`."""
        return self.server.endpoint_url

    def start(self) -> None:
        """Start the server, on the port that it had before when it was started before."""
        port = self._server.port if self._server else 0
        self._server = lifecycle.start(self.home, port)

    def kill(self) -> None:
        """`kill -9` of the server alone: what a crash is. Its instances go on."""
        pid = self.server.pid
        started_at = start_time(pid)
        os.kill(pid, signal.SIGKILL)
        while started_at is not None and is_same(pid, started_at):
            time.sleep(0.001)

    def session(
        self,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        region_name: str = DEFAULT_REGION,
    ) -> boto3.Session:
        """A boto3 session as the account's root, or with the keys given."""
        root = self.home.credentials()
        core = botocore.session.Session()
        # Reading a service's model costs more than calling it; all sessions of the process share what was read.
        core.register_component("data_loader", _models())
        return boto3.Session(
            botocore_session=core,
            aws_access_key_id=access_key_id or root.access_key_id,
            aws_secret_access_key=secret_access_key or root.secret_access_key,
            aws_session_token=session_token,
            region_name=region_name,
        )

    def client(self, name: str, session: boto3.Session | None = None, **config: Any) -> Any:
        """A boto3 client of the twin; `config` are options of `botocore.config.Config`."""
        if session is None and not config:
            key = (name, self.endpoint_url, self.home.credentials().access_key_id)
            if key not in self._clients:
                self._clients[key] = self._make_client(name, self.session(), {})
            return self._clients[key]
        return self._make_client(name, session or self.session(), config)

    def _make_client(self, name: str, session: boto3.Session, config: dict[str, Any]) -> Any:
        options = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}
        make: Any = session.client
        return make(name, endpoint_url=self.endpoint_url, config=Config(**options))


@cache
def _models() -> Loader:
    return create_loader()


@contextmanager
def temporary_twin() -> Iterator[TestTwin]:
    """A running twin in a new home, which is deleted afterwards. Its path is short: Unix sockets are below it."""
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            yield running
    finally:
        remove_whole(root)  # a task that was killed leaves folders that nobody may read


class FakeClock(Clock):
    """A `Clock` that begins at `start` (seconds since the epoch) and goes on only by `sleep`; `slept` is the sum."""

    def __init__(self, start: float = 0.0) -> None:
        self._start = start
        self.slept = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + self.slept

    def sleep(self, seconds: float) -> None:
        """Let this much time pass, at once."""
        self.slept += seconds
