"""A function's sandbox as root, as root without user namespaces, as an ordinary user, and without namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.functional.compute.users import NOBODY, ROOT, interpreter_of

LOOKS_ROUND = """
import os

count = 0

def handler(event, context):
    global count
    count += 1
    written = []
    for folder in ("/var/task", "/opt", "/var/runtime", "/etc", "/tmp"):
        try:
            open(folder + "/written", "w").close()
            written.append(folder)
        except OSError:
            pass
    state = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "count": count, "written": written, "home": os.path.exists(event["home"] + "/functions/code"),
        "task": os.listdir("/var/task") if os.path.exists("/var/task") else None, "folder": os.getcwd(),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "seccomp": state["Seccomp"], "no_new_privileges": state["NoNewPrivs"],
    }
"""


def results_of(user: int | None, sandbox: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="tw-function-") as name:
        folder = Path(name)
        source = folder / "index.py"
        source.write_text(LOOKS_ROUND)
        options: dict[str, Any] = {}
        if user is not None:
            options = {"user": user, "group": user, "extra_groups": []}
            os.chown(folder, user, user)
        python, python_path = interpreter_of(user)
        argv = [python, "-m", "tests.functional.functions.one_function", str(folder / "home"), sandbox, str(source)]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | python_path
        ended = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False, **options
        )
        assert ended.returncode == 0, ended.stderr
        answer = json.loads(ended.stdout)
        if answer["mode"] == "off" and sandbox != "off":
            pytest.skip("this machine gives no namespaces")
        results: list[dict[str, Any]] = answer["results"]
        return results


@pytest.mark.parametrize("who", ["root", "an ordinary user"])
def test_the_sandbox_holds_whoever_runs_the_twin(who: str) -> None:
    if os.geteuid() != 0 and who == "root":
        pytest.skip("this test is not run as root")
    first, second = results_of(NOBODY if os.geteuid() == 0 and who != "root" else None, "auto")
    assert first == {
        "count": 1,
        "written": ["/tmp"],
        "home": False,
        "task": ["index.py"],
        "folder": "/var/task",
        "processes": 2,
        "seccomp": "2",
        "no_new_privileges": "1",
    }
    assert second == first | {"count": 2}


def test_without_namespaces_the_same_function_runs_from_its_folder() -> None:
    first, second = results_of(None, "off")
    assert (first["count"], second["count"]) == (1, 2)
    assert first["home"]
    assert "/functions/code/" in first["folder"]
