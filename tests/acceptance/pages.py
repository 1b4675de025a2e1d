"""What the pages show in blocks, and which of it a test runs: `<!-- tested -->` above a block of commands, or
`<!-- tested: NAME -->` above the text of a file. A block may stand inside a list item."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^([ ]*)```([a-z]+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TESTED = re.compile(r"^([ ]*)<!-- tested -->\n\1```sh\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^([ ]*)<!-- tested: ([a-z_.]+) -->\n\1```[a-z]+\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """All blocks of these languages, without the indent of a list item."""
    for _, language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield textwrap.dedent(text)


def commands_of(page: Path) -> list[str]:
    """The blocks of commands that are run."""
    return [textwrap.dedent(text) for _, text in _TESTED.findall(page.read_text(encoding="utf-8"))]


def files_of(page: Path) -> dict[str, str]:
    """The files that the page shows whole, by name."""
    return {name: textwrap.dedent(text) for _, name, text in _FILE.findall(page.read_text(encoding="utf-8"))}


def write_files(page: Path, folder: Path) -> None:
    """Put the files that the page shows whole into a folder, as its reader does."""
    for name, text in files_of(page).items():
        (folder / name).write_text(text)
