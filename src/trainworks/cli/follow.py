"""A job followed on the terminal: log on standard output, statuses on standard error; Ctrl-C leaves it running."""

from __future__ import annotations

import sys

import typer
from botocore.exceptions import BotoCoreError
from rich.text import Text

from trainworks.cli.addressed import addressed
from trainworks.cli.output import Output, stderr
from trainworks.jobs.job import Follow, Job, JobSnapshot, Transition, Waiting, checked
from trainworks.jobs.logs import LogLine, LogReader

INTERRUPTED = 130


def show(job: Job, output: Output = Output.TEXT, reader: LogReader | None = None) -> JobSnapshot:
    """Follow `job` to its end and return its last snapshot. Raises `JobError` with the reason if it failed.

    `reader` reads its log from elsewhere than the beginning.

    With JSON output the log goes to standard error too. Ctrl-C ends the command (exit code 130), not the job.
    """
    log = sys.stdout if output is Output.TEXT else sys.stderr
    follow = Follow(job, reader=reader)
    notes = stderr()
    labelled = has_several_logs(job)
    try:
        for each in follow:
            if isinstance(each, Transition):
                notes.print(transition_line(each))
            elif isinstance(each, Waiting):
                notes.print(waiting_line(job, each))
            else:
                log.write(log_line(each, labelled))
                log.flush()
    except KeyboardInterrupt:
        end = (addressed(f"trainworks stop {job.name}"), "bold")
        notes.print(Text.assemble("\n", how_to_come_back(job), "   end it: ", end))
        raise typer.Exit(INTERRUPTED) from None
    except BotoCoreError:
        # Nobody answers: that ends the following, and nothing else.
        notes.print(how_to_come_back(job))
        raise
    if follow.outcome is None:
        raise RuntimeError("a follow ended without an outcome")
    return checked(job, follow.outcome, [])


def how_to_come_back(job: Job) -> Text:
    """A job does not depend on who follows it."""
    command = addressed(f"trainworks logs -f {job.name}")
    return Text.assemble(f"{job.name} goes on. Come back: ", (command, "bold"))


def has_several_logs(job: Job) -> bool:
    """Whether lines need to say which instance or array child they come from."""
    facts = job.facts()
    count = facts.get("instance_count")
    return bool(facts.get("array_size")) or (isinstance(count, int) and count > 1)


def log_line(line: LogLine, labelled: bool) -> str:
    """One line as it is printed."""
    return f"[{line.label}] {line.message}\n" if labelled and line.label else f"{line.message}\n"


def waiting_line(job: Job, waiting: Waiting) -> Text:
    """That it has no host, and who can tell why."""
    command = addressed(f"trainworks doctor {job.name}")
    for_long = f"{still(waiting)}; " if waiting.seconds else ""
    return Text.assemble("  ", for_long, "why, and what to do: ", (command, "bold"))


def still(waiting: Waiting) -> str:
    """`still RUNNABLE after 2 min`."""
    return f"still {waiting.status} after {waiting.seconds / 60:.0f} min"


def transition_line(transition: Transition) -> Text:
    """One status as it is printed: AWS's word and AWS's message."""
    colour = {
        "Completed": "green",
        "SUCCEEDED": "green",
        "Failed": "red",
        "FAILED": "red",
        "Interrupted": "yellow",
        "RUNNABLE": "yellow",
    }
    message = f"  {transition.message}" if transition.message else ""
    return Text.assemble(("● ", colour.get(transition.status, "blue")), (transition.status, "bold"), (message, "dim"))
