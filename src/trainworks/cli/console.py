"""A console that leaves whole what people copy."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console


class WholeConsole(Console):
    """Lines wider than the terminal are left to it: prose is folded at spaces, no word is broken and nothing is cut.

    Into a pipe no line is folded at all. `is_plain`: neither colours nor bold.
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
