"""The Logs service of a twin, put together: its API, and the port through which the twin's other parts write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from sqlite3 import Row

from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION
from trainworks.twin.ports import ApiError, Caller, ControlPlane, OutputLines
from trainworks.twin.services.logs.derive import Derivations
from trainworks.twin.services.logs.events import Events
from trainworks.twin.services.logs.filters import METRIC, SUBSCRIPTION, Filters
from trainworks.twin.services.logs.groups import Groups
from trainworks.twin.services.logs.importing import EarlierGroup, take_over
from trainworks.twin.services.logs.policies import ACCOUNT_POLICY, Policies
from trainworks.twin.services.logs.queries import Queries
from trainworks.twin.services.logs.request import (
    Requests,
    check_group_name,
    check_stream_name,
    group_arn,
    missing,
    scope_of,
)
from trainworks.twin.services.logs.store import LogStore, Scope
from trainworks.twin.services.logs.sweep import Sweep
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Endpoint, Operation

SERVICE = Caller("logs.amazonaws.com", ACCOUNT_ID, DEFAULT_REGION, "")
"""The caller of writes that need no permission: those of the twin itself."""


class LogsService:
    """`endpoint` answers the API; the methods are `ports.Logs`."""

    def __init__(self, database: Database, control_plane: ControlPlane, clock: Callable[[], float] = time.time) -> None:
        self.store = LogStore(database, clock)
        self._database = database
        self._control_plane = control_plane
        requests = Requests(self.store, control_plane)
        self._queries = Queries(requests)
        self._derivations = [Derivations(kind, self.store, control_plane) for kind in (METRIC, SUBSCRIPTION)]
        self._sweep = Sweep(self.store)
        operations: dict[str, Operation] = {}
        for part in (
            Groups(requests),
            Events(requests),
            Filters(requests, control_plane),
            Policies(requests),
            self._queries,
        ):
            operations |= part.operations()
        for name in ("PutLogEvents", "DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy"):
            operations[name] = self._waking(operations[name])
        self.endpoint = Endpoint("logs", operations, validation_code="InvalidParameterException", stores_any_text=True)

    def take_over(self, groups: Iterable[EarlierGroup]) -> None:
        """Bring in what an earlier version kept elsewhere."""
        for group in groups:
            take_over(self.store, group)

    def take_over_policies(self, policies: Iterable[tuple[str, str, str, Mapping[str, object]]]) -> None:
        """Bring in resource policies: account, region, name, and what was recorded of each."""
        for account, region, name, record in policies:
            self.store.put_record((account, region), ACCOUNT_POLICY, name, record)

    def start(self) -> None:
        """Go on with what an earlier run left: filters, deleted groups."""
        for part in self._threads():
            part.start()

    def stop(self) -> None:
        for part in self._threads()[::-1]:
            part.stop()

    def close(self) -> None:
        self._database.close()

    # -- ports.Logs ---------------------------------------------------------------------------------------------------

    def group_exists(self, caller: Caller, group: str) -> bool:
        return self.store.group(scope_of(caller), group) is not None

    def check_group(self, caller: Caller, group: str) -> None:
        check_group_name(group)
        if not self.group_exists(caller, group):
            raise missing("log group")

    def create_group(self, caller: Caller, group: str) -> None:
        check_group_name(group)
        self.store.create_group(scope_of(caller), group, tags={})

    def append(self, caller: Caller, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """As the service itself, in the caller's account and region."""
        self._append(self._group(scope_of(caller), group), stream, events)

    def put_log_events(self, caller: Caller | None, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        self._append(self._writable(caller, group, stream), stream, events)

    def output_offset(self, caller: Caller | None, group: str, stream: str) -> int:
        row = self.store.group(scope_of(caller or SERVICE), group)
        found = self.store.stream(row, stream) if row is not None else None
        return int(found["source_offset"]) if found is not None else 0

    def put_output(self, outputs: Sequence[OutputLines]) -> Mapping[str, ApiError]:
        """One transaction for all of them; those that may not be written are told, and fail no other."""
        refused: dict[str, ApiError] = {}
        writable: list[tuple[Row, OutputLines]] = []
        groups: dict[str, Row] = {}
        for output in outputs:
            try:
                writable.append((self._group_of(output, groups), output))
            except ApiError as error:
                refused[output.task_id] = error
        with self._database.transaction() as tx:
            for row, output in writable:
                self.store.put_lines(tx, row, output.log_stream, output.lines, output.count, output.offset)
        if any(row["has_filters"] for row, _ in writable):
            self._derive()
        return refused

    def _group_of(self, output: OutputLines, groups: dict[str, Row]) -> Row:
        """As `_writable`; what the service itself writes into is looked up once for a crowd, and kept in `groups`."""
        if output.caller is not None:
            return self._writable(output.caller, output.log_group, output.log_stream)
        if output.log_group not in groups:
            groups[output.log_group] = self._writable(None, output.log_group, output.log_stream)
        check_stream_name(output.log_stream)
        return groups[output.log_group]

    def _writable(self, caller: Caller | None, group: str, stream: str) -> Row:
        """The group, made if it is absent; the caller may write into the stream. Raises `ApiError`."""
        owner = caller or SERVICE
        row = self.store.group(scope_of(owner), group)
        if caller is not None:
            arn = group_arn(caller, group)
            if row is None:
                self._control_plane.authorize(caller, "logs:CreateLogGroup", f"{arn}:log-stream:")
            if row is None or self.store.stream(row, stream) is None:
                self._control_plane.authorize(caller, "logs:CreateLogStream", f"{arn}:log-stream:{stream}")
            self._control_plane.authorize(caller, "logs:PutLogEvents", f"{arn}:log-stream:{stream}")
        check_stream_name(stream)
        return row if row is not None else self._group(scope_of(owner), group)

    def _group(self, scope: Scope, name: str) -> Row:
        """The group, made if it is absent."""
        check_group_name(name)
        self.store.create_group(scope, name, tags={})
        row = self.store.group(scope, name)
        if row is None:
            raise ApiError("OperationAbortedException", f"The log group {name} was deleted at the same moment.")
        return row

    def _append(self, group: Row, name: str, events: Sequence[tuple[int, str]]) -> None:
        self.store.create_stream(group, name)
        stream = self.store.stream(group, name)
        if stream is not None and events:
            self.store.put_events(group, stream, sorted(events, key=lambda event: event[0]))
            self._derive()

    def _threads(self) -> list[Queries | Derivations | Sweep]:
        return [self._queries, *self._derivations, self._sweep]

    def _derive(self) -> None:
        for each in self._derivations:
            each.wake()

    def _waking(self, operation: Operation) -> Operation:
        """The same operation; what follows from it is begun at once."""

        def handler(call: Call) -> Mapping[str, object]:
            answer = operation.handler(call)
            if call.operation == "PutLogEvents":
                self._derive()
            else:
                self._sweep.wake()
            return answer

        return Operation(handler, operation.fidelity, operation.note, operation.refused_members)
