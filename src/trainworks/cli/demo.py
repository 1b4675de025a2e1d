"""`trainworks demo`: the main job on the twin, on real data, and one summary at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from trainworks.application.demo import demonstrate, refuse_inaccurate
from trainworks.cli.follow import still, transition_line
from trainworks.cli.output import Output, OutputOption, print_json, stderr, stdout
from trainworks.cli.platform_view import progress_lines
from trainworks.cli.steps import Steps
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.progress import AssetUploaded, ResourceProgress
from trainworks.jobs.job import Transition, Waiting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trainworks.deploy.progress import Progress as DeployProgress
    from trainworks.jobs.job import Progress

app = typer.Typer(no_args_is_help=False)


@app.command("demo")
def demo(
    output: OutputOption = Output.TEXT,
    port: Annotated[int | None, typer.Option(help="the twin's port, if it is not running yet")] = None,
) -> None:
    """Deploy the platform to the twin, train through a spot interruption, predict in batch, and check the predictions.

    Leaves the twin running with everything in it, so that you can look at it. Exit code 1 if any step fails.
    """
    found = demonstrate(port, _Terminal())
    if output is Output.JSON:
        print_json(found.summary)
    else:
        _heading("what happened")
        for name, value in readable(found.summary).items():
            stdout().print(Text.assemble((f"{name:<20}", "dim"), value), soft_wrap=True)
        command = f"{command_prefix()} describe {found.summary['training_job']['name']}"
        rest = f"\nend the twin:  {command_prefix()} twin stop"
        stdout().print(Text.assemble("\nsee more:      ", (command, "bold"), rest), soft_wrap=True)
    refuse_inaccurate(found.accuracy)


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


class _Terminal:
    """The demo on standard error."""

    def heading(self, text: str) -> None:
        """What comes next."""
        _heading(text)

    def meanwhile(self, what: str) -> AbstractContextManager[None]:
        """A line that moves, or on a pipe one that stays."""
        return Steps()(what)

    def deployment(self, progress: DeployProgress) -> None:
        """What is decided, each nested stack, and whatever fails; `trainworks up` shows every resource."""
        if isinstance(progress, AssetUploaded):
            return
        if isinstance(progress, ResourceProgress):
            stack_done = progress.resource_type == STACK_TYPE and not progress.status.endswith("_IN_PROGRESS")
            if not stack_done and not progress.status.endswith("_FAILED"):
                return
        for line in progress_lines(progress):
            stderr().print(Text(f"  {line}", style="dim"))

    def job(self, progress: Progress) -> None:
        """Log lines and statuses as they come."""
        if isinstance(progress, Transition):
            stderr().print(transition_line(progress))
        elif isinstance(progress, Waiting):
            stderr().print(Text(f"  {still(progress)}", style="dim"))
        else:
            stderr().print(Text(f"  {progress.message}", style="dim"))


def _heading(text: str) -> None:
    stderr().print(Text.assemble(("\n== ", "bold blue"), (text, "bold")))
