"""Events: each once, in the order of their times, nested stacks found through their parents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.deploy.cloudformation import (
    NETWORK_ID,
    ROOT_ID,
    START,
    FakeCloudFormation,
    described,
    event,
    of_nested,
    of_stack,
)
from trainworks.deploy.events import EventStream, StackEvent, merge_events

_EVENTS = st.lists(st.integers(0, 30), max_size=30).map(
    lambda drawn: [event(f"e{number}", "CREATE_COMPLETE", seconds=number % 7) for number in drawn]
)


def _ids(events: list[StackEvent]) -> list[str]:
    return [found.event_id for found in events]


@given(st.lists(_EVENTS, max_size=5))
def test_merged_events_are_unique_complete_and_in_order(batches: list[list[StackEvent]]) -> None:
    merged = merge_events(*batches)
    assert len(set(_ids(merged))) == len(merged)
    assert set(_ids(merged)) == {found.event_id for batch in batches for found in batch}
    assert [found.timestamp for found in merged] == sorted(found.timestamp for found in merged)


@given(_EVENTS, _EVENTS)
def test_merging_again_changes_nothing(one: list[StackEvent], other: list[StackEvent]) -> None:
    merged = merge_events(one, other)
    assert merge_events(merged, one, other) == merged
    assert merge_events(merge_events(one), merge_events(other)) == merged


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_a_stream_reads_every_event_once_however_it_arrives(batch_sizes: list[int]) -> None:
    root: list[dict[str, Any]] = [of_stack("before", "CREATE_COMPLETE", seconds=-10)]
    client = FakeCloudFormation({ROOT_ID: root})
    stream = EventStream.at_end(client, ROOT_ID)  # type: ignore[arg-type]
    seen: list[str] = []
    written: list[str] = []
    for batch, size in enumerate(batch_sizes):
        for index in range(size):
            written.append(f"e{batch}.{index}")
            root.append(described(written[-1], "UPDATE_COMPLETE", seconds=batch))
        seen += _ids(stream.poll())
    assert seen == written


def test_nested_events_are_read_from_when_the_parent_names_the_stack() -> None:
    client = FakeCloudFormation(
        {
            ROOT_ID: [of_stack("r1", "CREATE_IN_PROGRESS"), of_nested("r2", "CREATE_IN_PROGRESS", seconds=1)],
            NETWORK_ID: [described("n1", "CREATE_IN_PROGRESS", stack_id=NETWORK_ID, seconds=2)],
        }
    )
    stream = EventStream(client, ROOT_ID)  # type: ignore[arg-type]
    assert _ids(stream.poll()) == ["r1", "r2", "n1"]
    client.events[NETWORK_ID].append(described("n2", "CREATE_COMPLETE", stack_id=NETWORK_ID, seconds=3))
    client.events[ROOT_ID].append(of_nested("r3", "CREATE_COMPLETE", seconds=4))
    assert _ids(stream.poll()) == ["n2", "r3"]


def test_a_finished_nested_stack_is_not_read_again() -> None:
    client = FakeCloudFormation({ROOT_ID: [of_nested("r1", "CREATE_COMPLETE")], NETWORK_ID: []})
    stream = EventStream(client, ROOT_ID)  # type: ignore[arg-type]
    stream.poll()
    client.events_read.clear()
    stream.poll()
    assert client.events_read == [ROOT_ID]


def test_events_of_an_earlier_operation_of_a_nested_stack_are_left_out() -> None:
    client = FakeCloudFormation(
        {
            ROOT_ID: [
                of_stack("r1", "UPDATE_IN_PROGRESS", seconds=100),
                of_nested("r2", "UPDATE_IN_PROGRESS", seconds=101),
            ],
            NETWORK_ID: [
                described("old", "CREATE_COMPLETE", stack_id=NETWORK_ID, seconds=5),
                described("new", "UPDATE_COMPLETE", stack_id=NETWORK_ID, seconds=102),
            ],
        }
    )
    assert _ids(EventStream(client, ROOT_ID).poll()) == ["r1", "r2", "new"]  # type: ignore[arg-type]


def test_attaching_starts_where_the_running_operation_started() -> None:
    client = FakeCloudFormation(
        {
            ROOT_ID: [
                of_stack("r1", "CREATE_IN_PROGRESS", seconds=0),
                of_stack("r2", "CREATE_COMPLETE", seconds=9),
                of_stack("r3", "UPDATE_IN_PROGRESS", seconds=20),
                described("r4", "UPDATE_FAILED", seconds=21),
                of_stack("r5", "UPDATE_ROLLBACK_IN_PROGRESS", seconds=22),
            ]
        }
    )
    stream = EventStream.of_running_operation(client, ROOT_ID)  # type: ignore[arg-type]
    assert _ids(stream.poll()) == ["r3", "r4", "r5"]
    assert stream.floor == START + timedelta(seconds=20)
