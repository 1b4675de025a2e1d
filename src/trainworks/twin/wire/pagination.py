"""Pages of a listing with an opaque `NextToken`.

A token names the position behind the last item by that item's own sort key, so that a page continues rightly when items
come and go between calls. It is bound to what was asked: a token used with other filters is refused, as on AWS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.validation import is_whole_text

Item = TypeVar("Item")
Key = list[Any]


def page(
    items: Sequence[Item],
    *,
    key: Callable[[Item], Key],
    limit: int,
    token: str | None,
    request: Mapping[str, Any],
    descending: bool = False,
    error_code: str = "ValidationException",
) -> tuple[list[Item], str | None]:
    """The page of `items` (sorted by `key`, unique) behind `token`, and the token of the next page or None.

    `key` gives JSON values; `request` are the call's parameters, which must stay the same from page to page (what names
    the page itself, `NextToken`/`nextToken` and `MaxResults`/`maxResults`, is left out of the comparison).
    """
    _check_limit(limit, error_code)
    question = _question(request)
    start = 0
    if token:
        after = _decode(token, question, error_code, key(items[0]) if items else None)
        start = _position(items, key, after, descending)
    chosen = list(items[start : start + limit])
    more = start + limit < len(items)
    return chosen, _encode(key(chosen[-1]), question) if more and chosen else None


def read_page(
    read: Callable[[Key | None, int], Sequence[Item]],
    *,
    key: Callable[[Item], Key],
    limit: int,
    token: str | None,
    request: Mapping[str, Any],
    like: Key,
    error_code: str = "ValidationException",
) -> tuple[list[Item], str | None]:
    """As `page`, of items that are in a database: `read(after, limit)` gives, in order, at most `limit` items behind
    the key `after` (None: from the first on). So a page costs what is on it, however long the listing is. `like` is a
    key of the same columns: a token that somebody made up has none of another form.
    """
    _check_limit(limit, error_code)
    question = _question(request)
    after = _decode(token, question, error_code, like) if token else None
    found = read(after, limit + 1)
    chosen = list(found[:limit])
    return chosen, _encode(key(chosen[-1]), question) if len(found) > limit and chosen else None


def _check_limit(limit: int, error_code: str) -> None:
    """Models of some services set no bound, and a database takes a negative one for none at all."""
    if limit < 1:
        raise ApiError(error_code, f"A page has room for at least 1 result, not for {limit}.")


def _position(items: Sequence[Item], key: Callable[[Item], Key], after: Key, descending: bool) -> int:
    for index, item in enumerate(items):
        behind = key(item) < after if descending else key(item) > after
        if behind:
            return index
    return len(items)


def _question(request: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in request.items() if name.lower() not in ("nexttoken", "maxresults")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _encode(after: Key, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([question, after]).encode()).decode()


def _decode(token: str, question: str, error_code: str, like: Key | None) -> Key:
    try:
        asked, after = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise ApiError(error_code, "The NextToken is invalid.") from error
    if asked != question or not isinstance(after, list):
        raise ApiError(error_code, "The NextToken is invalid for this request.")
    if like is not None and not _is_like(after, like):
        raise ApiError(error_code, "The NextToken is invalid.")
    return after


def _is_like(after: Key, like: Key) -> bool:
    """Whether the one can be compared with the other, by Python and by a database."""
    if len(after) != len(like):
        return False
    return all(
        isinstance(value, str) and is_whole_text(value) if isinstance(of, str) else _is_number(value)
        for value, of in zip(after, like, strict=True)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63)
