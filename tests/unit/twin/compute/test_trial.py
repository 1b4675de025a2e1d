"""The trial of the sandbox: what it says holds, and one that was killed says nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest

from trainworks.twin.compute.sandbox.trial import try_sandbox

SAID = CompletedProcess([], 0, json.dumps({"mode": "user", "why_not": ""}), "")
KILLED = CompletedProcess([], -9, "", "")


def trials(*ends: CompletedProcess[str]) -> Callable[[], CompletedProcess[str]]:
    left: Iterator[CompletedProcess[str]] = iter(ends)
    return lambda: next(left)


def test_a_trial_that_was_killed_is_made_again() -> None:
    assert try_sandbox(trials(KILLED, KILLED, SAID)) == ("user", "")


def test_a_trial_that_is_killed_each_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="the trial ended with -9"):
        try_sandbox(trials(KILLED, KILLED, KILLED))


def test_a_trial_that_failed_is_not_made_again() -> None:
    with pytest.raises(ValueError, match="the trial ended with 1: no such module"):
        try_sandbox(trials(CompletedProcess([], 1, "", "no such module\n"), SAID))
