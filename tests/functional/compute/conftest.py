from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.compute.harness import Bench
from tests.functional.compute.users import NOBODY, ROOT, Run, interpreter_of


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    running = Bench(tmp_path / "home")
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def sandboxed(bench: Bench) -> Bench:
    """A bench whose tasks run in namespaces; skipped where the machine has none."""
    if bench.compute.sandbox_mode() == "off":
        pytest.skip(bench.compute.sandbox_warning())
    return bench


@pytest.fixture
def unsandboxed(tmp_path: Path) -> Iterator[Bench]:
    running = Bench(tmp_path / "home", sandbox="off")
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(params=["root", "root without user namespaces", "an ordinary user"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs scripts one after the other on one shared instance; the ends of their tasks."""
    if request.param != "an ordinary user" and os.geteuid() != 0:
        pytest.skip("this test is not run as root")
    sandbox = "root" if request.param == "root without user namespaces" else "auto"
    with tempfile.TemporaryDirectory(prefix="tw-escape-") as name:
        folder = Path(name)
        options: dict[str, Any] = {}
        if os.geteuid() == 0 and request.param == "an ordinary user":
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(folder, NOBODY, NOBODY)

        def run_scripts(*scripts: str | Path) -> list[dict[str, Any]]:
            paths = []
            for number, script in enumerate(scripts):
                path = folder / f"script-{number}.py"
                path.write_text(script.read_text() if isinstance(script, Path) else script)
                path.chmod(0o644)
                paths.append(str(path))
            python, python_path = interpreter_of(options.get("user"))
            argv = [python, "-m", "tests.functional.compute.one_task", str(folder / "home"), sandbox, *paths]
            env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | python_path
            ended = subprocess.run(
                argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=150, check=False, **options
            )
            assert ended.returncode == 0, ended.stderr
            answer = json.loads(ended.stdout)
            if answer["mode"] == "off":
                pytest.skip(answer["why_not"])
            ends: list[dict[str, Any]] = answer["ends"]
            return ends

        yield run_scripts
