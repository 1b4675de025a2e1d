"""requirements.txt of training jobs: installed once for its content and image, shared, never half, by boto3."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.functional.sagemaker.test_boto3 import Platform, make_platform
from tests.functional.sagemaker.test_image_making import ended, message, wheel
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.testing import TestTwin
from trainworks.twin.control_client import ask

TELLS = """\
import pathlib, tinypkg
print("runs", tinypkg.__version__, flush=True)
try:
    pathlib.Path(tinypkg.__file__).write_text("__version__ = 'changed'")
except OSError:
    print("it may not be changed", flush=True)
"""


Files = dict[str, str | bytes]


class Index:
    """A package index of the packages `tinypkg` 1.0 and 2.0; it answers nothing for a wheel until it may."""

    def __init__(self, folder: Path) -> None:
        for version in ("1.0", "2.0"):
            wheel(folder, "tinypkg", version)
        self.downloads: list[str] = []
        self.may_go = threading.Event()
        self.may_go.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                if self.path.rstrip("/") == "/simple/tinypkg":
                    links = [f'<a href="/{each.name}">{each.name}</a>' for each in sorted(folder.glob("*.whl"))]
                    body = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
                elif name.endswith(".whl") and (folder / name).is_file():
                    outer.downloads.append(name)
                    outer.may_go.wait(120)
                    body = (folder / name).read_bytes()
                else:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if not name.endswith(".whl") else "application/zip")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Nothing: what is asked for is in `downloads`."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.variables = {
            "PIP_INDEX_URL": f"http://127.0.0.1:{self.server.server_port}/simple",
            "PIP_RETRIES": "0",
        }

    def close(self) -> None:
        self.may_go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    served = Index(tmp_path)
    yield served
    served.close()


def start(
    platform: Platform,
    name: str,
    requirements: str,
    variables: dict[str, str],
    files: dict[str, str | bytes] | None = None,
) -> Platform:
    """A training job with this requirements.txt; the platform with the job's name."""
    unique = f"{name}-{platform.models}"
    key = f"code/{unique}.tar.gz"
    packed = archive({"train.py": TELLS, "requirements.txt": requirements, **(files or {})})
    platform.client("s3").put_object(Bucket=platform.models, Key=key, Body=packed)
    job = Platform(platform.twin, platform.role_arn, platform.data, platform.models, unique)
    request = job.request()
    request["HyperParameters"]["sagemaker_submit_directory"] = f"s3://{platform.models}/{key}"
    request["Environment"] = variables
    platform.client("sagemaker").create_training_job(**request)
    return job


def said(job: Platform, beginning: str) -> str:
    [line] = [line for line in job.log() if line.startswith(beginning)]
    return line


def kept(twin: TestTwin) -> list[Path]:
    return [mark.parent for mark in twin.home.requirements_dir.glob("*/ready")]


def test_what_jobs_ask_for_is_installed_once_and_used_without_an_index(twin: TestTwin, index: Index) -> None:
    platform = make_platform(twin)
    asked = f"# {platform.models}: another content than that of other tests\ntinypkg==1.0\n"
    index.may_go.clear()
    first, second = (start(platform, name, asked, index.variables) for name in ("first", "second"))
    for job in (first, second):
        job.until(lambda job=job: message(job).startswith("The requirements are being installed, once: "), 60.0)  # type: ignore[misc]
    index.may_go.set()
    assert [ended(first), ended(second)] == ["Completed", "Completed"], first.failure()
    assert index.downloads == ["tinypkg-1.0-py3-none-any.whl"]
    assert "requirements.txt is installed and kept for other jobs" in first.log()
    assert "installed 1 package: tinypkg 1.0" in first.log()
    index.server.server_close()  # whoever asks now is refused
    index.server.shutdown()
    third = start(platform, "third", asked, index.variables)
    assert ended(third) == "Completed"
    assert said(third, "runs") == "runs 1.0"
    assert said(third, "requirements.txt was installed at ").endswith("and is taken from there: tinypkg 1.0")
    assert "it may not be changed" in third.log() and not any("changed'" in line for line in third.log())
    # Others are others, whether requirements.txt or what decides of it differs; and what failed is not kept.
    before = len(kept(twin))
    changed = start(platform, "changed", asked.replace("1.0", "2.0"), index.variables)
    elsewhere = start(platform, "elsewhere", asked, {**index.variables, "PIP_PRE": "1"})
    for job in (changed, elsewhere):
        reason = job.failure()
        assert reason.startswith("AlgorithmError: InstallRequirementsError: pip could not install requirements.txt:\n")
        assert reason.count("exit code") == 1 and reason.endswith(", exit code: 1")
        assert not [line for line in job.log() if line.startswith("runs")]
    assert len(kept(twin)) == before


def test_files_beside_requirements_decide_too(twin: TestTwin, tmp_path: Path) -> None:
    platform = make_platform(twin)

    def files(version: str) -> Files:
        folder = tmp_path / version
        folder.mkdir()
        wheel(folder, "tinypkg", version)
        name = f"tinypkg-{version}-py3-none-any.whl"
        return {"more.txt": f"tinypkg  # of {platform.models}\n", f"wheels/{name}": (folder / name).read_bytes()}

    # pip takes several options on a line, and each in several forms.
    for name, version, asked in (
        ("one", "1.0", "--no-index --find-links wheels\n-r more.txt\n"),
        ("two", "2.0", "--no-index --find-links wheels\n-r more.txt\n"),
        ("three", "3.0", "--no-index --find-links wheels\ntinypkg\n"),
        ("four", "4.0", "--prefer-binary --no-index -fwheels\ntinypkg>=4\n"),
    ):
        job = start(platform, name, asked, {}, files(version))
        assert ended(job) == "Completed", job.log()
        assert said(job, "runs") == f"runs {version}"


def test_what_was_cut_off_by_a_kill_is_never_taken_for_whole(own_twin: TestTwin, index: Index) -> None:
    platform = make_platform(own_twin)
    index.may_go.clear()
    job = start(platform, "killed", "tinypkg==1.0\n", index.variables)
    job.until(lambda: bool(index.downloads), 60.0)
    assert list(own_twin.home.requirements_dir.glob("*/layer/env")) and not kept(own_twin)
    own_twin.kill()
    assert not kept(own_twin)
    index.may_go.set()
    own_twin.start()
    job = Platform(own_twin, platform.role_arn, platform.data, platform.models, job.name)
    assert ended(job) == "Completed"
    assert said(job, "runs") == "runs 1.0"
    [place] = kept(own_twin)
    # What no job uses goes with `twin prune`, and is installed again by the next that asks.
    old = time.time() - 7200
    os.utime(place / "ready", (old, old))
    answer = ask(own_twin.server, "prune", {"older_than_seconds": 3600})
    assert answer["counts"]["requirements"] == 1 and answer["freed_bytes"] > 0
    assert not place.exists()
    again = start(make_platform(own_twin), "again", "tinypkg==1.0\n", index.variables)
    assert ended(again) == "Completed"
    assert kept(own_twin) == [place]
