"""What ended more than 90 days ago is let go of, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from trainworks.twin.emulator.durable.change_tracking import ChangeTracker, TouchedDict
from trainworks.twin.emulator.ended import _run, _stack, forget

NOW = datetime(2030, 6, 1, tzinfo=UTC)


def test_what_ended_long_ago_goes_and_what_runs_stays() -> None:
    runs = TouchedDict(ChangeTracker(), "stepfunctions._executions")
    runs["old"] = {"status": "FAILED", "stopDate": "2030-01-01T00:00:00.000Z"}
    runs["new"] = {"status": "SUCCEEDED", "stopDate": "2030-05-01T00:00:00.000Z"}
    runs["running"] = {"status": "RUNNING", "startDate": "2029-01-01T00:00:00.000Z", "stopDate": None}
    forget(runs, _run, NOW)
    assert set(runs.held()) == {"new", "running"}
    stacks = TouchedDict(ChangeTracker(), "cloudformation._stacks")
    stacks["gone"] = {"StackStatus": "DELETE_COMPLETE", "LastUpdatedTime": "2030-01-01T00:00:00.000Z"}
    stacks["lives"] = {"StackStatus": "CREATE_COMPLETE", "LastUpdatedTime": "2030-01-01T00:00:00.000Z"}
    forget(stacks, _stack, NOW)
    assert stacks.held() == ["lives"]
