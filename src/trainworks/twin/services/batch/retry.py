"""Whether a failed attempt is tried again: `retryStrategy` and its `evaluateOnExit`.

Source: "Automated job retries" in the AWS Batch user guide; botocore shapes `RetryStrategy`, `EvaluateOnExit`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.twin.ports import ApiError

MAX_ATTEMPTS = 10
_MAX_RULES = 5
_TEXT_GLOB = re.compile(r"[A-Za-z0-9.:\s]{0,511}[A-Za-z0-9.:\s*]")
_EXIT_CODE_GLOB = re.compile(r"[0-9]{0,511}[0-9*]")


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, in the words that the rules are compared with."""

    exit_code: int | None
    reason: str
    status_reason: str


def check_retry_strategy(strategy: Mapping[str, Any]) -> None:
    """Raise `ClientException` for a strategy that Batch would refuse."""
    attempts = strategy.get("attempts", 1)
    if not 1 <= attempts <= MAX_ATTEMPTS:
        raise ApiError(
            "ClientException", f"RetryStrategy attempts must be between 1 and {MAX_ATTEMPTS}, not {attempts}"
        )
    rules: Sequence[Mapping[str, str]] = strategy.get("evaluateOnExit", [])
    if rules and "attempts" not in strategy:
        raise ApiError("ClientException", "RetryStrategy attempts must be specified if evaluateOnExit is specified")
    if len(rules) > _MAX_RULES:
        raise ApiError("ClientException", f"evaluateOnExit can have at most {_MAX_RULES} rules, not {len(rules)}")
    for rule in rules:
        _check_rule(rule)


def should_retry(strategy: Mapping[str, Any], attempt: int, end: AttemptEnd) -> bool:
    """Whether attempt number `attempt` (from 1), which failed with `end`, is followed by another.

    The first rule of which all conditions hold decides; where none does, the job is retried.
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


def _check_rule(rule: Mapping[str, str]) -> None:
    conditions = [name for name in ("onStatusReason", "onReason", "onExitCode") if name in rule]
    if not conditions:
        raise ApiError("ClientException", "evaluateOnExit requires onStatusReason, onReason or onExitCode in each rule")
    for name in conditions:
        glob = _EXIT_CODE_GLOB if name == "onExitCode" else _TEXT_GLOB
        if not glob.fullmatch(rule[name]):
            raise ApiError(
                "ClientException",
                f"evaluateOnExit {name} '{rule[name]}' is not valid: up to 512 "
                f"{'numbers' if name == 'onExitCode' else 'letters, numbers, periods, colons and white space'}, "
                "with an asterisk at the end only",
            )
