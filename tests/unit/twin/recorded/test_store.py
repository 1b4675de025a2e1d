"""The store against a dict; many writers at once; values that JSON lacks; tokens that were made up."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.twin.recorded.earlier_home import EARLIER_TABLES
from trainworks.twin.ports import ApiError
from trainworks.twin.recorded import ListQuery, Record, RecordedStore, Rows, list_page
from trainworks.twin.recorded.rows import stack_resource_id
from trainworks.twin.recorded.spec import dump, load
from trainworks.twin.store import Database

KIND, SCOPE = "test:thing", "000000000000/us-east-1"
NAMES = st.sampled_from(["a", "B", "a-1", "ab", "ba", "c"])
TIMES = st.sampled_from([1.0, 2.0, 2.5, 3.0])
STATUSES = st.sampled_from(["", "Stopped", "InService"])
TAGS = st.dictionaries(st.sampled_from(["k", "l", "m"]), st.text(max_size=3), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.datetimes(
        timezones=st.just(UTC)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["$time", "$"]), inner),
    max_leaves=10,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordedStore]:
    database = Database(tmp_path / "twin.db")
    yield RecordedStore(database)
    database.close()


class StoreAndDict(RuleBasedStateMachine):
    """What the store holds is what a dict would hold that was told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.database = Database(Path(tempfile.mkdtemp(prefix="tw-")) / "twin.db", synchronous="NORMAL")
        self.store = RecordedStore(self.database, clock=lambda: self.now)
        self.known: dict[str, Record] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def teardown(self) -> None:

        self.database.close()
        shutil.rmtree(self.database.path.parent)

    @rule(now=TIMES)
    def time_goes_on_or_back(self, now: float) -> None:
        self.now = now

    @rule(
        name=NAMES, parent=st.sampled_from(["", "p"]), status=STATUSES, spec=st.dictionaries(st.text(), JSON), tags=TAGS
    )
    def insert(self, name: str, parent: str, status: str, spec: dict[str, Any], tags: dict[str, str]) -> None:
        record = Record(f"{parent}/{name}", KIND, SCOPE, name, spec, status, parent)

        def work(rows: Rows) -> Record | None:
            if rows.get(record.id) is not None:
                return None
            rows.put_tags(record.id, tags)
            return rows.insert(record)

        made = self.store.change(work)
        assert (made is None) == (record.id in self.known)
        if made is not None:
            self.known[record.id], self.tags[record.id] = made, dict(tags)

    @rule(name=NAMES, status=STATUSES, spec=st.dictionaries(st.text(), JSON))
    def update(self, name: str, status: str, spec: dict[str, Any]) -> None:
        known = self.known.get(f"/{name}")
        if known is not None:
            changed = self.store.change(lambda rows: rows.update(known, spec=spec, status=status))
            assert changed.modified_at == max(self.now, known.modified_at)
            self.known[known.id] = changed

    @rule(name=NAMES, tags=TAGS, keys=st.sets(st.sampled_from(["k", "l", "m"])))
    def tag(self, name: str, tags: dict[str, str], keys: set[str]) -> None:
        if f"/{name}" not in self.known:
            return

        def work(rows: Rows) -> None:
            rows.put_tags(f"/{name}", tags)
            rows.delete_tags(f"/{name}", keys)

        self.store.change(work)
        kept = self.tags[f"/{name}"] | tags
        self.tags[f"/{name}"] = {key: value for key, value in kept.items() if key not in keys}

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        known = self.known.pop(f"/{name}", None)
        self.tags.pop(f"/{name}", None)
        if known is not None:
            self.store.change(lambda rows: rows.delete(known))

    @rule(name=NAMES)
    def undo_what_raises(self, name: str) -> None:
        def work(rows: Rows) -> None:
            rows.put_tags(f"/{name}", {"lost": "1"})
            found = rows.get(f"/{name}")
            if found is not None:
                rows.delete(found)
            raise ApiError("ValidationException", "not so")

        with pytest.raises(ApiError, match="not so"):
            self.store.change(work)

    @rule(
        sort_by=st.sampled_from(["name", "created_at", "modified_at", "status"]),
        descending=st.booleans(),
        status=st.none() | STATUSES,
        contains=st.sampled_from(["", "A", "b", "-"]),
        prefix=st.sampled_from(["", "a", "b"]),
        after=st.none() | TIMES,
        odd=st.booleans(),
        limit=st.integers(1, 4),
    )
    def list(self, limit: int, after: float | None, odd: bool, **asked: Any) -> None:
        times = {} if after is None else {"created_after": after}
        question = ListQuery(
            KIND, SCOPE, **asked, **times, matches=(lambda record: len(record.spec) % 2 == 1) if odd else None
        )
        listed, token = [], None
        with self.store.look() as rows:
            while True:
                found, token = list_page(rows, question, limit=limit, token=token, request={})
                listed += found
                assert len(found) <= limit
                if token is None:
                    break
        wanted = [
            record
            for record in self.known.values()
            if record.parent == ""
            and (question.status is None or record.status == question.status)
            and question.contains.lower() in record.name.lower()
            and record.name.startswith(question.prefix)
            and (after is None or record.created_at > after)
            and (not odd or len(record.spec) % 2 == 1)
        ]
        wanted.sort(key=lambda record: (getattr(record, question.sort_by), record.name), reverse=question.descending)
        assert listed == wanted

    @invariant()
    def holds_the_same(self) -> None:
        with self.store.look() as rows:
            assert {arn: rows.get(arn) for arn in self.known} == self.known
            assert {arn: rows.tags(arn) for arn in self.known} == self.tags
            assert [row["arn"] for row in rows.tx.execute("SELECT DISTINCT arn FROM resource_tag")] == sorted(
                arn for arn, tags in self.tags.items() if tags
            )


