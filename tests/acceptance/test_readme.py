"""What the documents say is true: commands run, links lead somewhere, verbs exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainworks.cli.verbs import BY_NAME
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    ROOT / "benchmarks/README.md",
]
TESTED = re.compile(r"<!-- tested -->\n```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
VERB = re.compile(r"^\s*trainworks ([a-z-]+)", re.MULTILINE)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A user's environment with a twin's home of its own, on a port that nobody else has."""
    with tempfile.TemporaryDirectory(prefix="tw-") as root:
        home = Home(Path(root) / "home")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield {**kept, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}", "TRAINWORKS_HOME": str(home.root)}
        lifecycle.stop(home)


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_its_order(environment: dict[str, str]) -> None:
    blocks = TESTED.findall((ROOT / "README.md").read_text())
    assert len(blocks) == 3
    # The suite runs in whatever environment it was started in, and beside other twins.
    script = "\n".join(blocks).replace("source .venv/bin/activate", "").replace("twin start", "twin start --port 0")
    ran = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_verbs_exist(page: Path) -> None:
    text = page.read_text()
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert not missing
    assert not {verb for verb in VERB.findall(text) if verb not in BY_NAME}
