"""What ended more than 90 days ago is let go of, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from trainworks.twin.emulator.durable.journal import Journal, TouchedDict
from trainworks.twin.emulator.ended import _run, _stack, forget, forget_archived

NOW = datetime(2030, 6, 1, tzinfo=UTC)


def test_what_ended_long_ago_goes_and_what_runs_stays() -> None:
    runs = TouchedDict(Journal(), "stepfunctions._executions")
    runs["old"] = {"status": "FAILED", "stopDate": "2030-01-01T00:00:00.000Z"}
    runs["new"] = {"status": "SUCCEEDED", "stopDate": "2030-05-01T00:00:00.000Z"}
    runs["running"] = {"status": "RUNNING", "startDate": "2029-01-01T00:00:00.000Z", "stopDate": None}
    forget(runs, _run, NOW)
    assert set(runs.held()) == {"new", "running"}
    stacks = TouchedDict(Journal(), "cloudformation._stacks")
    stacks["gone"] = {"StackStatus": "DELETE_COMPLETE", "LastUpdatedTime": "2030-01-01T00:00:00.000Z"}
    stacks["lives"] = {"StackStatus": "CREATE_COMPLETE", "LastUpdatedTime": "2030-01-01T00:00:00.000Z"}
    forget(stacks, _stack, NOW)
    assert stacks.held() == ["lives"]


def test_events_leave_an_archive_after_the_days_that_it_keeps_them() -> None:
    archives = TouchedDict(Journal(), "eventbridge._archives")
    now = NOW.timestamp()
    for name, days in (("week", 7), ("month", 30), ("ever", 0), ("none yet", 1)):
        ages = () if name == "none yet" else (40, 8, 6, 0)
        events = [{"Time": int(now) - age * 86_400} for age in ages]
        archives[name] = {"RetentionDays": days, "Events": events, "EventCount": len(events)}
    archives.journal.due()
    forget_archived(archives, now)
    kept = {name: len(archives.stored(name)["Events"]) for name in archives.held()}
    assert kept == {"week": 2, "month": 3, "ever": 4, "none yet": 0}
    assert {name: archives.stored(name)["EventCount"] for name in kept} == kept
    assert archives.journal.due() == {(archives, "week"), (archives, "month")}
    forget_archived(archives, now)
    assert archives.journal.due() == set()
