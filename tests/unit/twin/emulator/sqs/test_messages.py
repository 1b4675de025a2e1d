"""`Messages` gives what a plain list gives that is looked at from its beginning, and leaves nothing behind."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker
from trainworks.twin.emulator.sqs.keyed_heap import _SPARE, KeyedHeap
from trainworks.twin.emulator.sqs.messages import Message, Messages

RETENTION = 100
SECONDS = st.sampled_from([0, 1, 5, 30])


def nothing_lacks(message: Message) -> None:
    pass


class PlainList:
    """What a queue gives, by a look at every message."""

    def __init__(self, fifo: bool) -> None:
        self.fifo = fifo
        self.messages: list[Message] = []

    def receive(self, most: int, now: float) -> list[Message]:
        closed = {
            m["group_id"] for m in self.messages if m["visible_at"] > now and m["receive_count"] and m["group_id"]
        }
        visible = [m for m in self.messages if m["visible_at"] <= now]
        return [m for m in visible if not self.fifo or m["group_id"] not in closed][:most]

    def counts(self, now: float) -> tuple[int, int, int]:
        hidden = [m for m in self.messages if m["visible_at"] > now]
        in_flight = sum(m["receive_count"] > 0 for m in hidden)
        return len(self.messages) - len(hidden), in_flight, len(hidden) - in_flight

    def take(self, taken: list[Message]) -> None:
        self.messages = [m for m in self.messages if m not in taken]


class Queue(RuleBasedStateMachine):
    """Both do the same, message by message. The plain list's messages are copies, as rows on disk are."""

    handles: Bundle[str] = Bundle("handles")

    @initialize(fifo=st.booleans())
    def start(self, fifo: bool) -> None:
        self.now = 1000.0
        self.sent = 0
        self.fifo = fifo
        self.plain = PlainList(fifo)
        self.tracker = ChangeTracker()
        self.messages = self.made()

    def made(self) -> Messages:
        queue: dict[str, Any] = {"is_fifo": self.fifo, "attributes": {"MessageRetentionPeriod": str(RETENTION)}}
        return Messages(self.tracker, "messages", queue, nothing_lacks, lambda: self.now)

    def copies(self) -> dict[int, Message]:
        """What the disk has when it has everything."""
        return {number: copy.deepcopy(self.messages.rows.stored(number)) for number in self.messages.rows.held()}

    @rule(group=st.sampled_from([None, "a", "b", "c"]), delay=SECONDS, age=st.sampled_from([0, 0, 0, 90]))
    def send(self, group: str | None, delay: int, age: int) -> None:
        self.plain.take([m for m in self.plain.messages if m["sent_at"] <= self.now - RETENTION])
        self.sent += 1
        message: Message = {
            "id": self.sent, "group_id": group, "visible_at": self.now + delay, "sent_at": self.now - age,
            "receive_count": 0, "receipt_handle": None, "first_receive_at": None,
        }  # fmt: skip
        self.plain.messages.append(dict(message))
        self.messages.append(message)
        assert self.messages[-1] is message

    @rule(target=handles, most=st.integers(1, 10), seconds=SECONDS)
    def receive(self, most: int, seconds: int) -> Any:
        wanted = self.plain.receive(most, self.now)
        found = self.messages.receive(most, seconds)
        assert [m["id"] for m in found] == [m["id"] for m in wanted]
        for message, received in zip(wanted, found, strict=True):
            message["visible_at"] = self.now + seconds
            message["receive_count"] += 1
            message["receipt_handle"] = received["receipt_handle"]
            message["first_receive_at"] = message["first_receive_at"] or self.now
        return multiple(*(m["receipt_handle"] for m in found))

    @rule(handle=consumes(handles))
    def delete(self, handle: str) -> None:
        wanted = [m for m in self.plain.messages if m["receipt_handle"] == handle]
        assert self.messages.delete(handle) == bool(wanted)
        self.plain.take(wanted)

    @rule(handle=handles, seconds=SECONDS)
    def hide(self, handle: str, seconds: int) -> None:
        wanted = [m for m in self.plain.messages if m["receipt_handle"] == handle]
        assert self.messages.hide(handle, seconds) == bool(wanted)
        for message in wanted:
            message["visible_at"] = self.now + seconds

    @rule(receives=st.integers(1, 3))
    def move_worn(self, receives: int) -> None:
        wanted = [m for m in self.plain.messages if m["receive_count"] >= receives and m["visible_at"] <= self.now]
        moved: list[Message] = []
        self.messages.move_worn(receives, moved.append)
        assert moved == wanted
        self.plain.take(wanted)

    @rule(seconds=SECONDS)
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        self.messages.expire()
        self.plain.take([m for m in self.plain.messages if m["sent_at"] <= self.now - RETENTION])

    @rule()
    def purge(self) -> None:
        self.messages.clear()
        self.plain.messages.clear()

    @rule(random=st.randoms(use_true_random=False))
    def start_again(self, random: Any) -> None:
        rows = list(self.copies().items())
        random.shuffle(rows)
        self.messages = self.made()
        for number, message in rows:
            self.messages.rows.restore(number, (message,))

    @rule(most=st.integers(1, 10), seconds=SECONDS)
    def undo(self, most: int, seconds: int) -> None:
        """A request receives, deletes and sends, and fails."""
        rows = self.copies()
        for message in self.messages.receive(most, seconds)[::2]:
            self.messages.delete(message["receipt_handle"])
        self.messages.append(lone(self.now))
        for number in {*rows, *self.messages.rows.held()}:
            self.messages.rows.restore(number, (rows[number],) if number in rows else None)

    @invariant()
    def the_same(self) -> None:
        assert list(self.messages) == self.plain.messages
        assert len(self.messages) == len(self.plain.messages)
        counts = self.messages.counts()
        assert (counts.visible, counts.in_flight, counts.delayed) == self.plain.counts(self.now)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        count = len(self.messages)
        messages = self.messages
        assert len(messages._groups) <= count
        assert len(messages._handles) <= count
        for heap in (messages._delayed, messages._in_flight, messages._ages, messages._worn, messages._open):
            assert len(heap) <= count
            assert len(heap._heap) <= 2 * (self.sent + 100) + _SPARE