TestStoreAndDict = StoreAndDict.TestCase
TestStoreAndDict.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


@given(spec=st.dictionaries(st.text(), JSON))
def test_what_was_given_is_given_back(spec: dict[str, Any]) -> None:
    assert load(dump(spec)) == spec


def test_no_update_is_lost_however_many_write_at_once(store: RecordedStore) -> None:
    writers, each = 8, 25
    store.change(lambda rows: rows.insert(Record("a", KIND, SCOPE, "a", {"count": 0})))

    def write(number: int) -> None:
        for turn in range(each):

            def work(rows: Rows, turn: int = turn) -> None:
                found = rows.get("a")
                assert found is not None
                rows.update(found, spec={"count": found.spec["count"] + 1})
                rows.put_tags("a", {f"{number}-{turn}": "x"})

            store.change(work)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.look() as rows:
        found = rows.get("a")
        assert found is not None
        assert (found.spec["count"], len(rows.tags("a"))) == (writers * each, writers * each)


def test_who_looks_cannot_write(store: RecordedStore) -> None:
    with store.look() as rows, pytest.raises(sqlite3.OperationalError, match="readonly"):
        rows.insert(Record("a", KIND, SCOPE, "a"))


def test_one_of_a_kind_is_found_by_its_parent_or_its_status(store: RecordedStore) -> None:
    def work(rows: Rows) -> None:
        rows.insert(Record("g", KIND, SCOPE, "g", status="One"))
        rows.insert(Record("g/1", KIND, SCOPE, "g/1", parent="g"))

    store.change(work)
    with store.look() as rows:
        assert [rows.first(KIND, SCOPE, status=status) is None for status in ("One", "Two")] == [False, True]
        assert [rows.first(KIND, SCOPE, parent=parent) is None for parent in ("g", "g/1")] == [False, True]
        assert rows.first("other:kind", SCOPE) is None


@pytest.mark.parametrize(
    "after", [[], ["a"], ["a", "b", "c"], [1, {}], [None, "a"], [10**40, "a"], ["1", "a"], [True, "a"], [1.0, "\ud800"]]
)
def test_a_made_up_token_is_refused(store: RecordedStore, after: list[Any]) -> None:
    question = ListQuery(KIND, SCOPE, sort_by="created_at")
    store.change(lambda rows: [rows.insert(Record(name, KIND, SCOPE, name)) for name in "ab"])
    with store.look() as rows:
        _, token = list_page(rows, question, limit=1, token=None, request={})
        assert token is not None
        asked, _ = json.loads(base64.urlsafe_b64decode(token))
        forged = base64.urlsafe_b64encode(json.dumps([asked, after]).encode()).decode()
        with pytest.raises(ApiError, match="NextToken is invalid"):
            list_page(rows, question, limit=1, token=forged, request={})


def test_times_and_bytes_come_back_as_they_were(store: RecordedStore) -> None:
    spec = {"at": datetime(2026, 1, 2, tzinfo=UTC), "bytes": b"\0\xff", "$time": {"$bytes": "no bytes"}}
    store.change(lambda rows: rows.insert(Record("a", KIND, SCOPE, "a", spec)))
    with store.look() as rows:
        found = rows.get("a")
    assert found is not None
    assert found.spec == spec


def test_what_an_earlier_version_kept_is_brought_over_once(tmp_path: Path) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/t"
    database = Database(tmp_path / "twin.db")
    database.apply(EARLIER_TABLES)
    database.apply(f"INSERT INTO sagemaker_tag VALUES ('{arn}', 'a', '1'), ('{arn}', 'b', '2')")
    queue = "arn:aws:batch:us-east-1:000000000000:job-queue/q"
    database.apply(f"INSERT INTO batch_tag VALUES ('{queue}', 'c', '3')")
    database.apply(
        """INSERT INTO recorded_resources VALUES
        ('000000000000', 'us-east-1', 'AWS::EKS::Cluster', 'c', '{"Name": "c"}', '{"Arn": "arn:c"}')"""
    )
    for _ in range(2):
        store = RecordedStore(database)
        with store.look() as rows:
            assert rows.tags(arn) == {"a": "1", "b": "2"}
            assert rows.tags(queue) == {"c": "3"}
            found = rows.get(stack_resource_id("AWS::EKS::Cluster", SCOPE, "c"))
            assert found is not None
            assert found.spec == {"properties": {"Name": "c"}, "attributes": {"Arn": "arn:c"}}
            tables = {row["name"] for row in rows.tx.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"recorded", "resource_tag"}
    database.close()
