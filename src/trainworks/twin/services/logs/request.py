"""What the operations of Logs have in common: names, ARNs, authorization, page tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.recorded.tags import request_keys, resource_keys
from trainworks.twin.services.logs.store import LogStore, Scope
from trainworks.twin.wire import Call

_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_STREAM_NAME = re.compile(r"[^:*]{1,512}", re.DOTALL)
_MAX_TAGS = 50
MOST_INTEGER = 2**62
"""What a place or a time may be: SQLite has 64 bits."""


class Requests:
    """Finds what a request names, and asks whether the caller may."""

    def __init__(self, store: LogStore, control_plane: ControlPlane) -> None:
        self.store = store
        self._control_plane = control_plane

    def group(self, call: Call, member: str = "logGroupName") -> Row:
        """The group that a request names by `logGroupName` or `logGroupIdentifier`; the caller may do the operation.

        Raises `InvalidParameterException`, `AccessDeniedException`, `ResourceNotFoundException`.
        """
        name = group_name(call.params, call.caller, member)
        self.authorize(call, name, str(call.params.get("logStreamName", "")))
        return self.existing_group(call.caller, name)

    def existing_group(self, caller: Caller, name: str) -> Row:
        group = self.store.group(scope_of(caller), name)
        if group is None:
            raise missing("log group")
        return group

    def stream(self, call: Call) -> tuple[Row, Row]:
        """Group and stream that a request names; the caller may do the operation."""
        group = self.group(call)
        stream = self.store.stream(group, call.params["logStreamName"])
        if stream is None:
            raise missing("log stream")
        return group, stream

    def authorize(self, call: Call, group: str, stream: str = "", action: str = "") -> None:
        """Logs are checked on the stream, and a group on an empty one: `...:log-group:NAME:log-stream:`."""
        arn = f"{group_arn(call.caller, group)}:log-stream:{stream}"
        self._control_plane.authorize(
            call.caller, f"logs:{action or call.operation}", arn, self._context(call, group)
        )  # fmt: skip

    def authorize_arn(self, call: Call, arn: str, group: str = "") -> None:
        """The tagging operations are checked on the ARN of the group itself."""
        self._control_plane.authorize(call.caller, f"logs:{call.operation}", arn, self._context(call, group))

    def _context(self, call: Call, group: str) -> Mapping[str, str | Sequence[str]]:
        context: dict[str, str | Sequence[str]] = {}
        tags = call.params.get("tags")
        if isinstance(tags, Mapping):
            context |= request_keys(tags)
        elif keys := tags or call.params.get("tagKeys"):
            context["aws:TagKeys"] = list(keys)
        row = self.store.group(scope_of(call.caller), group) if group else None
        if row is not None:
            context |= resource_keys(json.loads(row["tags"]))
        return context


def scope_of(caller: Caller) -> Scope:
    return caller.account_id, caller.region


def group_arn(caller: Caller, name: str) -> str:
    """The ARN of a group, without the `:*` that stands for its streams."""
    return f"arn:aws:logs:{caller.region}:{caller.account_id}:log-group:{name}"


def missing(kind: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"The specified {kind} does not exist.")


def invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def group_name(params: Mapping[str, Any], caller: Caller, member: str = "logGroupName") -> str:
    """The name that a request gives in `logGroupName` or, as name or ARN, in `logGroupIdentifier`."""
    name, identifier = params.get(member), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier has to be given.")
    return str(name) if name is not None else name_of_identifier(str(identifier), caller)


def name_of_identifier(identifier: str, caller: Caller) -> str:
    """The group's name in a name or an ARN of this account and region."""
    if not identifier.startswith("arn:"):
        return identifier
    parts = identifier.split(":", 6)
    if len(parts) < 7 or parts[2] != "logs" or parts[5] != "log-group":
        raise invalid(f"'{identifier}' is not the ARN of a log group")
    if (parts[4], parts[3]) != (caller.account_id, caller.region):
        raise missing("log group")
    if parts[6].endswith(":*"):
        raise invalid(f"The ARN of a log group cannot end with :* here: '{identifier}'")
    return parts[6]


def check_group_name(name: str) -> None:
    if not _GROUP_NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    if name.startswith("aws/"):
        raise invalid(f"Log groups starting with AWS/ are reserved for AWS: '{name}'")


def check_stream_name(name: str) -> None:
    if not _STREAM_NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [^:*]*"
        )


def check_tags(tags: Mapping[str, str], *, is_internal: bool = False) -> None:
    """Raise for too many tags, and for a client's that AWS reserves."""
    if len(tags) > _MAX_TAGS:
        raise ApiError(
            "TooManyTagsException", f"A resource can have at most {_MAX_TAGS} tags; it would have {len(tags)}."
        )
    for key in tags:
        if key.lower().startswith("aws:") and not is_internal:
            raise invalid(f"The tag key '{key}' begins with aws:, which is reserved for AWS.")


def behind(prefix: str) -> str:
    """A text that sorts behind everything that begins with `prefix`, in SQLite's order of UTF-8 bytes."""
    return prefix + "\U0010ffff"


def encode_token(place: Sequence[Any], call: Call) -> str:
    """A page token: the place behind the last item, bound to the question."""
    return base64.urlsafe_b64encode(json.dumps([_question(call), *place]).encode()).decode()


def decode_token(call: Call, *types: type) -> list[Any] | None:
    """The place in the request's `nextToken`, of values of these types, or None. Raises `InvalidParameterException`."""
    token = call.params.get("nextToken")
    if token is None:
        return None
    try:
        question, *place = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise invalid("The specified nextToken is invalid.") from None
    if question != _question(call):
        raise invalid("The specified nextToken belongs to another request.")
    if len(place) != len(types) or not all(map(_is_valid, place, types)):
        raise invalid("The specified nextToken is invalid.")
    return list(place)


def refuse_token(call: Call) -> None:
    """Of an operation whose answer is always one page: it gives no token. Raises `InvalidParameterException`."""
    if "nextToken" in call.params:
        raise invalid("The specified nextToken is invalid.")


def _is_valid(value: Any, kind: type) -> bool:
    """Whether a value out of a token is one that a query takes."""
    if kind is int:
        return type(value) is int and -MOST_INTEGER <= value <= MOST_INTEGER
    return isinstance(value, str) and value.isprintable()


def _question(call: Call) -> str:
    kept = {name: value for name, value in call.params.items() if name not in ("nextToken", "limit", "maxResults")}
    return hashlib.sha256(json.dumps([call.operation, kept], sort_keys=True, default=str).encode()).hexdigest()[:16]
