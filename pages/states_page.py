"""states.md and its two pictures: which state of a job may follow which, from `trainworks.states`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pictures import Picture, Point

from trainworks.states import batch_job, training_job
from trainworks.states.batch_job import JobStatus
from trainworks.states.training_job import SecondaryStatus

State = TypeVar("State", bound=StrEnum)
Cell = tuple[int, int]

_TRAINING: dict[SecondaryStatus, Cell] = {
    SecondaryStatus.STARTING: (0, 0),
    SecondaryStatus.DOWNLOADING: (1, 0),
    SecondaryStatus.TRAINING: (2, 0),
    SecondaryStatus.UPLOADING: (3, 0),
    SecondaryStatus.COMPLETED: (4, 0),
    SecondaryStatus.RESTARTING: (1, 1),
    SecondaryStatus.INTERRUPTED: (2, 1),
    SecondaryStatus.STOPPING: (3, 1),
    SecondaryStatus.STOPPED: (4, 1),
}
_TRAINING_ARROWS = (
    "Starting Downloading", "Downloading Training", "Training Uploading", "Uploading Completed",
    "Training Interrupted", "Interrupted Restarting", "Restarting Starting",
    "Training Stopping", "Stopping Uploading", "Stopping Stopped",
)  # fmt: skip
_BATCH: dict[JobStatus, Cell] = {
    JobStatus.SUBMITTED: (0, 0),
    JobStatus.PENDING: (1, 0),
    JobStatus.RUNNABLE: (2, 0),
    JobStatus.STARTING: (3, 0),
    JobStatus.RUNNING: (4, 0),
    JobStatus.SUCCEEDED: (4, 1),
}
_BATCH_ARROWS = (
    "SUBMITTED PENDING", "PENDING RUNNABLE", "RUNNABLE STARTING", "STARTING RUNNING", "RUNNING SUCCEEDED",
    "RUNNING RUNNABLE",
)  # fmt: skip
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _LEFT, _TOP = 120, 34, 150, 90, 20, 40


def page() -> str:
    """The page of legal state changes."""
    return "\n".join(
        [
            "# States",
            "",
            "The states that a job can be in on the twin, and which may follow which. They are AWS's, from",
            "`src/trainworks/states/`; the twin makes no other change.",
            "",
            "## Training job: `SecondaryStatus`",
            "",
            "![The usual way of a training job, with the loop of an interruption](../images/states-training-job.svg)",
            "",
            "The picture shows the usual way. The table has every change.",
            "",
            "| SecondaryStatus | TrainingJobStatus | may become |",
            "|---|---|---|",
            *(
                f"| {state} | {training_job.status_of(state)} | {_following(training_job.NEXT, state)} |"
                for state in training_job.SecondaryStatus
            ),
            "",
            "## Batch job: `status`",
            "",
            "![The usual way of a batch job, with the loop of another attempt](../images/states-batch-job.svg)",
            "",
            "| status | may become |",
            "|---|---|",
            *(f"| {state} | {_following(batch_job.NEXT, state)} |" for state in batch_job.JobStatus),
            "",
        ]
    )


def training_picture() -> str:
    """The usual way of a training job."""
    return _drawn("The usual way of a training job", _TRAINING, _TRAINING_ARROWS, training_job.NEXT)


def batch_picture() -> str:
    """The usual way of a batch job."""
    return _drawn("The usual way of a batch job", _BATCH, _BATCH_ARROWS, batch_job.NEXT)


def _following(following: Mapping[State, frozenset[State]], state: State) -> str:
    return ", ".join(sorted(following.get(state, frozenset()))) or "the end of the job"


def _drawn(
    title: str, cells: Mapping[State, Cell], arrows: tuple[str, ...], following: Mapping[State, frozenset[State]]
) -> str:
    by_name = {str(state): state for state in cells}
    picture = Picture(title, 2 * _LEFT + 4 * _ACROSS + _WIDTH, _TOP + _DOWN + _HEIGHT + 30)
    for arrow in arrows:
        before, after = (by_name[name] for name in arrow.split())
        if after not in following[before]:
            raise SystemExit(f"pages/states_page.py draws {before} to {after}, which is not a legal change")
        picture.arrow(*_ends(cells[before], cells[after]))
    for state, cell in cells.items():
        x, y = _corner(cell)
        picture.box((x, y), (_WIDTH, _HEIGHT), "box" if following.get(state) else "end")
        picture.words(str(state), (x + _WIDTH / 2, y + 22))
    (failed,) = {str(state) for each in following.values() for state in each if str(state).lower() == "failed"}
    if all(failed in each for each in following.values() if each):
        said = f"Every state before the end may become {failed}."
        picture.words(said, (_LEFT, 20), middle=False, small=True)
    return picture.svg()


def _corner(cell: Cell) -> Point:
    return _LEFT + cell[0] * _ACROSS, _TOP + cell[1] * _DOWN


def _ends(start: Cell, end: Cell) -> tuple[Point, Point, float]:
    """Where an arrow between two boxes begins and ends, and how much it bends to go round the boxes between."""
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    if start[1] == end[1]:
        if abs(start[0] - end[0]) > 1:
            return (x1 + _WIDTH / 2, y1 + _HEIGHT), (x2 + _WIDTH / 2, y2 + _HEIGHT), 70
        rightward = end[0] > start[0]
        middle = y1 + _HEIGHT / 2
        return (x1 + _WIDTH * rightward, middle), (x2 + _WIDTH * (not rightward), middle), 0
    down = end[1] > start[1]
    return (x1 + _WIDTH / 2, y1 + _HEIGHT * down), (x2 + _WIDTH / 2, y2 + _HEIGHT * (not down)), 0
