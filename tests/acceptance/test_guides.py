"""The tutorial and the how-to guides: their commands in order, and their scripts, against a running twin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.functional.twin.test_installed_packages import wheel
from trainworks.testing import TestTwin

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "examples" / "tutorial"
TESTED = re.compile(r"<!-- tested -->\n```sh\n(.*?)```", re.DOTALL)
SCRIPT = re.compile(r"<!-- tested: ([a-z_.]+) -->\n```python\n(.*?)```", re.DOTALL)
TABULATE = wheel("tabulate", "0.9.0", "def tabulate(rows, **_):\n    return '\\n'.join(map(str, rows))\n")
"""What the tutorial's package does, for machines without a package index."""


class Shell:
    """A user's shell in a folder: the twin's commands, a platform of its own name, no AWS settings."""

    def __init__(self, twin: TestTwin) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = f"{BIN}{os.pathsep}{clean['PATH']}"
        home = {"TRAINWORKS_HOME": str(twin.home.root), "ENVIRONMENT_SUFFIX": "guides"}
        self._environment = {**clean, **home, "PATH": path}

    def run(self, script: str, folder: Path, expected: int = 0) -> str:
        ran = subprocess.run(
            ["bash", "-euc", script],  # without pipefail, as a user's shell: `grep -q` leaves while its pipe is written
            cwd=folder, env=self._environment, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip
        assert ran.returncode == expected, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def shell(twin: TestTwin) -> Iterator[Shell]:
    """With a platform deployed, and taken away afterwards."""
    made = Shell(twin)
    made.run("trainworks up", ROOT)
    yield made
    made.run("trainworks down --yes", ROOT)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tutorial_survives_an_interruption_and_predicts(shell: Shell, tmp_path: Path) -> None:
    project = tmp_path / "bikes"
    shutil.copytree(EXAMPLE, project)
    (project / "code" / "wheels").mkdir()
    (project / "code" / "wheels" / "tabulate-0.9.0-py3-none-any.whl").write_bytes(TABULATE)
    requirements = project / "code" / "requirements.txt"
    requirements.write_text(f"--no-index --find-links wheels\n{requirements.read_text()}")
    blocks = TESTED.findall((DOCS / "tutorial" / "index.md").read_text())
    assert len(blocks) == 7
    said = shell.run("\n".join(blocks), project)
    assert "error=8.611" in said
    assert "going on after epoch" in said
    assert "SGDRegressor" in said
    assert "336 hours predicted" in said
    assert len((project / "bikes-next" / "predictions" / "bikes.csv").read_text().splitlines()) == 337
    assert re.search(r"interruptions +1\b", said)
    assert "has no route" in said or "have no route" in said


def test_the_tutorial_shows_its_files_as_they_are() -> None:
    page = (DOCS / "tutorial" / "index.md").read_text()
    shown = re.findall(r"```(?:toml|python)\n(.*?)```", page, re.DOTALL)
    files = [path.read_text() for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert [text for text in shown if any(text in file for file in files)] == [shown[0], shown[1]]


def test_instances_of_a_job_find_one_another_by_the_guides_script(shell: Shell, tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "several-instances.md").read_text()
    ((name, text),) = SCRIPT.findall(page)
    (tmp_path / name).write_text(text)
    (tmp_path / "texts").mkdir()
    for number in range(5):
        (tmp_path / "texts" / f"{number}.txt").write_text("word " * (number + 1))
    command = next(line for line in page.splitlines() if line.startswith(f"trainworks train {name}"))
    said = shell.run(command, tmp_path)
    assert "all: 15 words" in said
    assert {"algo-1: 3 files, 9 words", "algo-2: 2 files, 6 words"} <= set(re.findall(r"algo-\d: .*words", said))


def test_a_twin_in_tests_of_ones_own_works_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    ((name, text),) = SCRIPT.findall((DOCS / "how-to" / "ci.md").read_text())
    (tmp_path / name).write_text(text)
    assert "1 passed" in shell.run("python -m pytest -q -p no:cacheprovider", tmp_path)


def test_findings_of_an_old_code_base_are_accepted_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    (block,) = TESTED.findall((DOCS / "how-to" / "accepting-findings.md").read_text())
    shutil.copytree(ROOT / "tests" / "reference" / "cdk.out", tmp_path / "cdk.out")
    plain = block.replace("trainworks check", "trainworks check --no-scanners")
    shell.run("trainworks check --no-scanners --template cdk.out", tmp_path, expected=1)
    shell.run(plain, tmp_path)


def test_a_function_is_run_and_read_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "functions.md").read_text()
    for name, text in SCRIPT.findall(page):
        (tmp_path / name).write_text(text)
    (block,) = TESTED.findall(page)
    said = shell.run(block, tmp_path)
    assert "Hello Ada" in said
    url = shell.run('eval "$(trainworks env)"; python open_url.py', tmp_path).split()[-1]
    with urlopen(f"{url}?name=Ada") as answer:
        assert answer.read() == b"Hello Ada"
    assert re.search(r"^greet +python3.11 ", said, re.MULTILINE)
    assert said.count("REPORT RequestId") == 2  # the end of its log, and the log
