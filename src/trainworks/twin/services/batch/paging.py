"""One page of the environments or queues that a Describe operation was asked for, by name or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Row
from typing import Any

from trainworks.twin.services.batch.arns import arn_of
from trainworks.twin.wire import Call, page

_PAGE_SIZE = 100


def described_page(call: Call, rows: Sequence[Row], kind: str, names: str) -> tuple[Sequence[Row], Mapping[str, str]]:
    """The rows (each with its `arn`) of this page, and `nextToken` where there are more.

    `kind` is the resource's in its ARN; `names` the request's member that lists names or ARNs.
    """
    params: Mapping[str, Any] = call.params
    if names in params:
        wanted = {arn_of(call.caller, kind, each) for each in params[names]}
        rows = [row for row in rows if row["arn"] in wanted]
    chosen, token = page(
        rows,
        key=lambda row: [row["arn"]],
        limit=params.get("maxResults", _PAGE_SIZE),
        token=params.get("nextToken"),
        request=params,
        error_code="ClientException",
    )
    return chosen, {"nextToken": token} if token else {}
