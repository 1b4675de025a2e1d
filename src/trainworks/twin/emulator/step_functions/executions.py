"""Executions of Step Functions on disk: each step is, and what a restart ended says so.

An execution runs in a thread, which does not outlive the server. A task token belongs to the thread that waits for it;
it holds a lock and is not stored as a row. After a restart what ran is FAILED, and its tokens are unknown:
`TaskDoesNotExist`.
"""

from __future__ import annotations

from typing import Any

TRANSIENT = frozenset({"stepfunctions._task_tokens"})
"""What only a waiting thread can use."""


def install(stepfunctions: Any) -> None:
    """Step Functions was loaded, and its executions are back from disk."""
    stock = stepfunctions._add_event

    def add_event(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        event = stock(execution, event_type, details)
        # The thread holds the execution itself and changes it without looking it up.
        stepfunctions._executions.get(execution.get("executionArn"))
        return event

    stepfunctions._add_event = add_event
    _end_interrupted(stepfunctions)


def _end_interrupted(stepfunctions: Any) -> None:
    rows = stepfunctions._executions._data
    for key in [key for key, each in dict.items(rows) if each.get("status") == "RUNNING"]:
        execution = rows[key]
        cause = "The twin was restarted while the execution ran. Start it again."
        execution |= {
            "status": "FAILED",
            "error": "States.Runtime",
            "cause": cause,
            "stopDate": stepfunctions.now_iso(),
        }
        details = {"executionFailedEventDetails": {"error": "States.Runtime", "cause": cause}}
        stepfunctions._add_event(execution, "ExecutionFailed", details)
    tasks = stepfunctions._activity_tasks._data
    for activity in list(tasks):
        # Nobody waits for these any more.
        tasks[activity] = []
