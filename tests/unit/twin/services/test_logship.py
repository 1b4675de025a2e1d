"""Log files become log events: whole lines, in order, none lost, none of them twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.twin.services.fakes import CALLER, FakeLogs
from trainworks.twin.in_hand import InHand
from trainworks.twin.ports import OutputLines
from trainworks.twin.services.logship import MAX_EVENT_BYTES, LogShipper, LogSource, cut_lines
from trainworks.twin.store import Database


class Shipping:
    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.file = folder / "log"
        self.database = Database(folder / "twin.db")
        self.logs = FakeLogs()
        self.shipper = self.restart()

    def restart(self) -> LogShipper:
        return LogShipper(self.database, self.logs, clock=lambda: self.now)

    def follow(self, *names: str) -> None:
        """Follow `log` as task t, or files of these names as tasks of these names."""
        sources = [LogSource(name, self.file.with_name(name), "group", name, CALLER) for name in names]
        with self.database.transaction() as tx:
            self.shipper.follow(tx, sources or [LogSource("t", self.file, "group", "stream", CALLER)])

    def finish(self) -> None:
        with self.database.transaction() as tx:
            self.shipper.finish(tx, {"t": ""})

    def write(self, text: str) -> None:
        with self.file.open("a") as file:
            file.write(text)

    @property
    def messages(self) -> list[str]:
        return self.logs.lines.get(("group", "stream"), [])


@pytest.fixture
def shipping(tmp_path: Path) -> Shipping:
    return Shipping(tmp_path)


def test_lines_arrive_as_they_are_written(shipping: Shipping) -> None:
    shipping.follow()
    shipping.shipper.ship()
    assert shipping.messages == []
    shipping.write("one\ntwo\nthr")
    shipping.shipper.ship()
    assert shipping.messages == ["one", "two"]
    shipping.write("ee\n\n")
    shipping.shipper.ship()
    assert shipping.messages == ["one", "two", "three", " "]
    assert shipping.logs.callers[0] == CALLER


def test_an_unfinished_line_is_shown_after_a_second_and_at_the_end(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("progress 10%")
    shipping.shipper.ship()
    assert shipping.messages == []
    shipping.now += 1.0
    shipping.shipper.ship()
    assert shipping.messages == ["progress 10%"]
    shipping.write("last")
    shipping.finish()
    assert shipping.shipper.ship() == 0
    assert shipping.messages == ["progress 10%", "last"]
    assert shipping.shipper.is_shipped("t")


def test_a_restart_goes_on_behind_what_was_shipped(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("one\n")
    shipping.shipper.ship()
    shipping.write("two\n")
    again = shipping.restart()
    assert not again.is_shipped("t")
    again.ship()
    assert shipping.messages == ["one", "two"]


class Owner:
    """A service that has jobs: what it was told of their ends, and what was in Logs at that moment."""

    def __init__(self, shipping: Shipping, shipper: LogShipper) -> None:
        self.told: list[tuple[dict[str, str], list[str]]] = []
        shipper.on_arrival("", lambda tx, notes: self.told.append((dict(notes), list(shipping.messages))))


def test_the_owner_gets_its_note_when_the_last_line_is_in_logs(shipping: Shipping) -> None:
    owner = Owner(shipping, shipping.shipper)
    shipping.follow()
    shipping.write("one\nlast")
    shipping.shipper.ship()
    assert not owner.told
    with shipping.database.transaction() as tx:
        assert shipping.shipper.finish(tx, ["t", "silent"], {"t": "exit code 3"}.__getitem__) == ["silent"]
    assert not shipping.shipper.is_shipped("t")
    shipping.shipper.ship()
    assert owner.told == [({"t": "exit code 3"}, ["one", "last"])]


def test_a_note_survives_a_restart_and_is_given_once(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("one\n")
    shipping.finish()
    again = shipping.restart()
    owner = Owner(shipping, again)
    again.ship()
    again.ship()
    assert owner.told == [({"t": ""}, ["one"])]


def test_output_that_logs_refuses_holds_up_no_end(shipping: Shipping) -> None:
    owner = Owner(shipping, shipping.shipper)
    shipping.logs.denied.add("group")
    shipping.follow()
    shipping.write("one\n")
    shipping.finish()
    shipping.shipper.ship()
    assert owner.told == [({"t": ""}, [])]


def test_an_end_waits_ten_minutes_for_logs_and_no_longer(
    shipping: Shipping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner(shipping, shipping.shipper)
    monkeypatch.setattr("trainworks.twin.services.logship._ROUND_BYTES", 64 * 1024)
    shipping.follow()
    shipping.write("x" * 99 + "\n")
    shipping.shipper.ship()
    shipping.write(("x" * 99 + "\n") * 10_000)
    shipping.finish()
    shipping.shipper._round()
    shipping.now += 599
    shipping.shipper._round()
    assert not owner.told
    shipping.now += 1
    shipping.shipper._round()
    assert [notes for notes, _ in owner.told] == [{"t": ""}]
    assert shipping.shipper.is_shipped("t")
    assert "t ends before all of its output is in group" in caplog.text
    shipping.shipper.ship()
    assert len(shipping.messages) == 10_001
    assert len(owner.told) == 1


def test_a_home_of_before_there_were_notes_is_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "twin.db")
    database.apply(
        "CREATE TABLE log_shipment (seq INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL UNIQUE, path TEXT NOT "
        "NULL, log_group TEXT NOT NULL, log_stream TEXT NOT NULL, caller TEXT, offset INTEGER NOT NULL DEFAULT 0, "
        "finished INTEGER NOT NULL DEFAULT 0)"
    )
    shipping = Shipping(tmp_path)
    shipping.follow()
    shipping.write("one\n")
    shipping.finish()
    assert shipping.shipper.ship() == 0
    assert shipping.messages == ["one"]


def test_a_principal_without_permission_gets_no_logs_and_a_warning(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.logs.denied.add("group")
    shipping.follow()
    shipping.write("one\n")
    assert shipping.shipper.ship() == 0
    assert shipping.messages == []
    assert "may not logs:PutLogEvents" in caplog.text


def test_a_task_that_printed_nothing_has_ended_without_a_round(shipping: Shipping) -> None:
    shipping.follow("silent", "empty", "loud")
    shipping.file.with_name("empty").touch()
    shipping.file.with_name("loud").write_text("a line\n")
    with shipping.database.transaction() as tx:
        silent = shipping.shipper.finish(tx, dict.fromkeys(("silent", "empty", "loud", "unknown"), "note"))
    assert sorted(silent) == ["empty", "silent", "unknown"]
    assert shipping.shipper.is_shipped("silent")
    assert not shipping.shipper.is_shipped("loud")
    assert shipping.shipper.ship() == 0
    assert shipping.logs.lines[("group", "loud")] == ["a line"]


def test_a_task_without_a_log_file_is_done_with_at_its_end(shipping: Shipping) -> None:
    shipping.follow()
    shipping.finish()
    assert shipping.shipper.ship() == 0


def test_a_long_line_becomes_several_events(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("x" * (MAX_EVENT_BYTES * 2 + 10) + "\n")
    shipping.finish()
    shipping.shipper.ship()
    assert [len(message) for message in shipping.messages] == [MAX_EVENT_BYTES, MAX_EVENT_BYTES, 10]


def test_a_flood_delays_no_other_log_and_is_never_in_memory_as_a_whole(shipping: Shipping) -> None:
    names = ["flood", *(f"quiet-{number}" for number in range(100))]
    shipping.follow(*names)
    for name in names:
        shipping.file.with_name(name).write_bytes(b"x" * 99 + b"\n")
    with shipping.file.with_name("flood").open("ab") as file:
        file.write((b"y" * 99 + b"\n") * 300_000)
    for _ in range(3):
        shipping.shipper._round()
    assert all(shipping.logs.lines[("group", name)] == ["x" * 99] for name in names[1:])
    assert len(shipping.logs.lines[("group", "flood")]) < 300_001
    shipping.shipper.ship()
    assert len(shipping.logs.lines[("group", "flood")]) == 300_001
    assert shipping.logs.largest_round <= 5 * 1024 * 1024


def test_lines_that_logs_has_are_not_there_twice_after_a_death_before_the_offset(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("one\n")
    shipping.logs.put_output([OutputLines("t", CALLER, "group", "stream", b"one", 1, 4)])
    shipping.write("two\n")
    shipping.shipper.ship()
    assert shipping.messages.count("one") == 1


def test_what_ends_the_server_again_and_again_is_no_longer_looked_at(tmp_path: Path) -> None:
    database, logs, seen = Database(tmp_path / "twin.db"), FakeLogs(), []

    class Death(BaseException):
        pass

    def observer(task_id: str, lines: object, timestamp_ms: int) -> None:
        seen.append(task_id)
        if task_id == "bad":
            raise Death

    (tmp_path / "bad").write_text("poison\n")
    (tmp_path / "good").write_text("fine\n")
    for run in range(5):
        shipper = LogShipper(database, logs, in_hand=_DyingInHand(tmp_path / "in-hand"))
        shipper.observe("", observer)
        if run == 0:
            with database.transaction() as tx:
                shipper.follow(tx, [LogSource(name, tmp_path / name, "group", name) for name in ("bad", "good")])
        try:
            shipper.ship()
        except Death:
            continue
    assert seen == ["bad", "bad", "bad", "good"]
    assert logs.lines[("group", "bad")][0] == "poison"
    assert "no metrics are read from this log any more" in logs.lines[("group", "bad")][1]


_held: list[object] = []


class _DyingInHand(InHand):
    """Leaves behind what a killed process leaves: the file of what was in hand."""

    @contextmanager
    def hold(self, item: str) -> Iterator[bool]:
        holding = super().hold(item)
        _held.append(holding)  # never closed: its file stays
        yield holding.__enter__()
        holding.__exit__(None, None, None)


@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line and not line.endswith(b"\r")), max_size=30),
    st.binary(max_size=5).filter(lambda line: b"\n" not in line and b"\r" not in line),
    st.booleans(),
)
def test_cutting_keeps_every_line(lines: list[bytes], rest: bytes, take_partial: bool) -> None:
    data = b"".join(line + b"\n" for line in lines) + rest
    body, count, taken = cut_lines(data, take_partial=take_partial)
    expected = [*lines, *([rest] if take_partial and rest else [])]
    assert taken == (len(data) if take_partial else len(data) - len(rest))
    assert count == len(expected)
    assert (body.decode().split("\n") if count else []) == [line.decode("utf-8", "replace") for line in expected]


@pytest.mark.parametrize("data", [b"\xff" * 700_000, "é".encode() * 400_000, b"a\0b" * 300_000])
def test_a_line_of_any_length_and_bytes_arrives_in_parts(shipping: Shipping, data: bytes) -> None:
    shipping.follow()
    shipping.file.write_bytes(data)
    shipping.finish()
    shipping.shipper.ship()
    assert "".join(shipping.messages) == data.decode("utf-8", "replace")


def test_ten_thousand_empty_lines_are_a_part(shipping: Shipping) -> None:
    shipping.follow()
    shipping.write("\n" * 25_000 + "end\n")
    shipping.shipper.ship()
    assert len(shipping.messages) == 25_001
    assert shipping.messages[-1] == "end"
