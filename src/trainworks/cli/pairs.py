"""`NAME=VALUE` options of the command line."""

from __future__ import annotations

from collections.abc import Sequence

from trainworks.errors import RequestError


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping. Raises `RequestError` for one without `=`."""
    parsed = {}
    for each in given or ():
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise RequestError(f"{option} {each!r}: expected NAME=VALUE", fix=f"{option} NAME=VALUE")
        parsed[name] = value
    return parsed
