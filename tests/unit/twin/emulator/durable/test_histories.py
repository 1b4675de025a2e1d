"""Histories: what is taken out stays out, whatever of it is on its way to the disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.patience import until
from trainworks.twin.emulator.durable.change_tracking import TouchedDict
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.histories import Histories, History, OldEntry
from trainworks.twin.emulator.durable.record_histories import RecordHistories
from trainworks.twin.emulator.events.archives import forget_archived
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


@pytest.mark.parametrize("flushed", [True, False])
def test_archives_let_go_of_what_is_older_than_they_keep_it(persistence: Persistence, flushed: bool) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    def clock() -> float:
        return now.timestamp()

    histories = Histories(persistence.database, persistence.tracker, clock)
    archives = TouchedDict(persistence.tracker, "eventbridge._archives")
    RecordHistories(histories, "archived", "Events", lambda _, __: 0.0).keep(archives)
    for name, days in (("day", 1), ("ever", 0), ("week", 7)):
        archives[name] = {"RetentionDays": days, "EventCount": 5}

    def archived() -> dict[str, list[str]]:
        return {name: list(archives[name]["Events"]) for name in archives.held()}

    for text in ("a", "b", "c"):
        for name in archives.held():
            archives[name]["Events"].append(text)
    now += timedelta(days=2)
    for name in archives.held():
        archives[name]["Events"].append("d")
        archives[name]["Events"].append("e")
    if flushed:
        persistence.flush()
    assert not forget_archived(archives, now)
    for _ in range(2):
        assert archived() == {"day": ["d", "e"], "ever": [*"abcde"], "week": [*"abcde"]}
        assert [archives[name]["EventCount"] for name in archives.held()] == [2, 5, 5]
        assert [len(archives[name]["Events"]) for name in archives.held()] == [2, 5, 5]
        persistence.flush()
    del archives["ever"]
    persistence.flush()
    left = persistence.database.read("SELECT value FROM emulator_histories ORDER BY number")
    assert [pickle.loads(row["value"]) for row in left] == [*"abcdede"]
    assert {key: record["EventCount"] for key, record in persistence.stored("eventbridge._archives")} == {
        "day": 2, "week": 5,
    }  # fmt: skip


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
    histories = Histories(persistence.database, persistence.tracker)
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
    again = Histories(persistence.database, persistence.tracker).open("things")
    assert [each for _, each in again.all("owner")] == left


def test_what_is_brought_in_is_never_replaced_by_what_comes(persistence: Persistence) -> None:
    """An entry of an earlier version may be of a time that is still to come, where the clock was set back."""
    now = 1_000.0
    histories = Histories(persistence.database, persistence.tracker, clock=lambda: now)
    history = histories.open("h")
    old = [OldEntry("owner", "", text, now + 5.0) for text in ("first", "second")]
    history.bring_in(old, {})
    last = history.page("owner", 10)[-1][0]
    assert history.append("owner", "new") > last
    now = 1_005.0  # the moment of the earlier ones
    history.append("owner", "newer")
    assert [value for _, value in history.page("owner", 10)] == ["first", "second", "new", "newer"]
