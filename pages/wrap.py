"""Fold the prose of Markdown files at one width: `python pages/wrap.py FILE ...`; with `--check` nothing is written.

`python3 dev.py docs` folds all pages of this repository.

Paragraphs, list items and quotes are folded at spaces. Headings, tables, code, HTML, directives, lines that end in a
hard break and whatever is wider than the width by itself stay as they are. Folding what is folded changes nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

WIDTH = 120
ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = ("docs", "examples", "benchmarks", "drill", "pages", "tests")

_FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})")
_ITEM = re.compile(r"(?P<indent>\s*)(?P<mark>[-*+]|\d+[.)])(?P<gap>\s+)")
_AS_IT_IS = re.compile(r"\s*(#|\||<|!\[|\[[^\]]+\]:|-{3,}\s*$|={3,}\s*$|\(.*\)=\s*$)")
_BREAK = re.compile(r"(  |\\)$")
_PIECE = re.compile(r"!?\[[^\]]*\]\([^)\s]*\)\S*|`[^`]*`\S*|\S+")
_BEGINS_A_BLOCK = re.compile(r"([-*+]|\d+[.)]|#+|-{3,}|={2,})$|[>|]|:{3}|`{3}|~{3}|<")


def wrapped(text: str) -> str:
    """The same Markdown, its prose folded."""
    return "\n".join(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    block: list[str] = []
    fence = ""
    for line in lines:
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and line.strip() == opened[1]:
                fence = ""
            yield line
            continue
        if opened or not line.strip() or _AS_IT_IS.match(line) or _is_code(line, block):
            yield from _folded(block)
            block = []
            fence = opened[1] if opened else ""
            yield line
            continue
        if _ITEM.match(line) or line.lstrip().startswith(">"):
            yield from _folded(block)
            block = []
        block.append(line)
        if _BREAK.search(line):
            yield from _folded(block)
            block = []
    yield from _folded(block)


def _is_code(line: str, block: list[str]) -> bool:
    """Whether four spaces make it code: not where they go on with a list item."""
    return not block and line.startswith("    ") and not _ITEM.match(line)


def _folded(block: list[str]) -> Iterator[str]:
    """One paragraph or list item. `  ` at its end, a hard break, stays."""
    if not block:
        return
    item = _ITEM.match(block[0])
    first = item.group() if item else block[0][: len(block[0]) - len(block[0].lstrip())]
    rest = " " * len(first)
    end = _BREAK.search(block[-1])
    words = _PIECE.findall(" ".join([block[0][len(first) :], *(line.strip() for line in block[1:])]))
    line = first
    is_empty = True
    for word in words:
        # A line must not begin with what would begin a block of another kind.
        if not is_empty and len(line) + 1 + len(word) > WIDTH and not _BEGINS_A_BLOCK.match(word):
            yield line
            line, is_empty = rest, True
        line += word if is_empty else f" {word}"
        is_empty = False
    yield line + (end[1] if end and end[1].isspace() else "")


def all_pages() -> list[Path]:
    """Every Markdown file that people write or read here, generated ones included."""
    return sorted([*ROOT.glob("*.md"), *(page for folder in _FOLDERS for page in (ROOT / folder).rglob("*.md"))])


def main(arguments: list[str]) -> int:
    wrong = []
    for path in map(Path, [each for each in arguments if each != "--check"]):
        text = path.read_text(encoding="utf-8")
        if wrapped(text) == text:
            continue
        wrong.append(path)
        if "--check" not in arguments:
            path.write_text(wrapped(text), encoding="utf-8")
    for path in wrong:
        sys.stdout.write(f"{path} {'is not folded' if '--check' in arguments else 'is folded'} at {WIDTH}\n")
    return 1 if wrong and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
