"""Insights queries: started, executed in the background over what is on disk, read."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.services.logs import insights
from trainworks.twin.services.logs.blocks import SQL
from trainworks.twin.services.logs.events import event_id, json_fields
from trainworks.twin.services.logs.request import (
    MOST_INTEGER,
    Requests,
    invalid,
    missing,
    name_of_identifier,
    refuse_token,
    scope_of,
)
from trainworks.twin.services.logs.store import Scope
from trainworks.twin.wire import Call, Operation, executed

_KIND = "query"
_MOST_QUERIES, _MOST_GROUPS = 50, 50
_TIMEOUT_SECONDS = 300.0
_LANGUAGE = "Logs Insights QL: fields, display, filter, parse, stats, sort, limit; all else is refused."

_LOG = logging.getLogger(__name__)


class Queries:
    """The operations, and the thread that executes one query after the other."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._store = requests.store
        self._waiting: queue.SimpleQueue[tuple[Scope, str] | None] = queue.SimpleQueue()
        self._stopped: set[str] = set()
        self._thread: threading.Thread | None = None

    def operations(self) -> Mapping[str, Operation]:
        return {
            "StartQuery": executed(self.start_query, _LANGUAGE),
            "GetQueryResults": executed(self.get_query_results),
            "StopQuery": executed(self.stop_query),
            "DescribeQueries": executed(self.describe_queries, "The last 50 queries of the account."),
        }

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log-queries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def start_query(self, call: Call) -> dict[str, Any]:
        """Raises `MalformedQueryException` for what is not executed here."""
        params = call.params
        if params.get("queryLanguage", "CWLI") != "CWLI":
            raise invalid(f"trainworks executes queries in CWLI, not in {params['queryLanguage']}")
        if params["startTime"] > params["endTime"]:
            raise invalid("End time should not be before start time")
        insights.parse(params["queryString"])
        names = _group_names(params, call.caller)
        for name in names:
            self._requests.authorize(call, name)
            self._requests.existing_group(call.caller, name)
        now = self._store.now_ms()
        query_id = str(uuid.UUID(int=(now << 80) | (uuid.uuid4().int & (1 << 80) - 1)))
        document = {
            "status": "Running",
            "groups": names,
            "start": min(params["startTime"], MOST_INTEGER // 4000) * 1000,
            "last": min(params["endTime"], MOST_INTEGER // 4000) * 1000 + 999,
            "query": params["queryString"],
            "limit": params.get("limit", insights.MAX_ROWS),
            "created": now,
        }
        scope = scope_of(call.caller)
        with self._store.database.transaction() as tx:
            tx.execute(SQL["put_record"], (*scope, _KIND, query_id, json.dumps(document)))
            known = [row["name"] for row in tx.execute(SQL["record_names"], (*scope, _KIND))]
            for old in known[:-_MOST_QUERIES]:
                tx.execute(SQL["delete_record"], (*scope, _KIND, old))
        self._waiting.put((scope, query_id))
        return {"queryId": query_id}

    def get_query_results(self, call: Call) -> dict[str, Any]:
        document = self._document(call)
        answer = {"queryLanguage": "CWLI", "status": document["status"], "results": document.get("results", [])}
        return answer | {"statistics": document.get("statistics", {})}

    def stop_query(self, call: Call) -> dict[str, Any]:
        document, query_id = self._document(call), call.params["queryId"]
        if document["status"] != "Running":
            raise invalid(f"Query {query_id} has already ended with {document['status']}.")
        self._stopped.add(query_id)
        self._write(scope_of(call.caller), query_id, {**document, "status": "Cancelled"})
        return {"success": True}

    def describe_queries(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, call.params.get("logGroupName", ""))
        refuse_token(call)
        rows = self._store.database.read(SQL["records"], (*scope_of(call.caller), _KIND))
        group, status = call.params.get("logGroupName"), call.params.get("status")
        shown = []
        for row in reversed(rows):
            document = json.loads(row["document"])
            if group in (None, *document["groups"]) and status in (None, document["status"]):
                shown.append(
                    {
                        "queryId": row["name"],
                        "queryString": document["query"],
                        "status": document["status"],
                        "createTime": document["created"],
                        "logGroupName": document["groups"][0],
                        "queryLanguage": "CWLI",
                    }
                )
        return {"queries": shown[: call.params.get("maxResults", 1000)]}

    # -- execution ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (following := self._waiting.get()) is not None:
            scope, query_id = following
            try:
                self._execute(scope, query_id)
            except Exception:  # noqa: BLE001 - recorded with its traceback, and the query says that it failed
                _LOG.exception("the query %s failed", query_id)
                self._finish(scope, query_id, {"status": "Failed"})

    def _execute(self, scope: Scope, query_id: str) -> None:
        document = self._read(scope, query_id)
        if document is None or document["status"] != "Running":
            return
        counted = {"recordsScanned": 0.0, "bytesScanned": 0.0}
        query, deadline = insights.parse(document["query"]), time.monotonic() + _TIMEOUT_SECONDS
        try:
            rows = insights.run(query, self._records(scope, document, query_id, counted, deadline), document["limit"])
        except _EndedError as error:
            self._finish(scope, query_id, {"status": error.status})
            return
        except ApiError as error:
            _LOG.warning("the query %s failed: %s", query_id, error.message)
            self._finish(scope, query_id, {"status": "Failed"})
            return
        shown = [[{"field": name, "value": _text(name, value)} for name, value in row.items()] for row in rows]
        statistics = {**counted, "recordsMatched": float(len(rows))}
        self._finish(scope, query_id, {"status": "Complete", "results": shown, "statistics": statistics})

    def _records(
        self, scope: Scope, document: Mapping[str, Any], query_id: str, counted: dict[str, float], deadline: float
    ) -> Iterator[dict[str, Any]]:
        """The events of the query's groups and time as records, oldest first within a group."""
        names: dict[int, str] = {}
        for group_name in document["groups"]:
            group = self._store.group(scope, group_name)
            if group is None:
                continue
            for found in self._store.reader.of_group(group, document["start"], document["last"]):
                counted["recordsScanned"] += 1
                counted["bytesScanned"] += len(found.event.message)
                if counted["recordsScanned"] % 1000 == 0 and (time.monotonic() > deadline or query_id in self._stopped):
                    raise _EndedError("Cancelled" if query_id in self._stopped else "Timeout")
                if found.stream_id not in names:
                    names[found.stream_id] = self._stream_name(found.stream_id)
                if not names[found.stream_id]:
                    continue
                event = found.event
                record = insights.flat(json_fields(event.message))
                record |= {
                    "@timestamp": event.timestamp,
                    "@ingestionTime": event.ingested,
                    "@message": event.message,
                    "@logStream": names[found.stream_id],
                    "@log": f"{scope[0]}:{group_name}",
                    "@ptr": event_id(found),
                }
                yield record

    def _stream_name(self, stream_id: int) -> str:
        row = self._store.database.read_one(SQL["stream_by_id"], (stream_id,))
        return str(row["name"]) if row is not None else ""

    def _finish(self, scope: Scope, query_id: str, outcome: Mapping[str, Any]) -> None:
        document = self._read(scope, query_id)
        if document is not None and document["status"] == "Running":
            self._write(scope, query_id, {**document, **outcome})
        self._stopped.discard(query_id)

    def _document(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        document = self._read(scope_of(call.caller), call.params["queryId"])
        if document is None:
            raise missing("query")
        if document["status"] == "Running" and document["created"] < self._store.now_ms() - 2 * _TIMEOUT_SECONDS * 1000:
            return {**document, "status": "Failed"}  # the server that executed it is gone
        return document

    def _read(self, scope: Scope, query_id: str) -> dict[str, Any] | None:
        row: Row | None = self._store.database.read_one(SQL["record"], (*scope, _KIND, query_id))
        document: dict[str, Any] | None = json.loads(row["document"]) if row is not None else None
        return document

    def _write(self, scope: Scope, query_id: str, document: Mapping[str, Any]) -> None:
        with self._store.database.transaction() as tx:
            tx.execute(SQL["put_record"], (*scope, _KIND, query_id, json.dumps(document)))


class _EndedError(Exception):
    """The execution ends before its end."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def _group_names(params: Mapping[str, Any], caller: Caller) -> Sequence[str]:
    given = [
        [params["logGroupName"]] if "logGroupName" in params else None,
        params.get("logGroupNames"),
        params.get("logGroupIdentifiers"),
    ]
    named = [each for each in given if each is not None]
    if len(named) != 1 or not named[0]:
        raise invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to be given.")
    if len(named[0]) > _MOST_GROUPS:
        raise invalid(f"A query searches at most {_MOST_GROUPS} log groups, not {len(named[0])}.")
    return [name_of_identifier(each.removesuffix(":*"), caller) for each in named[0]]


def _text(name: str, value: Any) -> str:
    if name in ("@timestamp", "@ingestionTime") or isinstance(value, insights.Moment):
        at = datetime.fromtimestamp(value / 1000, UTC)
        return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)
