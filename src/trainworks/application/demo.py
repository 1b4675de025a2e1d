"""The demo: the main job on the twin, on real data, with everything that it found out at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from trainworks.application import demo_steps as steps
from trainworks.application.templates import synthesized
from trainworks.errors import JobError
from trainworks.jobs import open_platform
from trainworks.twin import lifecycle
from trainworks.twin.home import default_home

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trainworks.deploy.deployer import UpResult
    from trainworks.deploy.progress import Progress as DeployProgress
    from trainworks.jobs import BatchJob
    from trainworks.jobs.job import Progress, Transition

REQUIRED_ACCURACY = 0.9


class Audience(Protocol):
    """Who watches the demo."""

    def heading(self, text: str) -> None:
        """What comes next."""

    def meanwhile(self, what: str) -> AbstractContextManager[object]:
        """What takes seconds, for as long as it does."""

    def deployment(self, progress: DeployProgress) -> None:
        """How far the deployment is."""

    def job(self, progress: Progress) -> None:
        """What a job says, and its states."""


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """What the demo found out, by name; nothing in `summary` is known beforehand."""

    summary: dict[str, Any]
    accuracy: steps.Accuracy


def demonstrate(port: int | None, audience: Audience) -> Demonstrated:
    """Start the twin (on `port`, if it does not run), deploy, train through an interruption, predict, evaluate.

    Leaves the twin running with everything in it. Raises what the step that fails raises.
    """
    example = steps.example_folder()
    watch = steps.Stopwatch()
    with watch.step("start the twin"):
        server = lifecycle.start(default_home(), port)
    audience.heading(f"the twin answers at {server.endpoint_url}")
    with watch.step("synthesize"):
        assembly = synthesized("local", audience.meanwhile)
    audience.heading(f"deploying {assembly.stack_name} through CloudFormation")
    with watch.step("deploy"):
        deployed = steps.deploy(audience.deployment)
    platform = open_platform("local")
    with steps.digits(example) as data:
        with watch.step("upload the data"):
            uris = steps.upload(platform, data)
        audience.heading(f"1,797 handwritten digits: {', '.join(uris)}")
        audience.heading(
            f"training on managed spot; the instance is taken away after epoch {steps.INTERRUPT_AFTER_EPOCH}"
        )
        with watch.step("train"):
            trained = steps.train(platform, example, audience.job)
        audience.heading("batch inference: an array of 8 over the held-out images")
        with watch.step("predict"):
            predicted = steps.predict(platform, example, trained.job, audience.job)
        with watch.step("evaluate"):
            accuracy = steps.evaluate(platform, predicted, data / "labels")
    return Demonstrated(_summary(deployed, trained, predicted, accuracy, watch.seconds), accuracy)


def refuse_inaccurate(accuracy: steps.Accuracy) -> None:
    """Raises `JobError` if the predictions are not as good as they should be."""
    if accuracy.share <= REQUIRED_ACCURACY:
        raise JobError(f"accuracy {accuracy.share:.3f} is not above {REQUIRED_ACCURACY}", fix="see the log above")


def _summary(
    deployed: UpResult,
    trained: steps.Trained,
    predicted: BatchJob,
    accuracy: steps.Accuracy,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    job = trained.job.facts()
    return {
        "stack_name": deployed.stack_name,
        "stack_status": deployed.status,
        "resources_created": sum(change.action == "Add" for change in deployed.changes.walk())
        if deployed.changes
        else 0,
        "seconds": {name: round(taken, 2) for name, taken in seconds.items()},
        "training_job": job,
        "interruption": {
            "seconds_until_training_again": _seconds_until_training_again(trained.job.snapshot().transitions),
            "repeated_epochs": trained.repeated_epochs,
        },
        "batch_job": predicted.facts(),
        "predictions_uri": accuracy.predictions_uri,
        "correct": accuracy.correct,
        "images": accuracy.total,
        "accuracy": round(accuracy.share, 4),
    }


def _seconds_until_training_again(transitions: Sequence[Transition]) -> float | None:
    """From the first `Interrupted` to the next `Training`; None if there is no such pair."""
    interrupted = next((each.at for each in transitions if each.status == "Interrupted"), None)
    if interrupted is None:
        return None
    again = (each.at for each in transitions if each.status == "Training" and each.at and each.at >= interrupted)
    resumed = next(again, None)
    return None if resumed is None else round((resumed - interrupted).total_seconds(), 2)
