"""Log files become log events: whole lines, in order, none lost, none of them twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.twin.services.fakes import CALLER, FakeControlPlane
from trainworks.twin.services.logship import MAX_EVENT_BYTES, LogShipper, LogSource, split_lines
from trainworks.twin.store import Database


class Shipping:
    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.file = folder / "log"
        self.database = Database(folder / "twin.db")
        self.plane = FakeControlPlane()
        self.shipper = self.restart()

    def restart(self) -> LogShipper:
        return LogShipper(self.database, self.plane, clock=lambda: self.now)

    def follow(self) -> None:
        with self.database.transaction() as tx:
            self.shipper.follow(tx, [LogSource("t", self.file, "group", "stream", CALLER)])

    def finish(self) -> None:
        with self.database.transaction() as tx:
            self.shipper.finish(tx, ["t"])

    def write(self, text: str) -> None:
        with self.file.open("a") as file:
            file.write(text)

    @property
    def messages(self) -> list[str]:
        return self.plane.logs.get(("group", "stream"), [])


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
    assert shipping.plane.log_callers[0] == CALLER


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


def test_a_principal_without_permission_gets_no_logs_and_a_warning(
    shipping: Shipping, caplog: pytest.LogCaptureFixture
) -> None:
    shipping.plane.denied.append(("logs:PutLogEvents", "group"))
    shipping.follow()
    shipping.write("one\n")
    assert shipping.shipper.ship() == 0
    assert shipping.messages == []
    assert "may not logs:PutLogEvents" in caplog.text


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


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)), max_size=20)), st.booleans()
)
def test_splitting_keeps_every_line(lines: list[str], take_partial: bool) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    messages, length = split_lines(data, take_partial=take_partial)
    assert length == len(data)
    assert messages == [line or " " for line in lines]
