"""Kinds of SageMaker's resources that are recorded. A kind is a declaration; its operations follow from it:

    Kind("Model", "model", role="ExecutionRoleArn", ...)    CreateModel, DescribeModel, ListModels, DeleteModel

SageMaker's operations are regular: `<Noun>Name` names a resource, `<Noun>Arn` is its ARN, Create and Update take what
Describe shows, List shows some of that. What is not regular about a kind is said in its declaration. Only the members
that AWS's model has are sent in an answer, so none has to be named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.recorded import ListQuery, Record, RecordedStore, Rows, list_page
from trainworks.twin.recorded.rows import scope_of
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.services.sagemaker.role_sessions import SERVICE_PRINCIPAL
from trainworks.twin.services.sagemaker.tagging import authorize_create, authorize_on, check_tag_count, tags_given
from trainworks.twin.wire import Call, Handler, Operation, executed, recorded
from trainworks.twin.wire.models import service_model

_PAGE_SIZE = 10
_SORTS = {"Name": "name", "CreationTime": "created_at", "LastModifiedTime": "modified_at", "Status": "status"}
_TIMES = {
    "CreationTimeAfter": "created_after",
    "CreatedAfter": "created_after",
    "CreationTimeBefore": "created_before",
    "CreatedBefore": "created_before",
    "LastModifiedTimeAfter": "modified_after",
    "LastModifiedTimeBefore": "modified_before",
}
LIST_MEMBERS = frozenset({*_TIMES, "NameContains", "StatusEquals", "SortBy", "SortOrder", "MaxResults", "NextToken"})
"""What every list understands, in addition to `<Noun>NamePrefix`."""


def _accept(*_: Any) -> None:
    """There is nothing to check."""


@dataclass(frozen=True, slots=True)
class StatusOperation:
    """An operation that leads from one status to another, at once. `note` is its own."""

    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class Status:
    """The statuses of a kind: `first` on creation; in `settled` alone it may be updated or deleted.

    `member` is what Describe calls it; `moves` are further operations by name.
    """

    member: str
    first: str
    settled: str
    moves: Mapping[str, StatusOperation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """The declaration of a kind. `arn_type` is the first part of its ARNs' resource (`model/NAME`).

    - `role` is the member that has a role which is passed to SageMaker; `has_update` says that there is an Update.
    - `defaults` is what Describe shows of what was not given, `shown` how it calls what Create calls otherwise,
      `removed` has the switches of an Update that take a member away.
    - `sort_by` and `order` are those of a list that asks for none; `filters` its members beyond `LIST_MEMBERS`.
    - `is_executed` says that the twin acts on what is stored; `refused_members` of a Create are refused by name.
    - `check(call, control_plane)` asks other parts of the twin, before the transaction. `admit(rows, caller, spec)`
      and `may_delete(rows, record)` look at other rows, in it. Each raises `ApiError`.
    """

    noun: str
    arn_type: str
    note: str
    has_update: bool = False
    is_executed: bool = False
    refused_members: tuple[str, ...] = ()
    role: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    status: Status | None = None
    sort_by: str = "CreationTime"
    order: str = "Descending"
    filters: Mapping[str, Callable[[Record, Any], bool]] = field(default_factory=dict)
    check: Callable[[Call, ControlPlane], None] = _accept
    admit: Callable[[Rows, Caller, Mapping[str, Any]], None] = _accept
    may_delete: Callable[[Rows, Record], None] = _accept
    exists: Callable[[str], ApiError] = lambda arn: invalid(f"Cannot create an already existing resource: {arn}")
    unknown: Callable[[str], ApiError] = lambda arn: invalid(f"RecordNotFound: {arn}")

    @property
    def key(self) -> str:
        """Its name among the kinds of all services."""
        return f"sagemaker:{self.arn_type}"

    @property
    def name_member(self) -> str:
        return f"{self.noun}Name"

    @property
    def arn_member(self) -> str:
        return f"{self.noun}Arn"

    def arn(self, caller: Caller, name: str) -> str:
        return resource_arn(caller, self.arn_type, name)

    def found(self, rows: Rows, arn: str) -> Record:
        """Raises the kind's own error if there is none."""
        record = rows.get(arn)
        if record is None:
            raise self.unknown(arn)
        return record

    def described(self, record: Record) -> dict[str, Any]:
        """All that is known of a resource, in the words of Describe."""
        status = {self.status.member: record.status} if self.status else {}
        return {
            **self.defaults,
            **{self.shown.get(member, member): value for member, value in record.spec.items()},
            self.name_member: record.name,
            self.arn_member: record.id,
            **status,
            "CreationTime": datetime.fromtimestamp(record.created_at, UTC),
            "LastModifiedTime": datetime.fromtimestamp(record.modified_at, UTC),
        }


