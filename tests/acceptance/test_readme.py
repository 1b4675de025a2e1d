"""What the documents say is true: commands run, links lead somewhere, verbs exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup as Group

from trainworks.cli.root import load
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
CODE = re.compile(r"```.*?```|^ {4}.*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^|[`|(=]|dev\.py run)[ \t]*trainworks[ \t]+([a-z][a-z-]*)([^\n`|)#]*)", re.MULTILINE)
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A user's environment with a twin's home of its own, on a port that nobody else has."""
    with tempfile.TemporaryDirectory(prefix="tw-") as root:
        home = Home(Path(root) / "home")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield {**kept, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}", "TRAINWORKS_HOME": str(home.root)}
        lifecycle.stop(home)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_readme_run_in_its_order(environment: dict[str, str]) -> None:
    blocks = TESTED.findall((ROOT / "README.md").read_text())
    assert len(blocks) == 3
    # The suite runs in whatever environment it was started in, and beside other twins.
    script = "\n".join(blocks).replace("source .venv/bin/activate", "").replace("twin start", "twin start --port 0")
    ran = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=540, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_verbs_exist(page: Path) -> None:
    text = page.read_text()
    missing = [target for target in LINK.findall(CODE.sub("code", text)) if not (page.parent / target).exists()]
    assert not missing
    unknown = [f"trainworks {verb}{rest}" for verb, rest in commands(text) if not exists(verb, rest)]
    assert not unknown


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a page: a verb and what follows it, on one line or on several that end in a backslash."""
    code = "\n".join(found.group().strip("`") for found in CODE.finditer(text))
    return COMMAND.findall(code.replace("\\\n", " "))


def exists(verb: str, rest: str) -> bool:
    """Whether the command line has the verb, the word after it where it is a group, and all options that are named."""
    if verb not in BY_NAME:
        return False
    command, words = _loaded(verb), rest.partition(" -- ")[0].split()
    for word in words:
        if not isinstance(command, Group) or not word.isalpha() or not word.islower():
            break
        if word in command.commands:
            command = command.commands[word]
        elif not command.invoke_without_command:
            return False
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return set(OPTION.findall(" ".join(words))) <= options | {"--help"}


@cache
def _loaded(verb: str) -> Any:
    return load(BY_NAME[verb])
