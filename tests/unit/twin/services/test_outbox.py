"""Events leave in order, once, and survive a fault of the bus."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.unit.twin.services.fakes import FakeControlPlane
from trainworks.twin.services import outbox as module
from trainworks.twin.services.outbox import Event, Outbox
from trainworks.twin.store import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "twin.db")


def put(database: Database, box: Outbox, *names: str) -> None:
    with database.transaction() as tx:
        box.put(tx, [Event("aws.batch", "Test", {"name": name}) for name in names])


def test_events_are_published_in_order_and_forgotten(database: Database) -> None:
    plane = FakeControlPlane()
    box = Outbox(database, plane)
    put(database, box, "a", "b")
    assert box.drain() == 2
    assert box.drain() == 0
    assert [detail["name"] for _, _, detail in plane.events] == ["a", "b"]


def test_an_event_of_an_undone_transaction_is_never_published(database: Database) -> None:
    box = Outbox(database, FakeControlPlane())
    with pytest.raises(RuntimeError), database.transaction() as tx:
        box.put(tx, [Event("aws.batch", "Test", {})])
        raise RuntimeError
    assert box.drain() == 0


def test_events_that_an_earlier_run_left_are_published_at_start(database: Database) -> None:
    put(database, Outbox(database, FakeControlPlane()), "left")
    plane = FakeControlPlane()
    box = Outbox(database, plane)
    box.start()
    put(database, box, "new")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(plane.events) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    box.stop()
    assert [detail["name"] for _, _, detail in plane.events] == ["left", "new"]


def test_a_fault_of_the_bus_delays_events_and_loses_none(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    plane = FakeControlPlane(broken_events=1)
    box = Outbox(database, plane)
    put(database, box, "a", "b")
    assert box.drain() == 2
    assert [detail["name"] for _, _, detail in plane.events] == ["a", "b"]
    assert "could not be published" in caplog.text


def test_an_event_that_can_never_be_published_does_not_hold_up_the_rest(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    plane = FakeControlPlane(broken_events=module.MAX_FAILURES)
    box = Outbox(database, plane, retry_seconds=0.001)
    put(database, box, "bad", "good")
    box.drain()
    assert [detail["name"] for _, _, detail in plane.events] == ["good"]
    assert "given up" in caplog.text