class RecordedKind:
    """The operations of a kind; `operations` is what the endpoint takes over."""

    def __init__(self, kind: Kind, store: RecordedStore, control_plane: ControlPlane) -> None:
        self.kind = kind
        self._store = store
        self._control_plane = control_plane

    def operations(self) -> Mapping[str, Operation]:
        noun, note = self.kind.noun, self.kind.note
        operation = executed if self.kind.is_executed else recorded
        found = {
            f"Create{noun}": operation(self.create, note, refused_members=self.kind.refused_members),
            f"Describe{noun}": operation(self.describe, note),
            f"List{noun}s": operation(self.list, note),
            f"Delete{noun}": operation(self.delete, note),
        }
        if self.kind.has_update:
            found[f"Update{noun}"] = operation(self.update, note)
        moves = self.kind.status.moves if self.kind.status else {}
        return found | {name: recorded(self._moving(move), move.note) for name, move in moves.items()}

    def create(self, call: Call) -> dict[str, Any]:
        kind, name = self.kind, call.params[self.kind.name_member]
        arn, tags = kind.arn(call.caller, name), tags_given(call)
        authorize_create(self._control_plane, call.caller, call.operation, arn, tags)
        self._check(call)
        check_tag_count(tags)
        spec = self._spec(call)

        def work(rows: Rows) -> None:
            if rows.get(arn) is not None:
                raise kind.exists(arn)
            kind.admit(rows, call.caller, spec)
            first = kind.status.first if kind.status else ""
            rows.insert(Record(arn, kind.key, scope_of(call.caller), name, spec, first))
            rows.put_tags(arn, tags)

        self._store.change(work)
        return {kind.arn_member: arn}

    def describe(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)
        with self._store.look() as rows:
            return self.kind.described(self.kind.found(rows, arn))

    def list(self, call: Call) -> dict[str, Any]:
        self._control_plane.authorize(call.caller, f"sagemaker:{call.operation}", "*")
        with self._store.look() as rows:
            found, token = list_page(
                rows,
                self._question(call),
                limit=call.params.get("MaxResults", _PAGE_SIZE),
                token=call.params.get("NextToken"),
                request=call.params,
            )
        return {_list_member(call.operation): [self.kind.described(each) for each in found], "NextToken": token}

    def update(self, call: Call) -> dict[str, Any]:
        kind, arn = self.kind, self._authorized(call)
        self._check(call)
        given = self._spec(call)
        gone = [member for switch, member in kind.removed.items() if given.pop(switch, False)]

        def work(rows: Rows) -> None:
            record = self._settled(rows, arn, "Updating")
            kept = {member: value for member, value in record.spec.items() if member not in gone}
            kind.admit(rows, call.caller, given)
            rows.update(record, spec=kept | given)

        self._store.change(work)
        return {kind.arn_member: arn}

    def delete(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)

        def work(rows: Rows) -> None:
            record = self._settled(rows, arn, "Deleting")
            self.kind.may_delete(rows, record)
            rows.delete(record)

        self._store.change(work)
        return {}

    def exists(self, rows: Rows, arn: str) -> bool:
        """For `Tagging`."""
        return rows.get(arn) is not None

    def _moving(self, move: StatusOperation) -> Handler:
        def handler(call: Call) -> dict[str, Any]:
            arn = self._authorized(call)

            def work(rows: Rows) -> None:
                record = self.kind.found(rows, arn)
                self._check_status(record, move.before, move.after)
                rows.update(record, status=move.after)

            self._store.change(work)
            return {}

        return handler

    def _authorized(self, call: Call) -> str:
        arn = self.kind.arn(call.caller, call.params[self.kind.name_member])
        authorize_on(self._control_plane, call, arn, self._store.tags)
        return arn

    def _check(self, call: Call) -> None:
        if self.kind.role in call.params:
            self._control_plane.pass_role(call.caller, call.params[self.kind.role], SERVICE_PRINCIPAL)
        self.kind.check(call, self._control_plane)

    def _spec(self, call: Call) -> dict[str, Any]:
        left = ("Tags", self.kind.name_member)
        return {member: value for member, value in call.params.items() if member not in left}

    def _settled(self, rows: Rows, arn: str, after: str) -> Record:
        record = self.kind.found(rows, arn)
        if self.kind.status is not None:
            self._check_status(record, self.kind.status.settled, after)
        return record

    def _check_status(self, record: Record, wanted: str, after: str) -> None:
        if record.status != wanted:
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.kind.noun)
            raise invalid(
                f"Status ({record.status}) not in ([{wanted}]). Unable to transition to ({after}) for {words} "
                f"({record.id})"
            )

    def _question(self, call: Call) -> ListQuery:
        params, kind = call.params, self.kind
        wanted = {member: params[member] for member in kind.filters if member in params}
        times = {name: params[member].timestamp() for member, name in _TIMES.items() if member in params}
        return ListQuery(
            kind.key,
            scope_of(call.caller),
            sort_by=_SORTS[params.get("SortBy", kind.sort_by)],
            descending=params.get("SortOrder", kind.order) == "Descending",
            status=params.get("StatusEquals"),
            contains=params.get("NameContains", ""),
            prefix=params.get(f"{kind.noun}NamePrefix", ""),
            matches=_matching(kind, wanted) if wanted else None,
            **times,
        )


def resource_arn(caller: Caller, arn_type: str, name: str) -> str:
    """SageMaker writes names in ARNs in lower case."""
    return f"arn:aws:sagemaker:{caller.region}:{caller.account_id}:{arn_type}/{name.lower()}"


def _matching(kind: Kind, wanted: Mapping[str, Any]) -> Callable[[Record], bool]:
    return lambda record: all(kind.filters[member](record, value) for member, value in wanted.items())


def _list_member(operation: str) -> str:
    """What the answer of a List operation calls its list."""
    shape = service_model("sagemaker").operation_model(operation).output_shape
    members = shape.members if shape is not None else {}
    return next(name for name, member in members.items() if member.type_name == "list")
