"""A table as lines: a record a line under aligned headings, so that each value can be copied whole.

No line is cut. Into a pipe none is broken either; on a terminal only the cells of columns that are prose are folded, at
spaces, where a line would be wider than it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

_GAP = "  "
_LEAST_PROSE = 16
"""Narrower than this no cell is folded: the terminal breaks lines that are wider still."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """Text from anywhere on one line: breaks are spaces, other control characters are shown, never obeyed."""
    return _CONTROL.sub(lambda found: " " if found[0] in "\r\n\t\u2028\u2029" else ascii(found[0])[1:-1], text)


def harmless(text: str) -> str:
    """Text of several lines from anywhere, without its colours; other control characters are shown, never obeyed."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in "\n\t" else ascii(found[0])[1:-1], _COLOUR.sub("", text))


class Records:
    """Draws itself for where it goes. `prose` and `right` name columns; rows whose index is in `bold` are headings."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        prose: Collection[str] = (),
        right: Collection[str] = (),
        bold: Collection[int] = (),
    ) -> None:
        self._columns, self._prose, self._right, self._bold = columns, prose, right, bold
        self._rows = [[one_line(cell) for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        if console.is_terminal:
            yield from self._without_empty_columns()._drawn(options.max_width)
        else:
            yield from self._drawn(None)

    def _without_empty_columns(self) -> Records:
        """Who looks has nothing of a column in which there is nothing; a program counts columns."""
        kept = [place for place in range(len(self._columns)) if any(row[place] for row in self._rows)]
        if not kept or len(kept) == len(self._columns):
            return self
        return Records(
            [self._columns[place] for place in kept],
            [[row[place] for place in kept] for row in self._rows],
            prose=self._prose,
            right=self._right,
            bold=self._bold,
        )

    def _drawn(self, room: int | None) -> Iterator[Text]:
        widths = [
            max(cell_len(row[place]) for row in (self._columns, *self._rows)) for place in range(len(self._columns))
        ]
        if room is not None:
            widths = self._fitted(widths, room)
        yield from self._lines(self._columns, widths, "bold")
        for number, row in enumerate(self._rows):
            yield from self._lines(row, widths, "bold" if number in self._bold else "")

    def _fitted(self, widths: list[int], room: int) -> list[int]:
        """Widths with those of prose made smaller, the widest first, until a line fits or none can be.

        Where names reach over the edge already, so that prose begins in the terminal's next line, it is left whole.
        """
        fitted = list(widths)
        places = [place for place, column in enumerate(self._columns) if column in self._prose]
        excess = sum(fitted) + len(_GAP) * (len(fitted) - 1) - room
        for place in sorted(places, key=lambda each: -fitted[each]):
            least = max(min(fitted[place], _LEAST_PROSE), cell_len(self._columns[place]))
            given = min(max(excess, 0), fitted[place] - least)
            fitted[place] -= given
            excess -= given
        first = min(places, default=len(fitted) - 1)
        reaches = sum(fitted[: first + 1]) + len(_GAP) * first
        return fitted if reaches <= room else widths

    def _lines(self, row: Sequence[str], widths: Sequence[int], style: str) -> Iterator[Text]:
        folded = [
            textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
            if cell_len(cell) > width
            else [cell]
            for cell, width in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, folded), default=0)):
            cells = [part[number] if number < len(part) else "" for part in folded]
            line = _GAP.join(map(self._placed, self._columns, cells, widths)).rstrip()
            yield Text(line, style=style, no_wrap=True, overflow="ignore")

    def _placed(self, column: str, cell: str, width: int) -> str:
        padding = " " * (width - cell_len(cell))
        return padding + cell if column in self._right else cell + padding
