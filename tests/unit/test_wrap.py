"""The folding of Markdown: nothing that is read changes."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

PAGES = Path(__file__).resolve().parents[2] / "pages"

WORDS = st.lists(
    st.sampled_from(["a", "word", "12.", "-", "+", "#", "**bold**", "`code of two`", "[a link](to/it.md)", "x" * 60]),
    min_size=1,
    max_size=60,
)
BLOCKS = st.one_of(
    WORDS.map(lambda words: "said " + " ".join(words)),
    WORDS.map(lambda words: "- said " + " ".join(words)),
    WORDS.map(lambda words: "1. said " + " ".join(words) + "\n2. and"),
    WORDS.map(lambda words: "- said\n  " + "said " + " ".join(words)),
    WORDS.map(lambda words: "```text\n" + " ".join(words) * 3 + "\n```"),
    WORDS.map(lambda words: "| a | b |\n|---|---|\n| " + " ".join(words) + " | c |"),
    WORDS.map(lambda words: "# " + " ".join(words)),
    st.just("    code " + "of four spaces " * 12),
    st.just("ends hard  \nand goes on " + "here " * 40),
)


@pytest.fixture(scope="module")
def wrap() -> Iterator[Any]:
    sys.path.insert(0, str(PAGES))
    yield importlib.import_module("wrap")
    sys.path.remove(str(PAGES))


def rendered(text: str) -> str:
    """HTML, in which a line break is a space outside of code."""
    html: str = MarkdownIt("commonmark").enable("table").render(text)
    return "".join(part if part.startswith("<pre>") else re.sub(r"\s+", " ", part) for part in _PRE.split(html))


_PRE = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)


@given(blocks=st.lists(BLOCKS, min_size=1, max_size=4))
def test_what_is_folded_reads_the_same_and_is_folded_once(wrap: Any, blocks: list[str]) -> None:
    text = "\n\n".join(blocks) + "\n"
    folded = wrap.wrapped(text)
    assert rendered(folded) == rendered(text)
    assert wrap.wrapped(folded) == folded


def test_prose_is_folded_at_one_width_and_tables_and_code_are_left(wrap: Any, capsys: Any, tmp_path: Path) -> None:
    prose, wide = "word " * 60, "x " * 100
    path = tmp_path / "page.md"
    path.write_text(f"{prose}\n\n- {prose}\n\n| {wide} |\n\n```\n{wide}\n```\n")
    assert wrap.main([str(path), "--check"]) == 1
    assert "is not folded at 120" in capsys.readouterr().out
    assert wrap.main([str(path)]) == 0
    lines = path.read_text().splitlines()
    assert max(len(line) for line in lines if "word" in line) in range(110, 121)
    assert {len(line) for line in lines if "x x" in line} == {len(wide), len(wide) + 4}
    assert wrap.main([str(path), "--check"]) == 0


def test_every_page_is_folded_at_that_width(wrap: Any) -> None:
    pages = wrap.all_pages()
    assert {"README.md", "CONTRIBUTING.md", "index.md", "cli.md"} <= {path.name for path in pages}
    wrong = [
        str(path)
        for path in pages
        if wrap.wrapped(path.read_text(encoding="utf-8")) != path.read_text(encoding="utf-8")
    ]
    assert not wrong, f"fix: python3 dev.py docs, which folds {wrong}"


def test_what_was_folded_narrower_is_folded_again(wrap: Any) -> None:
    narrow = "\n".join(["word " * 8] * 30)
    assert {len(line) for line in wrap.wrapped(narrow).splitlines()[:-1]} == {119}
