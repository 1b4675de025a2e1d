"""Running a test's program as another user than the one who runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NOBODY = 65534
Run = Callable[..., list[dict[str, Any]]]
"""Of the fixture `run`: takes scripts, answers with the ends of their tasks."""


def interpreter_of(user: int | None) -> tuple[str, dict[str, str]]:
    """An interpreter that the user may execute, and what it needs to find the project: the one in use, if he may."""

    def usable(python: str) -> bool:
        code = "import sys; print(sys.version_info[:2])"
        try:
            ended = subprocess.run([python, "-c", code], user=user, capture_output=True, text=True, check=False)
        except PermissionError:
            return False
        return ended.stdout.strip() == str(sys.version_info[:2])

    if user is None or usable(sys.executable):
        return sys.executable, {}
    if not usable("/usr/bin/python3"):
        pytest.skip("the ordinary user has no interpreter of this version that he may execute")
    return "/usr/bin/python3", {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path])}
