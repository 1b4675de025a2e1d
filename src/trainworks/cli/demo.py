"""`trainworks demo`: the main job on the twin, on real data, and one summary at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from trainworks.application import demo_steps as steps
from trainworks.cli.follow import still, transition_line
from trainworks.cli.output import Output, OutputOption, print_json, stderr, stdout
from trainworks.errors import JobError
from trainworks.jobs.job import Transition, Waiting

if TYPE_CHECKING:
    from trainworks.deploy.deployer import UpResult
    from trainworks.deploy.progress import Progress as DeployProgress
    from trainworks.jobs import BatchJob
    from trainworks.jobs.job import Progress

app = typer.Typer(no_args_is_help=False)

REQUIRED_ACCURACY = 0.9


@app.command("demo")
def demo(
    output: OutputOption = Output.TEXT,
    port: Annotated[int | None, typer.Option(help="the twin's port, where it is not running yet")] = None,
) -> None:
    """Deploy the platform to the twin, train through a spot interruption, predict in batch, and check the predictions.

    Leaves the twin running with everything in it, to look further. Exit code 1 if any step fails.
    """
    from trainworks.jobs import open_platform
    from trainworks.twin import lifecycle
    from trainworks.twin.home import default_home

    example = steps.example_folder()
    watch = steps.Stopwatch()
    with watch.step("start the twin"):
        server = lifecycle.start(default_home(), port)
    _heading(f"the twin answers at {server.endpoint_url}")
    with watch.step("synthesize"):
        deployment = steps.synthesize()
    _heading(f"deploying {deployment.stack_name} through CloudFormation")
    with watch.step("deploy"):
        deployed = steps.deploy(deployment, _show_deployment)
    platform = open_platform("local")
    with steps.digits(example) as data:
        with watch.step("upload the data"):
            uris = steps.upload(platform, data)
        _heading(f"1,797 handwritten digits: {', '.join(uris)}")
        _heading(f"training on managed spot; the instance is taken away after epoch {steps.INTERRUPT_AFTER_EPOCH}")
        with watch.step("train"):
            trained = steps.train(platform, example, _show)
        _heading("batch inference: an array of 8 over the held-out images")
        with watch.step("predict"):
            predicted = steps.predict(platform, example, trained.job, _show)
        with watch.step("evaluate"):
            accuracy = steps.evaluate(platform, predicted, data / "labels")
    summary = summarize(deployed, trained, predicted, accuracy, watch.seconds)
    if output is Output.JSON:
        print_json(summary)
    else:
        _heading("what happened")
        for name, value in readable(summary).items():
            stdout().print(Text.assemble((f"{name:<20}", "dim"), value), soft_wrap=True)
        command = f"{command_prefix()} describe {trained.job.name}"
        rest = f"\nend the twin:  {command_prefix()} twin stop"
        stdout().print(Text.assemble("\nlook further:  ", (command, "bold"), rest), soft_wrap=True)
    if accuracy.share <= REQUIRED_ACCURACY:
        raise JobError(f"accuracy {accuracy.share:.3f} is not above {REQUIRED_ACCURACY}", fix="see the log above")


def summarize(
    deployed: UpResult,
    trained: steps.Trained,
    predicted: BatchJob,
    accuracy: steps.Accuracy,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything that the demo found out, by name; nothing in it is known beforehand."""
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
            "seconds_until_training_again": seconds_until_training_again(trained.job.snapshot().transitions),
            "repeated_epochs": trained.repeated_epochs,
        },
        "batch_job": predicted.facts(),
        "predictions_uri": accuracy.predictions_uri,
        "correct": accuracy.correct,
        "images": accuracy.total,
        "accuracy": round(accuracy.share, 4),
    }


def seconds_until_training_again(transitions: Sequence[Transition]) -> float | None:
    """From the first `Interrupted` to the next `Training`; None where there is no such pair."""
    interrupted = next((each.at for each in transitions if each.status == "Interrupted"), None)
    if interrupted is None:
        return None
    again = (each.at for each in transitions if each.status == "Training" and each.at and each.at >= interrupted)
    resumed = next(again, None)
    return None if resumed is None else round((resumed - interrupted).total_seconds(), 2)


def readable(summary: Mapping[str, Any]) -> dict[str, str]:
    """The summary as a person reads it."""
    job, cost, created = summary["training_job"], summary["interruption"], summary["resources_created"]
    return {
        "deployed": f"{summary['stack_name']} ({summary['stack_status']}), "
        + (f"{created} resources created" if created else "was up to date"),
        "training job": job["name"],
        "secondary statuses": " > ".join(each["status"] for each in job["transitions"]),
        "interruption": f"{job['interruptions']} spot interruption, training again after "
        f"{cost['seconds_until_training_again']} s, {cost['repeated_epochs']} epochs repeated",
        "billable": f"{job['billable_seconds']} of {job['training_seconds']} s",
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in job["metrics"].items()),
        "model": job["model_artifact_uri"],
        "batch job": f"{summary['batch_job']['name']}: array of 8, "
        + ", ".join(f"{count} {status}" for status, count in summary["batch_job"]["array_status"].items()),
        "predictions": summary["predictions_uri"],
        "accuracy": f"{summary['accuracy']:.4f}: {summary['correct']} of {summary['images']} held-out images",
        "time": ", ".join(f"{name} {taken:.1f} s" for name, taken in summary["seconds"].items()),
    }


def command_prefix() -> str:
    """How a user calls this program from where they stand; `dev.py` says so when it is called through that."""
    return os.environ.get("TRAINWORKS_COMMAND", "trainworks")


def _show(progress: Progress) -> None:
    """Log lines and statuses as they come, on standard error."""
    if isinstance(progress, Transition):
        stderr().print(transition_line(progress))
    elif isinstance(progress, Waiting):
        stderr().print(Text(f"  {still(progress)}", style="dim"))
    else:
        stderr().print(Text(f"  {progress.message}", style="dim"))


def _show_deployment(progress: DeployProgress) -> None:
    """What is decided, each nested stack, and whatever fails; `trainworks up` shows every resource."""
    from trainworks.cli.platform_view import progress_lines
    from trainworks.deploy.events import STACK_TYPE
    from trainworks.deploy.progress import AssetUploaded, ResourceProgress

    if isinstance(progress, AssetUploaded):
        return
    if isinstance(progress, ResourceProgress):
        stack_done = progress.resource_type == STACK_TYPE and not progress.status.endswith("_IN_PROGRESS")
        if not stack_done and not progress.status.endswith("_FAILED"):
            return
    for line in progress_lines(progress):
        stderr().print(Text(f"  {line}", style="dim"))


def _heading(text: str) -> None:
    stderr().print(Text.assemble(("\n== ", "bold blue"), (text, "bold")))
