"""What tasks report: the states of jobs follow their tasks, in the transaction of the events.

PLACED, RUNNING            -> STARTING, RUNNING; the output is followed from the start on
EXITED, LOST, CANCELLED    -> the attempt ends, at once where all output is in Logs, else when it has arrived there
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from sqlite3 import Connection

from trainworks.twin.ports import TaskEvent, TaskState
from trainworks.twin.services.batch.arns import job_of_task
from trainworks.twin.services.batch.attempts import apply_event
from trainworks.twin.services.batch.ledger import Entry, Ledger
from trainworks.twin.services.batch.output import Output
from trainworks.twin.services.batch.records import Job


class Reports:
    """`on_task_events` is told by the compute plane, `on_arrival` by the log shipper."""

    def __init__(self, ledger: Ledger, output: Output) -> None:
        self._ledger = ledger
        self._output = output

    def on_task_events(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        """`TaskListener`. The end of a task whose output is followed counts when all of that is in Logs."""
        with self._ledger.join(tx) as entry:
            entry.load({job_of_task(event.task_id)[0] for event in events})
            started = {
                event.task_id: job
                for event in events
                if event.state is TaskState.RUNNING and (job := _job_of(entry, event)) is not None
            }
            ends = {event.task_id: event for event in events if event.state.is_end}
            self._output.follow(tx, started, ends.keys())
            silent = set(self._output.finish(tx, ends, lambda task: json.dumps(asdict(ends[task]))))
            _apply(entry, [each for each in events if ends.get(each.task_id) is not each or each.task_id in silent])

    def on_arrival(self, tx: Connection, notes: Mapping[str, str]) -> None:
        """`Arrival`: these tasks have ended, and all that they printed is in Logs."""
        with self._ledger.join(tx) as entry:
            events = [_event_of(note) for note in notes.values() if note]
            entry.load({job_of_task(event.task_id)[0] for event in events})
            _apply(entry, events)


def _apply(entry: Entry, events: Iterable[TaskEvent]) -> None:
    for event in events:
        job = _job_of(entry, event)
        if job is not None:
            entry.put(apply_event(job, event, entry.spec(job).retry_strategy))


def _job_of(entry: Entry, event: TaskEvent) -> Job | None:
    """The job whose present attempt an event is about; None if that is over, or was never begun."""
    job_id, attempt = job_of_task(event.task_id)
    job = entry.get(job_id)
    return None if job is None or job.is_terminal or job.attempt != attempt or not job.dispatched else job


def _event_of(note: str) -> TaskEvent:
    told = json.loads(note)
    return TaskEvent(**{**told, "state": TaskState(told["state"])})
