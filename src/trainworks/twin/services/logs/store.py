"""Groups and streams: the rows of `logs.db`, and the one way in which events get into it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection, Row
from typing import Any

from trainworks.twin.services.logs.blocks import SQL, Appended, append_events, append_lines
from trainworks.twin.services.logs.reading import BlockReader
from trainworks.twin.store import Database
from trainworks.twin.store.queries import load_sql

Scope = tuple[str, str]
"""Account and region."""


class LogStore:
    """Owns `logs.db`. Every change is on disk when its method returns."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.reader = BlockReader(database)
        self._clock = clock
        database.apply(load_sql("trainworks.twin.services.logs", "schema.sql"))

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def group(self, scope: Scope, name: str) -> Row | None:
        return self.database.read_one(SQL["group_by_name"], (*scope, name))

    def stream(self, group: Row, name: str) -> Row | None:
        return self.database.read_one(SQL["stream_by_name"], (group["group_id"], name))

    def create_group(self, scope: Scope, name: str, *, tags: Mapping[str, str], **columns: Any) -> bool:
        """Make a group; False if it is there. Columns: `class`, `kms_key`, `protected`."""
        values = {"class": "STANDARD", "kms_key": None, "protected": 0, **columns}
        with self.database.transaction() as tx:
            if tx.execute(SQL["group_by_name"], (*scope, name)).fetchone() is not None:
                return False
            values |= {"account": scope[0], "region": scope[1], "name": name, "created_ms": self.now_ms()}
            tx.execute(SQL["insert_group"], {**values, "tags": json.dumps(dict(tags))})
            return True

    def delete_group(self, group: Row) -> None:
        """Its events are removed in the background."""
        owner = (group["group_id"],)
        with self.database.transaction() as tx:
            for statement in ("kill_streams", "delete_streams", "delete_filters", "delete_group"):
                tx.execute(SQL[statement], owner)

    def create_stream(self, group: Row, name: str) -> bool:
        """Make a stream; False if it is there."""
        with self.database.transaction() as tx:
            return tx.execute(SQL["insert_stream"], (group["group_id"], name, self.now_ms())).rowcount == 1

    def delete_stream(self, stream: Row) -> None:
        with self.database.transaction() as tx:
            tx.execute(SQL["kill_stream"], (stream["stream_id"],))
            tx.execute(SQL["delete_stream"], (stream["stream_id"],))
            tx.execute(SQL["shrink_group"], (stream["stored_bytes"], stream["group_id"]))

    def change_group(self, group: Row, statement: str, value: Any) -> None:
        with self.database.transaction() as tx:
            tx.execute(SQL[statement], (value, group["group_id"]))

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Within this nothing else is written, so what is written rests on what was read here and still is so.

        Nothing is asked of other parts of the twin here: everybody's writing waits.
        """
        with self.database.transaction():
            yield

    def change_tags(self, group: Row, change: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
        """Give a group the tags that `change` makes of those it has now."""
        with self.deciding():
            row = self.database.read_one(SQL["tags_of_group"], (group["group_id"],))
            if row is not None:
                self.change_group(group, "set_tags", json.dumps(dict(change(json.loads(row["tags"])))))

    def put_record(self, scope: Scope, kind: str, name: str, document: Mapping[str, Any]) -> None:
        with self.database.transaction() as tx:
            tx.execute(SQL["put_record"], (*scope, kind, name, json.dumps(dict(document))))

    def put_filter(self, group: Row, kind: str, name: str, spec: Mapping[str, Any], created_ms: int) -> None:
        with self.database.transaction() as tx:
            tx.execute(SQL["put_filter"], (group["group_id"], kind, name, json.dumps(spec), created_ms))
            tx.execute(SQL["set_has_filters"], {"group_id": group["group_id"]})

    def put_events(self, group: Row, stream: Row, events: Sequence[tuple[int, str]]) -> None:
        """Append events in order of time; which of them are taken was decided before."""
        with self.database.transaction() as tx:
            current = tx.execute(SQL["stream_by_id"], (stream["stream_id"],)).fetchone()
            if current is not None:
                self._derive(tx, group, current, append_events(tx, current, events, self.now_ms()))

    def put_lines(self, tx: Connection, group: Row, stream_name: str, lines: bytes, count: int, offset: int) -> None:  # noqa: PLR0917 - the parts of one append
        """Append lines of a file that was read up to `offset`, unless they are there: the same append can be repeated.

        Makes the stream if it is absent.
        """
        key = (group["group_id"], stream_name)
        tx.execute(SQL["insert_stream"], (*key, self.now_ms()))
        stream = tx.execute(SQL["stream_by_name"], key).fetchone()
        if offset > stream["source_offset"]:
            self._derive(tx, group, stream, append_lines(tx, stream, lines, count, self.now_ms(), offset))

    def _derive(self, tx: Connection, group: Row, stream: Row, appended: Appended) -> None:
        """Note what metric filters and subscription filters have to look at."""
        if group["has_filters"]:
            tx.execute(SQL["insert_derivations"], (stream["stream_id"], *appended, group["group_id"]))
