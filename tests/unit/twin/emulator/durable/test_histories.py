"""Histories: what is taken out stays out, whatever of it is on its way to the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import until
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.histories import Histories, History
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home

Flush = Callable[[], object]


@pytest.fixture
def persistence(tmp_path: Path) -> Iterator[Persistence]:
    home = Home(tmp_path / "home")
    home.prepare()
    opened = Persistence(home, StateLoop())
    yield opened
    opened.close()


def one_that_is_sent(history: History, send: Flush) -> None:
    number = history.append("owner", "new")
    send()
    history.remove(number)


def one_that_is_replaced(history: History, send: Flush) -> None:
    ((number, _),) = history.page("owner", 1)
    history.replace(number, "owner", "new")
    send()
    history.remove(number)


def all_that_are_sent(history: History, send: Flush) -> None:
    history.append("owner", "new")
    send()
    history.remove_all("owner")


def all_while_all_before_go(history: History, send: Flush) -> None:
    history.remove_all("owner")
    send()
    history.append("owner", "new")
    send()
    history.remove_all("owner")


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        (one_that_is_sent, ["old"]),
        (one_that_is_replaced, []),
        (all_that_are_sent, []),
        (all_while_all_before_go, []),
    ],
)
def test_what_is_removed_while_it_is_written_stays_removed(
    persistence: Persistence, remove: Callable[[History, Flush], None], left: list[str]
) -> None:
    histories = Histories(persistence.database, persistence.journal)
    history = histories.open("things")
    history.append("owner", "old")
    persistence.flush()
    with persistence.database.transaction():  # so that what is sent waits
        remove(history, persistence._enqueue)
    until(lambda: not history.under_way, "what was sent is written")
    assert [each for _, each in history.all("owner")] == left
    persistence.flush()
    until(lambda: not history.under_way and not history.written, "nothing is left to be written")
    assert [each for _, each in history.all("owner")] == left
    assert history.count("owner") == len(left)
    again = Histories(persistence.database, persistence.journal).open("things")
    assert [each for _, each in again.all("owner")] == left
