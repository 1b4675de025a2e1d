"""A command that needs an extra which is not installed says which, and how to install it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trainworks.extras import explain_missing, install_command

BLOCKING = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize("module", ["ministack", "psutil", "re2", "uvicorn"])
def test_a_twin_without_its_extra_does_not_start(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKING.format(module=module))
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "TRAINWORKS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "trainworks.cli.main", "twin", "start", "--port", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split())
    assert "which is not installed: install trainworks with the extra 'local'" in said
    assert re.search(r"python -m pip install -e '/.*\[local\]'", said)


@pytest.mark.parametrize(
    ("module", "extra"), [("aws_cdk.aws_s3", "infra"), ("cdk_nag", "infra"), ("cfnlint", "check"), ("sklearn", "local")]
)
def test_the_extra_of_a_module(module: str, extra: str) -> None:
    explained = explain_missing(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert explained is not None
    assert f"'{extra}'" in explained[0]


def test_a_module_of_no_extra_is_left_to_others() -> None:
    assert explain_missing(ModuleNotFoundError("No module named 'nowhere'", name="nowhere")) is None
    assert explain_missing(ModuleNotFoundError("without a name")) is None


def test_no_fix_names_a_package_that_is_in_no_index(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert install_command("infra", tmp_path) == f"python -m pip install -e '{tmp_path}[infra]'"
    assert (
        install_command("infra", tmp_path / "elsewhere") == "in a clone of trainworks: python -m pip install '.[infra]'"
    )
    root = Path(__file__).resolve().parents[3]
    named = re.compile(r"pip install (?:-\S+ )*['\"]?trainworks\b(?!/)")
    files = [
        *(root / "src").rglob("*.py"),
        *(root / "docs").rglob("*.md"),
        *(root / "examples").rglob("*.md"),
        root / "README.md",
    ]
    assert not [path.name for path in files if named.search(path.read_text(encoding="utf-8"))]
