"""The SageMaker Python SDK itself against a twin, where there is one: the example, and a script without role or bucket.

It is not in the lock, for its size: `TRAINWORKS_TEST_SAGEMAKER_SDK` names the Python of an environment that has it.
What it sends is tested everywhere, by `tests/functional/sagemaker/test_sagemaker_sdk.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.twin.test_installed_packages import wheel
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "how-to" / "sagemaker-sdk.md"
SCRIPTS = re.compile(r"<!-- tested: ([a-z.]+) -->\n```python\n(.*?)```", re.DOTALL)
SDK = os.environ.get("TRAINWORKS_TEST_SAGEMAKER_SDK", "")
needs_sdk = pytest.mark.skipif(
    not SDK, reason="the SDK is not in the lock; TRAINWORKS_TEST_SAGEMAKER_SDK names no Python that has it"
)


def page_scripts() -> dict[str, str]:
    """The scripts of the page by their names."""
    return dict(SCRIPTS.findall(PAGE.read_text()))


def test_the_scripts_of_the_page_and_the_example_are_python() -> None:
    scripts = page_scripts()
    assert set(scripts) == {"explicit.py", "defaults.py"}
    for name, text in {**scripts, "job.py": (ROOT / "examples/sagemaker_sdk/job.py").read_text()}.items():
        compile(text, name, "exec")


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A user's shell beside a twin of its own, with the platform deployed."""
    with tempfile.TemporaryDirectory(prefix="tw-") as root:
        home = Home(Path(root) / "home")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own = {"TRAINWORKS_HOME": str(home.root), "XDG_CACHE_HOME": str(Path(root) / "cache")}
        environment = {**kept, **own, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}"}
        try:
            shell("trainworks twin start --port 0 && trainworks up", environment, ROOT)
            yield environment
        finally:
            lifecycle.stop(home)


@needs_sdk
def test_the_example_trains_and_finds_its_job_again(environment: dict[str, str]) -> None:
    command = f'eval "$(trainworks env)" && {SDK} examples/sagemaker_sdk/job.py'
    told = json.loads(shell(command, environment, ROOT).splitlines()[-1])
    assert told["status"] == "Completed"
    assert told["newest"] == told["name"]
    slope, offset = map(float, told["model"].split())
    assert abs(slope - 3) < 0.1
    assert abs(offset - 1) < 0.1


@needs_sdk
@pytest.mark.parametrize(("name", "option"), [("explicit.py", ""), ("defaults.py", "--sagemaker-sdk")])
def test_the_scripts_of_the_page_run(environment: dict[str, str], tmp_path: Path, name: str, option: str) -> None:
    (tmp_path / name).write_text(page_scripts()[name])
    folder = tmp_path / "source"
    (folder / "wheels").mkdir(parents=True)
    (folder / "train.py").write_text("import tinytool\nprint('installed', tinytool.__file__)\n")
    (folder / "requirements.txt").write_text("--no-index\n--find-links wheels\ntinytool==1\n")
    (folder / "wheels" / "tinytool-1-py3-none-any.whl").write_bytes(wheel("tinytool", "1", ""))
    (tmp_path / "points.csv").write_text("1,4\n")
    said = shell(f'eval "$(trainworks env {option})" && {SDK} {name}', environment, tmp_path)
    assert "Completed" in said


def shell(command: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
