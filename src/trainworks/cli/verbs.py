"""The table of verbs: which module has which, and the line that `trainworks --help` shows.

It is data, so that the overview and shell completion of verbs need not import what the verbs do. A module listed here
has `app: typer.Typer` with each of its verbs as a command (`@app.command("up")`) or as a group (`app.add_typer(twin,
name="twin")`) of exactly that name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One word after `trainworks`, the module that has it, its heading and its line in the overview."""

    name: str
    module: str
    heading: str
    help: str


_DEMO = "Start here"
_TWIN = "The twin"
_PLATFORM = "The platform"
_JOBS = "Jobs"
_IMAGES = "Images"
_FUNCTIONS = "Functions"

VERBS: tuple[Verb, ...] = (
    Verb(
        "demo",
        "trainworks.cli.demo",
        _DEMO,
        "Deploy, train with a spot interruption, predict: the whole path, on the twin.",
    ),
    Verb(
        "twin",
        "trainworks.cli.twin",
        _TWIN,
        "Start, stop, inspect or reset the local AWS: start | stop | status | reset.",
    ),
    Verb("env", "trainworks.cli.twin", _TWIN, "Print export lines that point any AWS client at an environment."),
    Verb("synth", "trainworks.cli.platform", _PLATFORM, "Synthesize the CloudFormation templates of an environment."),
    Verb("cost", "trainworks.cli.cost", _PLATFORM, "Price the platform before the deploy, and jobs: job | refresh."),
    Verb("check", "trainworks.cli.check", _PLATFORM, "Find what would fail after the deploy, before it."),
    Verb(
        "diff",
        "trainworks.cli.platform",
        _PLATFORM,
        "Show what `up` would change, what it costs, and what was changed by hand.",
    ),
    Verb("up", "trainworks.cli.platform", _PLATFORM, "Deploy the platform."),
    Verb("down", "trainworks.cli.platform", _PLATFORM, "Delete the platform."),
    Verb("status", "trainworks.cli.platform", _PLATFORM, "Show what is deployed."),
    Verb("doctor", "trainworks.cli.doctor", _PLATFORM, "Say why a job, a stack or this machine is stuck."),
    Verb("train", "trainworks.cli.train", _JOBS, "Train a model: a script or a job spec."),
    Verb("batch", "trainworks.cli.train", _JOBS, "Run a command as a batch job: submit."),
    Verb("jobs", "trainworks.cli.jobs", _JOBS, "List jobs: by status, kind, name, age; with metrics and cost."),
    Verb("describe", "trainworks.cli.jobs", _JOBS, "Show one job: status, times, cost facts, artefacts."),
    Verb("logs", "trainworks.cli.jobs", _JOBS, "Print a job's log; -f follows it."),
    Verb("metrics", "trainworks.cli.jobs", _JOBS, "Show the metrics of a job."),
    Verb("compare", "trainworks.cli.compare", _JOBS, "Compare jobs side by side: parameters, metrics, duration, cost."),
    Verb("download", "trainworks.cli.jobs", _JOBS, "Fetch a job's model, output or predictions."),
    Verb("stop", "trainworks.cli.jobs", _JOBS, "Stop a job."),
    Verb("interrupt", "trainworks.cli.jobs", _JOBS, "Interrupt a job's spot instances, on the twin."),
    Verb("data", "trainworks.cli.data", _JOBS, "Upload, list and remove the data of jobs: put | list | remove."),
    Verb(
        "image", "trainworks.cli.image", _IMAGES, "Build, make and list images that jobs run in: build | make | list."
    ),
    Verb(
        "function",
        "trainworks.cli.function",
        _FUNCTIONS,
        "List Lambda functions, run one, with the code of a folder as you save it: list | invoke | logs.",
    ),
)

BY_NAME: dict[str, Verb] = {verb.name: verb for verb in VERBS}


def overview() -> str:
    """What `trainworks --help` prints."""
    lines = [
        "Usage: trainworks [--version] VERB [OPTIONS] [ARGUMENTS]",
        "",
        "An ML training platform on AWS as Python code that also runs whole on one machine.",
    ]
    heading = ""
    for verb in VERBS:
        if verb.heading != heading:
            heading = verb.heading
            lines += ["", f"{heading}:"]
        lines.append(f"  {verb.name:<11}{verb.help}")
    lines += [
        "",
        "Help on a verb: trainworks VERB --help. --env NAME chooses an environment of trainworks.toml",
        "(default: local, the twin). --output json prints data for programs.",
        "Shell completion: trainworks --install-completion.",
        "Exit codes: 0 done, 1 the job or deploy failed, 2 the request was wrong.",
    ]
    return "\n".join(lines)
