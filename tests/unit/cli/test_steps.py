"""Steps: a line that moves where it can, a line a step where it cannot, and nothing where a program reads."""

from __future__ import annotations

import io
import re

import pytest

from tests.terminal import Terminal
from trainworks.cli import platform_view
from trainworks.cli.output import Output
from trainworks.cli.steps import Steps, steps_for
from trainworks.deploy.progress import Notice

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STYLES = re.compile(r"\x1b\[[0-9;]*m")


def said(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, steps_of: type[Steps] | object = Steps) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    steps = steps_of() if callable(steps_of) else steps_of
    assert isinstance(steps, Steps)
    with steps("comparing", in_pipe=False):
        with steps("synthesizing trainworks-dev"):
            steps.say("cfn-lint reads 7 templates")
        steps.say("done")
    return stream.getvalue()


def test_into_a_pipe_goes_a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lines = "synthesizing trainworks-dev\ncfn-lint reads 7 templates\ndone\n"
    assert said(monkeypatch, io.StringIO()) == lines
    monkeypatch.setenv("TERM", "dumb")
    assert said(monkeypatch, Terminal()) == lines
    told = said(monkeypatch, io.StringIO(), lambda: steps_for(Output.JSON))
    assert told == "cfn-lint reads 7 templates\ndone\n"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_what_stays_is_above_what_moves(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", no_color)
    shown = said(monkeypatch, Terminal())
    assert "\x1b[2K" in shown
    assert bool(STYLES.search(shown)) is not bool(no_color)
    plain = ESCAPES.sub("", shown)
    places = [plain.index(each) for each in ("comparing", "cfn-lint reads 7 templates\n", "done\n")]
    assert places == sorted(places)
    assert "synthesizing trainworks-dev" in plain
    # Of what moves nothing is left: the last line is erased.
    assert ESCAPES.sub("", shown.rpartition("\x1b[2K")[2]).strip() == ""


def test_a_question_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with platform_view.live(Output.TEXT) as report:
        report(Notice("synthesizing"))
        with platform_view.paused(report):
            before = terminal.getvalue()
            terminal.write("Go on? [y/N]: ")
            assert before.endswith("\x1b[2K")
        report(Notice("creating the bucket"))
        assert "looking at the stack" in terminal.getvalue().removeprefix(before)
