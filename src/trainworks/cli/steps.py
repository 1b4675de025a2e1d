"""What a command does while people wait: a line that moves on a terminal, a line a step anywhere else.

It is on standard error; where JSON is asked for nothing moves and no step is told. A step within another is
shown in its place until it ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainworks.cli.output import Output, stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def can_move() -> bool:
    """Whether standard error is a terminal on which a line can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}


class Steps:
    """A `Meanwhile` of the terminal. Not `is_shown`: only what stays is told."""

    def __init__(self, *, is_shown: bool = True) -> None:
        self._is_shown = is_shown
        self._moves = is_shown and can_move()
        self._now: list[str] = []
        self._bar: tuple[Progress, TaskID] | None = None

    @contextmanager
    def __call__(self, what: str, *, in_pipe: bool = True) -> Iterator[None]:
        """`what` is done for as long as the block lasts; without `in_pipe` only who can see it move hears of it."""
        if not self._moves:
            if self._is_shown and in_pipe:
                self.say(what)
            yield
            return
        self._now.append(what)
        self._draw()
        try:
            yield
        finally:
            self._now.pop()
            self._draw()

    def say(self, line: str) -> None:
        """A line that stays, above the one that moves; it is told to programs too, on standard error."""
        if self._bar is None:
            stderr().print(line)
        else:
            self._bar[0].console.print(line)

    def _draw(self) -> None:
        if not self._now:
            if self._bar is not None:
                self._bar[0].stop()
            self._bar = None
        elif self._bar is None:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            progress = Progress(*columns, console=stderr(), transient=True)
            self._bar = progress, progress.add_task(self._now[-1], total=None)
            progress.start()
        else:
            self._bar[0].update(self._bar[1], description=self._now[-1], refresh=True)


def steps_for(output: Output) -> Steps:
    """The steps of a command with this form of output."""
    return Steps(is_shown=output is Output.TEXT)
