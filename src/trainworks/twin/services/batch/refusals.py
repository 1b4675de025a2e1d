"""Problems that a pure check found, as the error that Batch answers with."""

from __future__ import annotations

from collections.abc import Iterable

from trainworks.aws.batch_constraints import Problem
from trainworks.twin.ports import ApiError


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `ClientException` with the first problem, if there is one: Batch names one at a time."""
    for problem in problems:
        raise ApiError("ClientException", problem.message)
