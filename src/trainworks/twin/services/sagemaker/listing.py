"""The filters, order and pages of ListTrainingJobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from trainworks.twin.services.sagemaker.records import TrainingJob
from trainworks.twin.wire import page

_DEFAULT_PAGE = 10
_KEYS: Mapping[str, Callable[[TrainingJob], list[Any]]] = {
    "Name": lambda job: [job.name],
    "CreationTime": lambda job: [job.creation_time, job.name],
    "Status": lambda job: [job.status.value, job.name],
}


def select(jobs: Sequence[TrainingJob], params: Mapping[str, Any]) -> tuple[list[TrainingJob], str | None]:
    """The page of `jobs` that a ListTrainingJobs request asks for, and the next token."""
    key = _KEYS[params.get("SortBy", "CreationTime")]
    descending = params.get("SortOrder", "Descending") == "Descending"
    chosen = sorted((job for job in jobs if _matches(job, params)), key=key, reverse=descending)
    return page(
        chosen,
        key=key,
        limit=params.get("MaxResults", _DEFAULT_PAGE),
        token=params.get("NextToken"),
        request=params,
        descending=descending,
    )


def _matches(job: TrainingJob, params: Mapping[str, Any]) -> bool:
    return (
        params.get("NameContains", "").lower() in job.name.lower()
        and params.get("StatusEquals", job.status.value) == job.status.value
        and _between(job.creation_time, params.get("CreationTimeAfter"), params.get("CreationTimeBefore"))
        and _between(job.last_modified_time, params.get("LastModifiedTimeAfter"), params.get("LastModifiedTimeBefore"))
    )


def _between(moment: float, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or moment > after.timestamp()) and (before is None or moment < before.timestamp())
