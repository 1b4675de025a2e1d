"""What `dev.py` installs: the lock's sections, what it says meanwhile, and what it says when pip fails."""

from __future__ import annotations

import io
import re
import sys
from importlib import metadata
from pathlib import Path

import dev_commands
import dev_setup
import pytest

from tests.terminal import Terminal

NAME = re.compile(r"^[A-Za-z0-9._-]+")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LOCK = """\
one==1.0 \\
    --hash=sha256:00
Two_Two==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:01
Two_Two==2.1 ; python_full_version >= '3.12' \\
    --hash=sha256:02
three==3.0 \\
    --hash=sha256:03
"""


def needed(name: str, extras: frozenset[str], seen: dict[str, frozenset[str]]) -> None:
    """All that a package needs here, as its own metadata say; into `seen`, with the extras that were asked of each."""
    key = dev_setup.key_of(name)
    if extras <= seen.get(key, frozenset()) and key in seen:
        return
    seen[key] = extras | seen.get(key, frozenset())
    for requirement in metadata.requires(name) or ():
        what, _, marker = requirement.partition(";")
        conditions = re.findall(r"extra *== *['\"]([^'\"]+)", marker)
        if (conditions and not set(conditions) & extras) or "python_" in marker or "platform" in marker:
            continue
        match = NAME.match(what.strip())
        asked = re.search(r"\[([^\]]*)\]", what)
        assert match is not None
        needed(match[0], frozenset(each.strip() for each in asked[1].split(",")) if asked else frozenset(), seen)


@pytest.mark.parametrize("section", dev_setup.EVERYTHING)
def test_a_section_and_those_before_it_have_all_that_is_needed(section: str) -> None:
    sections = dev_setup.sections_of(dev_setup.LOCK.read_text())
    before = dev_setup.EVERYTHING[: dev_setup.EVERYTHING.index(section) + 1]
    locked = {name for each in before for name, _ in dev_setup.releases(sections[each])}
    seen: dict[str, frozenset[str]] = {}
    needed("trainworks", frozenset(dev_commands.EXTRAS[section]), seen)
    assert len(seen) > 40
    assert set(seen) - {"trainworks"} - locked == set()


def test_what_runs_the_demo_has_none_of_what_tests_need() -> None:
    run = dict(dev_setup.releases(dev_setup.sections_of(dev_setup.LOCK.read_text())["run"]))
    assert not {"cfn-lint", "sympy", "mypy", "ruff", "sphinx", "pytest", "hypothesis"} & set(run)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("demo",), ("run",)),
        (("run", "jobs"), ("run",)),
        (("run", "check", "--env", "prod"), ("run", "check")),
        (("docs",), ("run", "check", "docs")),
        (("test", "tests/unit"), dev_setup.EVERYTHING),
    ],
)
def test_a_command_gets_the_sections_that_it_needs(words: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert dev_commands.sections(*words) == wanted


def test_a_package_is_in_one_section_with_all_its_versions() -> None:
    text = dev_setup.in_sections(LOCK, [("run", {"one", "two-two"}), ("test", {"one", "two-two", "three"})])
    sections = dev_setup.sections_of(text)
    assert dev_setup.releases(sections["run"]) == [("one", "1.0"), ("two-two", "2.0"), ("two-two", "2.1")]
    assert dev_setup.releases(sections["test"]) == [("three", "3.0")]
    # Written again from what it is now, it stays the same.
    assert dev_setup.in_sections(text, [("run", {"one", "two-two"}), ("test", {"three"})]) == text
    with pytest.raises(dev_setup.SetupError, match="three"):
        dev_setup.in_sections(LOCK, [("run", {"one", "two-two"})])


def test_pip_is_heard() -> None:
    there: set[dev_setup.Release] = {("one", "0.9")}
    pip = dev_setup.Pip(dev_setup.releases(LOCK), lambda: there)
    said = [
        "Ignoring Two_Two: markers 'python_full_version >= \"3.12\"' don't match your environment",
        "Collecting one==1.0 (from -r installing.txt (line 1))",
        "  Downloading one-1.0-py3-none-any.whl (48.3 MB)",
    ]
    assert [pip.hear(line) for line in said] == ["", "", ""]
    assert pip.shown() == ("fetching one==1.0, 48.3 MB", 1, 3)
    assert pip.hear("Installing collected packages: three, Two_Two, one") == "unpacking 3 packages"
    assert pip.shown() == ("unpacking", 0, 3)
    there |= {("one", "1.0"), ("two-two", "2.0")}
    assert pip.shown() == ("unpacking", 2, 3)


def test_a_terminal_has_one_moving_line_and_a_pipe_a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    def said(stream: io.StringIO, term: str) -> str:
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", term)
        steps = dev_setup.Steps()
        steps.begin("fetching")
        steps.move("fetching a package whose name is much too long for the line", 3, 9)
        steps.end("installed")
        return stream.getvalue()

    assert said(io.StringIO(), "xterm") == said(Terminal(), "dumb") == "dev.py: fetching\ndev.py: installed\n"
    first, bar, last = (ESCAPES.sub("", part) for part in said(Terminal(), "xterm").split("\r")[1:])
    assert first.endswith("fetching")
    assert "3 of 9" in bar and len(bar) < 60 and "\n" not in first + bar
    assert last == "dev.py: installed\n"


def test_what_pip_says_is_shown_when_it_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dev_setup, "VENV", tmp_path)
    monkeypatch.setattr(dev_setup, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    lock = f"no-such-package-of-ours==1.0 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(dev_setup.SetupError) as refused:
        dev_setup.install_packages(lock, dev_setup.Steps())
    assert "No matching distribution found for no-such-package-of-ours==1.0" in str(refused.value)
    assert "ended with exit code 1. fix: " in str(refused.value)
