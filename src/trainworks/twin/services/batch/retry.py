"""Whether a failed attempt is tried again: `retryStrategy` and its `evaluateOnExit`.

What a strategy may say is `aws.batch_constraints.retry_strategy_problems`.

Source: "Automated job retries" in the AWS Batch user guide; botocore shapes `RetryStrategy`, `EvaluateOnExit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, in the words that the rules are compared with."""

    exit_code: int | None
    reason: str
    status_reason: str


def should_retry(strategy: Mapping[str, Any], attempt: int, end: AttemptEnd) -> bool:
    """Whether attempt number `attempt` (from 1), which failed with `end`, is followed by another.

    The first rule whose conditions all hold decides; if none does, the job is retried.
    """
    if attempt >= strategy.get("attempts", 1):
        return False
    for rule in strategy.get("evaluateOnExit", []):
        if _holds(rule, end):
            return bool(rule["action"].upper() == "RETRY")
    return True


def _holds(rule: Mapping[str, str], end: AttemptEnd) -> bool:
    exit_code = "" if end.exit_code is None else str(end.exit_code)
    observed = {"onExitCode": exit_code, "onReason": end.reason, "onStatusReason": end.status_reason}
    return all(_matches(rule[name], value) for name, value in observed.items() if name in rule)


def _matches(pattern: str, value: str) -> bool:
    """Globs of Batch: no case, and a trailing asterisk is the only wildcard."""
    pattern, value = pattern.lower(), value.lower()
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
