"""How far a transfer is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trainworks.cli.output import Output, stderr
from trainworks.jobs.artifacts import Tell, silent


@contextmanager
def transfer_bars(output: Output) -> Iterator[Tell]:
    """Yields what shows transfers, one bar each, on standard error."""
    if output is Output.JSON or not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=stderr(), transient=True) as progress:
        bars = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done)

        yield tell


def shown_bytes(count: int) -> str:
    """`206.1 MiB`."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, _ = size / 1024, units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
