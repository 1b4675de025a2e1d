"""Tables as lines: nothing that people copy is cut or broken, however narrow the terminal is."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from tests.terminal import Terminal
from trainworks.cli.console import WholeConsole
from trainworks.cli.output import facts, stdout
from trainworks.cli.records import Records

COLUMNS = ("name", "status", "message")
WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=120)
ROWS = st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=12).map(" ".join)), max_size=8)


def drawn(what: object, width: int, *, terminal: bool) -> str:
    file = Terminal() if terminal else io.StringIO()
    console = WholeConsole(file=file, is_plain=True)
    console.width = width
    console.print(what)
    return file.getvalue()


@given(rows=ROWS, width=st.integers(20, 240))
def test_on_a_terminal_each_name_and_each_word_of_prose_is_whole_in_a_line(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    said = drawn(Records(COLUMNS, rows, prose=("message",)), width, terminal=True)
    lines = said.splitlines()
    for name, status, message in rows:
        assert any(line.startswith(name) and status in line for line in lines)
        assert all(any(word in line for line in lines) for word in message.split())


@given(rows=ROWS, width=st.integers(20, 240))
def test_into_a_pipe_goes_one_record_a_line(rows: list[tuple[str, str, str]], width: int) -> None:
    said = drawn(Records(COLUMNS, rows, prose=("message",)), width, terminal=False).splitlines()
    assert len(said) == 1 + len(rows)
    for line, row in zip(said[1:], rows, strict=True):
        assert all(cell in line for cell in row)


def test_what_a_job_says_is_neither_obeyed_nor_another_line() -> None:
    hostile = "a\x1b]0;title\x07b\nc\x9b31m[/]"
    said = drawn(Group(Records(("reason",), [(hostile,)]), facts({"reason": hostile})), 80, terminal=True)
    assert len(said.splitlines()) == 3
    assert "\x1b" not in said and "\x07" not in said and "\x9b" not in said
    assert "[/]" in said


@pytest.mark.parametrize("width", [20, 60, 200])
def test_a_long_word_in_a_sentence_is_left_to_the_terminal(width: int) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/" + "x" * 60
    assert arn in drawn(Text(f"see {arn} for more"), width, terminal=True)
    assert arn in drawn(f"see {arn} for more", width, terminal=True)


def test_no_color_takes_bold_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    stdout().print(Text("styled", style="bold red"))
    assert "\x1b[" in terminal.getvalue()
    terminal.truncate(0)
    monkeypatch.setenv("NO_COLOR", "1")
    stdout().print(Text("styled", style="bold red"))
    assert "\x1b[" not in terminal.getvalue()


@given(words=st.lists(WORDS, min_size=1, max_size=30), indent=st.integers(0, 8), width=st.integers(40, 200))
def test_prose_is_folded_at_spaces_below_its_beginning(words: list[str], indent: int, width: int) -> None:
    line = " " * indent + " ".join(words)
    said = drawn(Text(line), width, terminal=True).splitlines()
    assert [word for part in said for word in part.split()] == words
    assert drawn(Text(line), width, terminal=False).splitlines() == [line]
    if re.search(r"(?:^| )(?:trainworks|aws|sudo|pip|docker|git|eval|export|python3?(?:\.\d+)?) ", line):
        return
    for number, part in enumerate(said):
        assert len(part) - len(part.lstrip(" ")) == indent + (2 if number else 0)
        assert cell_len(part) <= width or len(part.split()) == 1


def test_a_command_is_not_folded_and_styles_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    line = "  fix: find the cause: trainworks doctor a-job-with-a-long-name; all that it printed: trainworks logs a-job"
    assert drawn(Text(line), 60, terminal=True) == f"{line}\n"
    file = Terminal()
    console = WholeConsole(file=file, is_plain=False)
    console.width = 40
    console.print(Text.assemble(("why  ", "dim"), "a sentence that is ", ("bold", "bold"), " where it does not fit"))
    assert "\x1b[2mwhy  \x1b[0m" in file.getvalue() and "\x1b[1mbold\x1b[0m" in file.getvalue()


def test_a_column_in_which_there_is_nothing_is_for_programs_only() -> None:
    rows = [("a", "", "1"), ("b", "", "")]
    assert drawn(Records(("name", "size", "last"), rows), 80, terminal=True).split("\n")[0] == "name  last"
    assert drawn(Records(("name", "size", "last"), rows), 80, terminal=False).split("\n")[0] == "name  size  last"
    assert drawn(Records(("name", "size"), []), 80, terminal=True) == "name  size\n"
