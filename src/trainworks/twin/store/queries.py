"""Named queries out of a component's `queries.sql`: all its SQL in one file, next to its code.

-- name: job_by_id
SELECT * FROM batch_job WHERE job_id = :job_id;
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries:
    """The statements of one file by name; an unknown name is a `KeyError` at once, not an empty statement."""

    def __init__(self, text: str) -> None:
        parts = _NAME.split(text)
        self._statements = {
            name: statement.strip().rstrip(";") for name, statement in zip(parts[1::2], parts[2::2], strict=True)
        }

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)


def load_sql(package: str, file_name: str) -> str:
    """The text of a SQL file that is shipped with `package`."""
    return resources.files(package).joinpath(file_name).read_text(encoding="utf-8")


def load_queries(package: str, file_name: str = "queries.sql") -> Queries:
    """The named queries of a SQL file that is shipped with `package`."""
    return Queries(load_sql(package, file_name))
