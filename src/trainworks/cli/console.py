"""A console that leaves whole what people copy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

_HANGING = 2
_LEAST_ROOM = 24
"""Narrower than this nothing is folded: the terminal breaks the line, and what is copied stays whole."""
_WORD = re.compile(r"\S+")
_COMMAND = re.compile(r"(?:^|[\s`(])(?:trainworks|aws|sudo|pip|docker|git|eval|export|python3?(?:\.\d+)?) +\S")


class WholeConsole(Console):
    """On a terminal prose is folded at spaces, below its own beginning; no word is broken and nothing is cut.

    Left to the terminal, which breaks them without a line break in them, are lines that hold a command, and those that
    say so themselves (`no_wrap`). Into a pipe no line is folded at all. `is_plain`: neither colours nor bold.
    """

    def __init__(self, *, file: TextIO, is_plain: bool) -> None:
        super().__init__(
            file=file,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=not file.isatty(),
            color_system=None if is_plain else "auto",
        )

    def print(self, *objects: Any, **options: Any) -> None:
        """As `Console.print`, with nothing cut and no word broken unless asked for."""
        if not options.get("soft_wrap", self.soft_wrap):
            options = {"overflow": "ignore", "crop": False} | options
        super().print(*objects, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As `Console.render`, with what `print` would leave unfolded folded at spaces."""
        given = options or self.options
        if given.overflow == "ignore" and not given.no_wrap and self.is_terminal:
            if isinstance(renderable, str):
                renderable = Text(renderable)
            if isinstance(renderable, Text) and not renderable.no_wrap:
                renderable = folded(renderable, given.max_width)
        return super().render(renderable, options)


def folded(text: Text, width: int) -> Text:
    """Each line that is too wide as several, all but the first of which hang by two columns."""
    lines = [part for line in text.split("\n", allow_blank=True) for part in _parts(line, width)]
    whole = Text("\n", no_wrap=True, overflow="ignore", end=text.end).join(lines)
    whole.no_wrap, whole.overflow, whole.end = True, "ignore", text.end
    return whole


def _parts(line: Text, width: int) -> Iterator[Text]:
    plain = line.plain
    hanging = len(plain) - len(plain.lstrip(" ")) + _HANGING
    if cell_len(plain) <= width or width - hanging < _LEAST_ROOM or _COMMAND.search(plain):
        yield line
        return
    for number, part in enumerate(line.divide(_breaks(plain, width, hanging))):
        part.rstrip()
        yield Text.assemble(" " * hanging, part) if number else part


def _breaks(plain: str, width: int, hanging: int) -> list[int]:
    """Where parts begin after the first: at the words that would reach over the edge."""
    breaks: list[int] = []
    start, indent = 0, 0
    for word in _WORD.finditer(plain):
        is_first = not plain[start : word.start()].strip()
        if not is_first and indent + cell_len(plain[start : word.end()]) > width:
            breaks.append(word.start())
            start, indent = word.start(), hanging
    return breaks
