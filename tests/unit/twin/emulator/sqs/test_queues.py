"""SQS over rows: what stock does to a queue's messages goes through `Messages`, and what fails is taken back."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import ChangeTracker
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.emulator.sqs.messages import Message, Messages
from trainworks.twin.emulator.sqs.queues import QueueParts
from trainworks.twin.emulator.sqs.recent_sends import RecentSends
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError

# Functions of ministack that name the messages of a queue, and need no other way to them.
_AS_THEY_ARE = {
    "_act_send_message",  # appends
    "_act_purge_queue",  # clears
    "_collect_fifo",  # called by the function that is replaced
}


def message(body: str, group: str | None = None, **more: Any) -> Message:
    return {
        "id": body, "body": body, "group_id": group, "visible_at": 0.0, "sent_at": 2e9, "receive_count": 0,
        "receipt_handle": None, "first_receive_at": None, "sys": {}, **more,
    }  # fmt: skip


def a_queue(fifo: bool = False) -> dict[str, Any]:
    return {"is_fifo": fifo, "attributes": {"QueueArn": "arn"}, "messages": [], "dedup_cache": {}, "fifo_seq": 0}


class Service:
    """SQS's stores and seams, without the rest of it, over a home's database."""

    def __init__(self, home: Home) -> None:
        self.persistence = Persistence(home, StateLoop())
        self.module: Any = ModuleType("sqs")
        self.queues = self.module._queues = engine.module("core.responses").AccountRegionScopedDict()
        self.module._HANDLERS = {}
        self.module._ensure_msg_fields = lambda message: None
        self.persistence.adopt("sqs", self.module)
        QueueParts(self.persistence.tracker, self.persistence.rows_of).install(self.module)

    def request(self, change: Callable[[], object]) -> None:
        async def run() -> None:
            with self.persistence.tracker.request() as write_set:
                change()
                await self.persistence.settle(write_set)

        asyncio.run(run())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def service(home: Home) -> Iterator[Service]:
    opened = Service(home)
    yield opened
    opened.persistence.close()


def stored(home: Home, prefix: str) -> int:
    with sqlite3.connect(home.emulator_db) as connection:
        statement = "SELECT COUNT(*) FROM emulator_rows WHERE store LIKE ?"
        return int(connection.execute(statement, (f"{prefix}%",)).fetchone()[0])


def test_a_message_that_cannot_be_stored_fails_its_own_call(home: Home, service: Service) -> None:
    service.request(lambda: service.queues.__setitem__("q", a_queue()))
    service.request(lambda: service.queues["q"]["messages"].append(message("good")))

    def send() -> None:
        queue = service.queues["q"]
        queue["fifo_seq"] += 1
        (received,) = queue["messages"].receive(1, 1e9)
        assert received["body"] == "good"
        queue["dedup_cache"]["bad"] = {"expire": 2e9}
        queue["messages"].append(message("bad", message_attributes=threading.Lock()))

    with pytest.raises(ApiError, match=r"sqs\.messages/.*\[1\] cannot be stored"):
        service.request(send)
    queue = service.queues["q"]
    assert [each["body"] for each in queue["messages"]] == ["good"]
    assert (queue["messages"].counts().visible, dict.__len__(queue["dedup_cache"]), queue["fifo_seq"]) == (1, 0, 0)
    service.request(lambda: service.queues["q"]["messages"].append(message("next")))
    assert stored(home, "sqs.messages/") == 2
    again = Service(home)
    assert [each["body"] for each in again.queues["q"]["messages"]] == ["good", "next"]
    again.persistence.close()


def test_messages_that_are_too_old_leave_their_rows(home: Home, service: Service) -> None:
    service.request(lambda: service.queues.__setitem__("q", a_queue()))
    messages: Messages = service.queues["q"]["messages"]
    for sent_at in (1.0, 2e9, 1.0):
        service.request(lambda sent_at=sent_at: messages.append(message("m", sent_at=sent_at)))
    # The first went when the second came, though nobody has looked into the queue.
    assert stored(home, "sqs.messages/") == 2
    service.request(messages.expire)
    assert stored(home, "sqs.messages/") == 1


def test_deduplication_ids_are_rows_that_go_with_time(home: Home, service: Service) -> None:
    service.request(lambda: service.queues.__setitem__("q.fifo", a_queue(fifo=True)))
    recent: RecentSends = service.queues["q.fifo"]["dedup_cache"]
    for name, end in (("later", 2e9), ("over", 1.0), ("also over", 2.0)):
        service.request(lambda name=name, end=end: recent.__setitem__(name, {"expire": end}))
    assert stored(home, "sqs.recent/") == 3
    service.request(recent.forget)
    assert (list(recent), stored(home, "sqs.recent/")) == (["later"], 1)
    service.request(lambda: service.queues.pop("q.fifo"))
    assert stored(home, "sqs.") == 0


def test_every_look_of_stock_at_all_messages_is_replaced(service: Service) -> None:
    """The source of the pinned ministack is read: another function there that names them would be one more look."""
    spec = importlib.util.find_spec("ministack.services.sqs")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    naming = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "messages"
    }
    handlers = {
        "_act_delete_message", "_act_delete_message_batch", "_act_change_visibility", "_act_change_visibility_batch",
    }  # fmt: skip
    assert len(service.module._HANDLERS) == len(handlers)
    replaced = {name for name in naming - handlers if hasattr(service.module, name)}
    assert naming - handlers - replaced == _AS_THEY_ARE


class Steps:
    """How many lines of Python something runs, loops and comprehensions counted each time round."""

    def of(self, act: Callable[[], object]) -> int:
        count = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            act()
        finally:
            sys.settrace(before)
        return count


@pytest.mark.parametrize("fifo", [False, True])
def test_no_call_takes_more_steps_in_a_long_queue(fifo: bool) -> None:
    def steps(length: int) -> dict[str, int]:
        queue = a_queue(fifo)
        queue["attributes"]["MessageRetentionPeriod"] = "1000"
        now = [1000.0]
        messages = Messages(ChangeTracker(), "messages", queue, lambda message: None, lambda: now[0])
        for number in range(length):
            delay = 500.0 if number % 10 == 0 else 0.0
            messages.append(message(str(number), f"g{number % 40}", visible_at=1000.0 + delay, sent_at=1000.0))
        handles = [each["receipt_handle"] for each in messages.receive(10, 900)]
        now[0] += 1
        recent = RecentSends(ChangeTracker(), "recent")
        for number in range(length):
            recent[str(number)] = {"expire": 2e9 + number}
        calls: dict[str, Callable[[], object]] = {
            "send": lambda: messages.append(message("last", "g1", sent_at=1001.0)),
            "receive": lambda: messages.receive(10, 900),
            "hide": lambda: messages.hide(handles[0], 60),
            "delete": lambda: messages.delete(handles[1]),
            "counts": messages.counts,
            "expire": messages.expire,
            "worn": lambda: messages.move_worn(3, lambda message: None),
            "last": lambda: messages[-1],
            "forget": recent.forget,
            "clear": messages.clear,
        }
        return {name: Steps().of(call) for name, call in calls.items()}

    assert steps(5000) == pytest.approx(steps(100), rel=0.5, abs=60)
