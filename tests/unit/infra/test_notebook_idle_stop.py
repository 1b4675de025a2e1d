"""The script on the notebook instance, run against a Jupyter server that answers what a test says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

IDLE_MINUTES = 60
LONG_AGO, JUST_NOW = timedelta(hours=3), timedelta(minutes=5)


class Jupyter:
    """`kernels` and `terminals` as `/api/kernels` and `/api/terminals` list them, None where there is no such path;
    `paths` is what was asked."""

    def __init__(self) -> None:
        self.kernels: list[dict[str, str]] = []
        self.terminals: list[dict[str, str]] | None = []
        self.paths: list[str] = []
        jupyter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                jupyter.paths.append(self.path)
                listing: Any = jupyter.kernels if self.path.startswith("/api/kernels") else jupyter.terminals
                self.send_response(404 if listing is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(listing).encode())

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def jupyter() -> Iterator[Jupyter]:
    server = Jupyter()
    yield server
    server.server.shutdown()
    server.server.server_close()


def kernel(state: str, ago: timedelta) -> dict[str, str]:
    return {"execution_state": state, "last_activity": stamp(ago)}


def stamp(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def signalled(tmp_path: Path, url: str, up: timedelta = LONG_AGO) -> list[str] | None:
    """What the AWS CLI was called with, or None where it was not called."""
    start_script = files("trainworks.infra.constructs").joinpath("notebook_idle_stop.sh").read_text()
    script = start_script.split("<<'SCRIPT'\n")[1].split("\nSCRIPT\n")[0]
    uptime = tmp_path / "uptime"
    uptime.write_text(f"{up.total_seconds()} 0.0\n")
    filled = {
        "@BUCKET@": "data",
        "@KEY@": "notebook-idle/stop",
        "@REGION@": "eu-west-1",
        "@IDLE_MINUTES@": str(IDLE_MINUTES),
        "/proc/uptime": str(uptime),
        "https://localhost:8443": url,
    }
    for before, after in filled.items():
        assert before in script
        script = script.replace(before, after)
    record, aws = tmp_path / "calls", tmp_path / "aws"
    aws.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {record}\n')
    aws.chmod(0o755)
    subprocess.run([sys.executable, "-c", script, str(aws)], check=True, timeout=30)
    return record.read_text().splitlines() if record.exists() else None


def test_an_instance_on_which_nothing_happens_says_so(jupyter: Jupyter, tmp_path: Path) -> None:
    jupyter.kernels = [kernel("idle", LONG_AGO)]
    jupyter.terminals = [{"name": "1", "last_activity": stamp(LONG_AGO)}]
    call = signalled(tmp_path, jupyter.url)
    assert call is not None
    assert " ".join(call).startswith("s3api put-object --region eu-west-1 --bucket data --key notebook-idle/stop")


def test_a_busy_kernel_keeps_the_instance_however_long_it_computes(jupyter: Jupyter, tmp_path: Path) -> None:
    jupyter.kernels = [kernel("idle", LONG_AGO), kernel("busy", LONG_AGO)]
    assert signalled(tmp_path, jupyter.url) is None


def test_recent_work_in_a_kernel_or_a_terminal_keeps_the_instance(jupyter: Jupyter, tmp_path: Path) -> None:
    jupyter.kernels = [kernel("idle", JUST_NOW), kernel("idle", LONG_AGO)]
    assert signalled(tmp_path, jupyter.url) is None
    jupyter.kernels, jupyter.terminals = [], [{"name": "1", "last_activity": stamp(JUST_NOW)}]
    assert signalled(tmp_path, jupyter.url) is None


def test_an_instance_that_nobody_connected_to_counts_from_its_start(jupyter: Jupyter, tmp_path: Path) -> None:
    assert signalled(tmp_path, jupyter.url, up=JUST_NOW) is None
    assert signalled(tmp_path, jupyter.url, up=LONG_AGO) is not None


def test_an_instance_without_terminals_stops_too(jupyter: Jupyter, tmp_path: Path) -> None:
    jupyter.terminals = None
    assert signalled(tmp_path, jupyter.url) is not None


def test_asking_is_no_activity(jupyter: Jupyter, tmp_path: Path) -> None:
    signalled(tmp_path, jupyter.url)
    assert jupyter.paths == ["/api/kernels?no_track_activity=1", "/api/terminals?no_track_activity=1"]


def test_a_server_that_does_not_answer_keeps_the_instance_and_is_in_its_log(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        signalled(tmp_path, "http://127.0.0.1:9")
    assert not (tmp_path / "calls").exists()
