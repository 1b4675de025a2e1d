"""The messages of one queue: a row each on disk, and whatever a request asks found without looking at all of them.

A message is ministack's own record (`body`, `visible_at`, `receive_count`, `receipt_handle`, ...). Its number tells the
order in which messages came, and is the key of its row. It is visible, or until `visible_at` in flight (received) or
delayed (not received yet). Visible messages wait by group: of a FIFO queue those of a group with a message in flight
are not given out. A standard queue is one group that nothing closes, as are messages of a FIFO queue without a group.

The loop that owns the state and the threads of event source mappings use it: each call is whole.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, TouchedDict
from trainworks.twin.emulator.sqs.keyed_heap import KeyedHeap

Message = dict[str, Any]

_DEFAULT_RETENTION = 345_600
_ATTEMPT_SECONDS = 300.0
_DIGITS = 20  # more than a number of a message ever has; Python reads no number of thousands of digits


@dataclass(frozen=True, slots=True)
class Counts:
    visible: int
    in_flight: int
    delayed: int


class MessageRows(TouchedDict):
    """The messages by number."""

    __slots__ = ("messages",)

    def __init__(self, tracker: ChangeTracker, name: str, messages: Messages) -> None:
        super().__init__(tracker, name)
        self.messages = messages

    def restore(self, key: Any, row: tuple[Any] | None) -> None:
        self.messages.restore(key, row)

    def close(self) -> None:
        self.messages.clear()
        super().close()


class _Group:
    """The visible messages of one message group, and how many are in flight."""

    __slots__ = ("in_flight", "visible")

    def __init__(self) -> None:
        self.visible: KeyedHeap[int] = KeyedHeap()
        self.in_flight = 0


class Messages:
    """In place of ministack's list.

    `queue` is the record that has them, for its kind and its retention period. `complete` gives a message the members
    that it lacks: services that deliver to a queue leave some out.
    """

    def __init__(
        self,
        tracker: ChangeTracker,
        name: str,
        queue: dict[str, Any],
        complete: Callable[[Message], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rows = MessageRows(tracker, name, self)
        self._mark = f"{name.rpartition('/')[2]}."  # of the handles that are given out here
        self.queue = queue
        self._complete = complete
        self._clock = clock
        self._lock = threading.RLock()
        self._next = 0
        self._delayed: KeyedHeap[int] = KeyedHeap()  # by when they become visible
        self._in_flight: KeyedHeap[int] = KeyedHeap()
        self._ages: KeyedHeap[int] = KeyedHeap()  # by when they came
        self._worn: KeyedHeap[int] = KeyedHeap()  # visible ones that were received, most often first
        self._open: KeyedHeap[str | None] = KeyedHeap()  # groups by their first message, where one may be given out
        self._groups: dict[str | None, _Group] = {}
        self._handles: dict[str, int] = {}
        self._attempts: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return dict.__len__(self.rows)

    def __iter__(self) -> Iterator[Message]:
        """The messages in the order in which they came."""
        with self._lock:
            return iter([self._message(number) for number in sorted(self.rows.held())])

    def __getitem__(self, place: int) -> Message:
        """As of a list. The last one, for which services ask when they have sent it, costs no look at the others."""
        with self._lock:
            last = self._next - 1
            return self._message(last) if place == -1 and self.rows.holds(last) else list(self)[place]

    def append(self, message: Message) -> None:
        """Take a message in."""
        with self._lock:
            self.expire()
            number = self._next
            self._add(number, message)
            self.rows._touch(number)

    def remove(self, message: Message) -> None:
        """Delete a message that was received."""
        self.delete(str(message["receipt_handle"]))

    def clear(self) -> None:
        """Delete all messages."""
        with self._lock:
            dict.clear(self.rows)
            for heap in (self._delayed, self._in_flight, self._ages, self._worn, self._open):
                heap.clear()
            self._groups.clear()
            self._handles.clear()
            self._attempts.clear()
            self.rows._touch(EVERY_ROW)

    def receive(self, most: int, seconds: float, attempt: str | None = None) -> list[Message]:
        """Up to `most` visible messages, each with a new handle, and in flight for this long.

        The same `attempt` gives the same messages and handles again, for five minutes and as long as all are in flight
        since, and hides them from now on.
        """
        with self._lock:
            now = self._look()
            if attempt is not None and (again := self._received_by(attempt, now)):
                for number in again:
                    self._displace(number)
                    self._message(number)["visible_at"] = now + seconds
                    self._place(number, now)
                    self.rows._touch(number)
                return [self._message(number) for number in again]
            numbers: list[int] = []
            while len(numbers) < most and (first := self._open.first()) is not None:
                number, _ = first
                self._displace(number)
                numbers.append(number)
            for number in numbers:
                message = self._message(number)
                self._handles.pop(message["receipt_handle"], None)
                message["receipt_handle"] = handle = f"{self._mark}{number}.{uuid.uuid4().hex}"
                message["visible_at"] = now + seconds
                message["receive_count"] += 1
                if message["first_receive_at"] is None:
                    message["first_receive_at"] = now
                self._handles[handle] = number
                self._set_attempt(number, None if attempt is None else (attempt, now, len(numbers)))
                self._place(number, now)
                self.rows._touch(number)
            return [self._message(number) for number in numbers]

    def delete(self, handle: str) -> bool:
        """Delete the message that was last received with this handle; whether there is one."""
        with self._lock:
            number = self._handles.get(handle)
            if number is None:
                return False
            self._remove(number)
            self.rows._touch(number)
            return True

    def gave(self, handle: str) -> bool:
        """Whether a message was received with this handle, be it received again or gone since."""
        return handle.startswith(self._mark)

    def expired(self, handle: str) -> bool:
        """Whether it was, of a FIFO queue, and the message is there and no longer in flight by this handle."""
        number = handle.removeprefix(self._mark).partition(".")[0]
        with self._lock:
            if not self.queue["is_fifo"] or not self.gave(handle) or not number.isdecimal() or len(number) > _DIGITS:
                return False
            message = dict.get(self.rows, int(number))
            return message is not None and (
                message["receipt_handle"] != handle or message["visible_at"] <= self._clock()
            )

    def hide(self, handle: str, seconds: float) -> bool:
        """Have the message that was last received with this handle in flight for this long; whether there is one."""
        with self._lock:
            number = self._handles.get(handle)
            if number is None:
                return False
            now = self._look()
            self._displace(number)
            self._message(number)["visible_at"] = now + seconds
            self._set_attempt(number, None)
            self._place(number, now)
            self.rows._touch(number)
            return True

    def move_worn(self, receives: int, take: Callable[[Message], None]) -> None:
        """Give away the visible messages that were received so often or more.

        The disk hears of them here when they are elsewhere: a crash in between leaves one twice, and loses none.
        """
        with self._lock:
            self._look()
            taken: dict[int, Message] = {}
            while (first := self._worn.first()) is not None and -first[0] >= receives:
                taken[first[1]] = self._remove(first[1])
        for number in sorted(taken):
            take(taken[number])
            self.rows._touch(number)

    def expire(self) -> None:
        """Delete the messages that are older than the queue keeps them."""
        with self._lock:
            oldest = self._clock() - int(self.queue["attributes"].get("MessageRetentionPeriod", _DEFAULT_RETENTION))
            while (first := self._ages.first()) is not None and first[0] <= oldest:
                self._remove(first[1])
                self.rows._touch(first[1])

    def counts(self) -> Counts:
        """How many messages there are of each kind."""
        with self._lock:
            self._look()
            in_flight, delayed = len(self._in_flight), len(self._delayed)
            return Counts(len(self) - in_flight - delayed, in_flight, delayed)

    def restore(self, number: int, row: tuple[Message] | None) -> None:
        """Restore a message as its row on disk says; this is not a change."""
        with self._lock:
            if self.rows.holds(number):
                self._remove(number)
            if row is not None:
                self._add(number, row[0])

    def _message(self, number: int) -> Message:
        message: Message = dict.__getitem__(self.rows, number)
        return message

    def _add(self, number: int, message: Message) -> None:
        self._complete(message)
        dict.__setitem__(self.rows, number, message)
        self._next = max(self._next, number + 1)
        self._ages.put(number, message.get("enqueued_at", message["sent_at"]))
        if message["receipt_handle"] is not None:
            self._handles[message["receipt_handle"]] = number
        if message.get("attempt"):
            self._attempts.setdefault(message["attempt"][0], set()).add(number)
        self._place(number, self._clock())

    def _remove(self, number: int) -> Message:
        self._displace(number)
        self._set_attempt(number, None)
        message: Message = dict.pop(self.rows, number)
        self._ages.drop(number)
        self._handles.pop(message["receipt_handle"], None)
        return message

    def _received_by(self, attempt: str, now: float) -> list[int]:
        """The messages that an attempt has received, in order; none where it is old or one of them was changed."""
        numbers = sorted(self._attempts.get(attempt, ()))
        for number in numbers:
            message = self._message(number)
            _, at, count = message["attempt"]
            if at + _ATTEMPT_SECONDS <= now or message["visible_at"] <= now or count != len(numbers):
                return []
        return numbers

    def _set_attempt(self, number: int, attempt: tuple[str, float, int] | None) -> None:
        """By which attempt a message was received last, when, and as one of how many."""
        message = self._message(number)
        if before := message.pop("attempt", None):
            self._attempts[before[0]].discard(number)
            if not self._attempts[before[0]]:
                del self._attempts[before[0]]
        if attempt is not None:
            message["attempt"] = attempt
            self._attempts.setdefault(attempt[0], set()).add(number)

    def _look(self) -> float:
        """Now. What has become visible by now is among the visible ones."""
        now = self._clock()
        for hidden in (self._delayed, self._in_flight):
            while (first := hidden.first()) is not None and first[0] <= now:
                self._displace(first[1])
                self._place(first[1], now)
        return now

    def _place(self, number: int, now: float) -> None:
        """Put a message that is nowhere where it belongs now."""
        message = self._message(number)
        name = self._group_name(message)
        group = self._groups.setdefault(name, _Group())
        if message["visible_at"] <= now:
            group.visible.put(number, number)
            if message["receive_count"]:
                self._worn.put(number, -message["receive_count"])
        elif message["receive_count"]:
            self._in_flight.put(number, message["visible_at"])
            group.in_flight += 1
        else:
            self._delayed.put(number, message["visible_at"])
        self._open_or_close(name, group)

    def _displace(self, number: int) -> None:
        """Take a message from where it is."""
        name = self._group_name(self._message(number))
        group = self._groups.setdefault(name, _Group())
        if self._in_flight.drop(number):
            group.in_flight -= 1
        elif not self._delayed.drop(number):
            group.visible.drop(number)
            self._worn.drop(number)
        self._open_or_close(name, group)

    def _open_or_close(self, name: str | None, group: _Group) -> None:
        first = group.visible.first()
        if first is None or (name is not None and group.in_flight):
            self._open.drop(name)
        else:
            self._open.put(name, first[0])
        if first is None and not group.in_flight:
            del self._groups[name]

    def _group_name(self, message: Message) -> str | None:
        return (message["group_id"] or None) if self.queue["is_fifo"] else None