def lone(now: float) -> Message:
    return {
        "id": -1, "group_id": None, "visible_at": now, "sent_at": now, "receive_count": 0, "receipt_handle": None,
        "first_receive_at": None,
    }  # fmt: skip


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=40)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=300))
def test_the_first_of_an_agenda_has_the_least_key(changes: list[tuple[int, int | None]]) -> None:
    heap: KeyedHeap[int] = KeyedHeap()
    keys: dict[int, int] = {}
    for thing, key in changes:
        if key is None:
            assert heap.drop(thing) == (keys.pop(thing, None) is not None)
        else:
            heap.put(thing, key)
            keys[thing] = key
        assert heap.first() == min(((key, thing) for thing, key in keys.items()), default=None)
        assert len(heap) == len(keys)
        assert len(heap._heap) <= 2 * len(keys) + _SPARE + 1


def test_each_change_touches_its_row_alone() -> None:
    tracker = ChangeTracker()
    queue: dict[str, Any] = {"is_fifo": False, "attributes": {}}
    messages = Messages(tracker, "messages", queue, nothing_lacks, lambda: 1.0)

    def touched() -> set[Any]:
        return {key for _, key in tracker.due()}

    for _ in range(3):
        messages.append(lone(1.0))
    assert touched() == {0, 1, 2}
    (first,) = messages.receive(1, 30)
    assert touched() == {0}
    messages.hide(first["receipt_handle"], 60)
    assert touched() == {0}
    messages.counts()
    list(messages)
    assert touched() == set()
    messages.delete(first["receipt_handle"])
    assert touched() == {0}
    messages.clear()
    assert touched() == {EVERY_ROW}


def test_the_disk_hears_of_a_message_that_moves_when_it_is_elsewhere() -> None:
    tracker = ChangeTracker()
    queue = {"is_fifo": False, "attributes": {"MessageRetentionPeriod": str(RETENTION)}}
    messages = Messages(tracker, "messages", queue, nothing_lacks, lambda: 1000.0)
    messages.append(lone(1000.0))
    messages.receive(1, 0)
    tracker.due()
    touched: list[Any] = []
    messages.move_worn(1, lambda message: touched.append(tracker.due()))
    assert touched == [set()]
    assert tracker.due() == {(messages.rows, 0)}
