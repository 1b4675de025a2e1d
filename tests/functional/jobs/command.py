"""The command line in this process: as fast as a call, with the same words, streams and exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.terminal import Terminal
from trainworks.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Command = Callable[..., Done]


def command_line(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Command:
    """A function that runs one command line; `terminal=WIDTH` runs it on a terminal of so many columns."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, terminal: int | None = None, answers: str = "") -> Done:
        out, err = (io.StringIO(), io.StringIO()) if terminal is None else (Terminal(), Terminal())
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", out)
            patch.setattr("sys.stderr", err)
            patch.setattr("sys.stdin", Terminal(answers) if answers else io.StringIO())
            patch.setenv("COLUMNS", str(terminal or 80))
            patch.setenv("TERM", "xterm-256color")
            with pytest.raises(SystemExit) as ended:
                main(arguments)
        code = ended.value.code
        return Done(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())

    return run
