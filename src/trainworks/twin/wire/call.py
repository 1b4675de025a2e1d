"""What a service sees of a request, and what the endpoint gets back: the wire's own records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trainworks.twin.ports import Caller


@dataclass(frozen=True, slots=True)
class Call:
    """One validated request. `params` has the operation's input shape as boto3 takes it: Python values by member name.

    Timestamps are aware `datetime` in UTC, blobs are `bytes`, absent members are absent. `is_internal` says that it is
    no request of a client: CloudFormation calls for one of its resources, and may set tags that AWS reserves.
    """

    operation: str
    params: dict[str, Any]
    caller: Caller
    request_id: str = ""
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request whose signature was checked.

    Header names are in lower case, `query` is decoded; `path` is as it was sent, so that a `%2F` in a label is not a
    `/`. `form` keeps what a form was read as, which is asked for more than once: see `protocols.query`.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes
    form: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Handler = Callable[[Call], Mapping[str, Any]]
"""An operation: takes a call, returns the output shape as boto3 gives it, raises `ApiError`."""


class Fidelity(StrEnum):
    """How far an operation goes. What has no entry is refused with an error that names it."""

    EXECUTED = "executed"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler with its fidelity. `note` says what differs from AWS, in one sentence, or is empty.

    `refused_members` are paths of request members (`a.b`) that are refused by name when they hold anything.
    """

    handler: Handler
    fidelity: Fidelity
    note: str = ""
    refused_members: tuple[str, ...] = field(default=())


def executed(handler: Handler, note: str = "", *, refused_members: tuple[str, ...] = ()) -> Operation:
    """An operation that does what AWS's does."""
    return Operation(handler, Fidelity.EXECUTED, note, refused_members)


def recorded(handler: Handler, note: str = "", *, refused_members: tuple[str, ...] = ()) -> Operation:
    """An operation that stores what it is given and describes it again, and claims no behaviour."""
    return Operation(handler, Fidelity.RECORDED, note, refused_members)
