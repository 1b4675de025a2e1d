"""Writers that ask at the same time share a commit, and each has its own result or error."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainworks.twin.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "test.db", "CREATE TABLE number (n INTEGER PRIMARY KEY)")
    yield opened
    opened.close()


def add(*numbers: int) -> Callable[[sqlite3.Connection], int]:
    def work(tx: sqlite3.Connection) -> int:
        for number in numbers:
            tx.execute("INSERT INTO number VALUES (?)", (number,))
        return sum(numbers)

    return work


def stored(database: Database) -> set[int]:
    return {row["n"] for row in database.read("SELECT n FROM number")}


def test_who_fails_is_undone_alone(database: Database) -> None:
    """Every third one writes a row of its own and then one that is there already."""
    database.together(add(-1))

    def write(number: int) -> int | None:
        try:
            return database.together(add(number, -1) if number % 3 == 0 else add(number))
        except sqlite3.IntegrityError:
            return None

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(write, range(300)))
    assert results == [None if number % 3 == 0 else number for number in range(300)]
    assert stored(database) == {-1, *(number for number in range(300) if number % 3)}


def test_those_who_wait_share_one_commit(database: Database) -> None:
    commits: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        with database.transaction():
            asked = [pool.submit(database.together, add(number)) for number in range(8)]
            while len(database._waiting) < 7:
                threading.Event().wait(0.001)
            database._writer.set_trace_callback(lambda text: commits.append(1) if text == "COMMIT" else None)
        assert sorted(each.result() for each in asked) == list(range(8))
    assert len(commits) == 2  # the transaction that all waited for, and theirs


def test_inside_of_a_transaction_it_is_part_of_it(database: Database) -> None:
    def both(tx: sqlite3.Connection) -> None:
        database.together(add(1))
        raise ValueError("undone together")

    with pytest.raises(ValueError, match="together"):
        database.together(both)
    with pytest.raises(ValueError, match="too"), database.transaction():
        database.together(add(2))
        raise ValueError("undone too")
    assert stored(database) == set()


def test_a_commit_that_fails_fails_all_and_the_next_works(database: Database) -> None:
    def broken(tx: sqlite3.Connection) -> None:
        tx.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        database.together(broken)
    assert database.together(add(5)) == 5
