from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.compute.channel import ChannelClosed, pair
from trainworks.twin.compute.journal import JournalReader, JournalWriter

_TEXT = st.text(max_size=20)
_MESSAGES = st.lists(st.dictionaries(_TEXT, st.one_of(_TEXT, st.integers(), st.none())), max_size=8)


def test_what_was_appended_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer, reader = JournalWriter(path), JournalReader(path)
    assert reader.read() == ([], 0)
    writer.append([{"t": "one"}, {"t": "two"}])
    entries, reader.offset = reader.read()
    assert [entry["t"] for entry in entries] == ["one", "two"]
    assert reader.offset == writer.size
    writer.append([{"t": "line\nbreak"}])
    assert [entry["t"] for entry in reader.read()[0]] == ["line\nbreak"]


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"t":"one"}\n{"t":"tw')
    reader = JournalReader(path)
    entries, reader.offset = reader.read()
    assert [entry["t"] for entry in entries] == ["one"]
    with path.open("ab") as file:
        file.write(b'o"}\n')
    assert [entry["t"] for entry in reader.read()[0]] == ["two"]


def test_a_journal_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert JournalReader(tmp_path / "none", 7).read() == ([], 7)


@given(_MESSAGES)
def test_messages_arrive_as_sent(messages: list[dict[str, object]]) -> None:
    left, right = pair()
    left.send(*messages)
    left.close()
    received = []
    try:
        while True:
            received += right.receive()
    except ChannelClosed:
        right.close()
    assert received == messages
