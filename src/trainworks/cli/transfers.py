"""How far a transfer is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trainworks.cli.output import Output, stderr
from trainworks.cli.steps import can_move
from trainworks.jobs.artifacts import Tell, silent
from trainworks.jobs.ignore import OWN_FILE
from trainworks.jobs.source import SourceBundle, UploadListener

_MOST_NAMED = 5
_MOST_NAME = 24
_WORTH_A_BAR_BYTES = 1024**2
_MUCH_CODE_BYTES = 50 * 1024**2


@contextmanager
def transfer_bars(output: Output) -> Iterator[Tell]:
    """Yields a function that shows each transfer as a bar on standard error; small ones are not shown."""
    if output is Output.JSON or not can_move():
        yield silent
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    progress = Progress(*columns, console=stderr(), transient=True)
    bars: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if total < _WORTH_A_BAR_BYTES:
            return
        if not bars:
            progress.start()
        if what not in bars:
            bars[what] = progress.add_task(_short(what), total=total)
        progress.update(bars[what], completed=done)

    try:
        yield tell
    finally:
        if bars:
            progress.stop()


def _short(what: str) -> str:
    """The end of a URI or path: its beginning would take the room of the bar."""
    name = what.rstrip("/").rpartition("/")[2]
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 3]}..."


@contextmanager
def on_the_way(output: Output) -> Iterator[UploadListener]:
    """Yields a listener that shows on standard error what was packed and how far it is, and warns of much code."""
    shows = output is Output.TEXT and sys.stderr.isatty()

    def packed(bundle: SourceBundle) -> None:
        if shows:
            stderr().print(packed_line(bundle), style="dim")
        if bundle.bytes > _MUCH_CODE_BYTES:
            note = f"the code has {shown_bytes(bundle.bytes)}: give data as an input, or name it in {OWN_FILE}"
            stderr().print(f"warning: {note}", style="yellow", soft_wrap=True)

    with transfer_bars(output) as tell:
        yield UploadListener(packed, tell)


def packed_line(bundle: SourceBundle) -> str:
    """`code: 14 files, 32.1 KiB; left out: data/ (data/ in .gitignore)`."""
    line = f"code: {shown_files(bundle.files)}, {shown_bytes(bundle.bytes)}"
    if not bundle.left_out:
        return line
    return f"{line}; left out: {shown_names([f'{each.path} ({each.pattern})' for each in bundle.left_out])}"


def shown_names(names: Sequence[str]) -> str:
    """`a, b`, each on one line; of many the first five, and how many more there are."""
    from trainworks.cli.records import one_line

    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(map(one_line, names[:_MOST_NAMED]))}{more}"


def shown_files(count: int) -> str:
    """`1 file`, `14 files`."""
    return f"{count} file{'' if count == 1 else 's'}"


def shown_bytes(count: int) -> str:
    """`206.1 MiB`."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, _ = size / 1024, units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
