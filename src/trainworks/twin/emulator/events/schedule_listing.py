"""Schedules and their groups, page by page: stock cuts a list at `MaxResults`, without a token for the next page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_LISTS = {
    "_list_schedules": ("Schedules", ("GroupName", "Name")),
    "_list_schedule_groups": ("ScheduleGroups", ("Name",)),
}
_MOST = 100
_ALL = 1 << 40


def install(scheduler: Any) -> None:
    """EventBridge Scheduler was loaded."""
    for name, (member, key) in _LISTS.items():
        setattr(scheduler, name, _paged(scheduler, getattr(scheduler, name), member, key))


def _paged(scheduler: Any, stock: Callable[..., Any], member: str, key: tuple[str, ...]) -> Callable[..., Any]:
    """In the order of keys: a page begins after the last key of the one before, whatever comes and goes."""

    def listed(query: Mapping[str, Any]) -> Any:
        status, headers, body = stock({**query, "MaxResults": _ALL})
        if status != 200:
            return status, headers, body
        found = sorted(([each[part] for part in key], each) for each in json.loads(body)[member])
        token, most = query.get("NextToken"), int(query.get("MaxResults") or _MOST)
        behind = [each for each in found if not token or each[0] > json.loads(token)]
        page = behind[:most]
        answer = {member: [each for _, each in page]}
        return scheduler._json_resp(
            200, answer | ({"NextToken": json.dumps(page[-1][0])} if len(behind) > most else {})
        )

    return listed
