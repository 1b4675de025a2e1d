"""`trainworks train` and `trainworks batch submit`: a script or a spec becomes a job, and is followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, facts, stderr
from trainworks.cli.pairs import pairs

if TYPE_CHECKING:
    from trainworks.config.job import BatchJobSpec, TrainingJobSpec
    from trainworks.jobs.job import Job
    from trainworks.jobs.platform import Platform

app = typer.Typer(no_args_is_help=True)
batch_app = typer.Typer(no_args_is_help=True, help="Run a command as a batch job.")
app.add_typer(batch_app, name="batch")

_Target = Annotated[Path, typer.Argument(metavar="SCRIPT_OR_SPEC", help="a Python script, or a job spec (.toml)")]
_Name = Annotated[str | None, typer.Option("--name", help="the job's exact name; by default made from the script's")]
_Image = Annotated[str | None, typer.Option("--image", help="a framework (scikit-learn, pytorch, ...) or an image URI")]
_SourceDir = Annotated[Path | None, typer.Option("--source-dir", help="the folder to package, with the script in it")]
_Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="NAME=LOCATION", help="local path, s3://..., dataset:NAME or model:JOB"),
]
_Variables = Annotated[list[str] | None, typer.Option("--variable", metavar="NAME=VALUE", help="environment variable")]
_Detach = Annotated[bool, typer.Option("--detach", "-d", help="return when the job is accepted")]


@app.command("train", no_args_is_help=True)
def train(  # noqa: PLR0917
    target: _Target,
    environment: EnvironmentOption = "local",
    name: _Name = None,
    image: _Image = None,
    source_dir: _SourceDir = None,
    instance_type: Annotated[str | None, typer.Option(help="such as ml.m5.xlarge")] = None,
    instance_count: Annotated[int | None, typer.Option(help="instances of the job")] = None,
    inputs: _Inputs = None,
    hyperparameters: Annotated[
        list[str] | None, typer.Option("--hyperparameter", "-p", metavar="NAME=VALUE", help="an argument of the script")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=REGEX", help="a metric read from the log")
    ] = None,
    variables: _Variables = None,
    spot: Annotated[bool | None, typer.Option("--spot/--on-demand", help="managed spot training")] = None,
    max_runtime_seconds: Annotated[int | None, typer.Option(help="the job is stopped after this")] = None,
    max_wait_seconds: Annotated[int | None, typer.Option(help="run time and waiting for spot together")] = None,
    detach: _Detach = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Train a model as a SageMaker training job and follow it.

    A script is run with its arguments as hyperparameters: trainworks train train.py -i training=data/ -p epochs=10
    """
    values = _given(
        image=image,
        source_dir=source_dir,
        instance_type=instance_type,
        instance_count=instance_count,
        inputs=pairs(inputs, "--input"),
        hyperparameters={key: _scalar(value) for key, value in pairs(hyperparameters, "--hyperparameter").items()},
        metrics=pairs(metrics, "--metric"),
        environment=pairs(variables, "--variable"),
        spot=spot,
        max_runtime_seconds=max_runtime_seconds,
        max_wait_seconds=max_wait_seconds,
    )
    from trainworks.cli.transfers import on_the_way
    from trainworks.jobs import open_platform
    from trainworks.jobs.specs import training_spec

    spec = training_spec(target, values)

    _tell_of_code(spec)
    platform = open_platform(environment)
    _tell_of_requirements(spec, platform)
    with on_the_way(output) as listener:
        job = platform.train(spec, name, listener)
    _started(job, detach, output)


@batch_app.command("submit", no_args_is_help=True)
def submit(  # noqa: PLR0917
    target: Annotated[str, typer.Argument(metavar="SCRIPT_OR_SPEC", help="a script, a job spec (.toml), or a command")],
    arguments: Annotated[list[str] | None, typer.Argument(help="arguments of the script or command")] = None,
    environment: EnvironmentOption = "local",
    name: _Name = None,
    command: Annotated[bool, typer.Option("--command", help="the arguments are a command of the image")] = False,
    image: _Image = None,
    source_dir: _SourceDir = None,
    inputs: _Inputs = None,
    variables: _Variables = None,
    array_size: Annotated[int | None, typer.Option(help="children of an array job, 2 to 10,000")] = None,
    vcpus: Annotated[float | None, typer.Option(help="vCPUs of each child")] = None,
    memory_mib: Annotated[int | None, typer.Option(help="memory of each child")] = None,
    retries: Annotated[int | None, typer.Option(help="further attempts after the first")] = None,
    timeout_seconds: Annotated[int | None, typer.Option(help="an attempt is ended after this")] = None,
    detach: _Detach = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Submit a batch job to the platform's queue and follow it.

    trainworks batch submit predict.toml -i model=model:JOB       trainworks batch submit --command -- /bin/true
    """
    values = _given(
        image=image,
        source_dir=source_dir,
        inputs=pairs(inputs, "--input"),
        environment=pairs(variables, "--variable"),
        array_size=array_size,
        vcpus=vcpus,
        memory_mib=memory_mib,
        retries=retries,
        timeout_seconds=timeout_seconds,
    )
    spec = _batch_spec(target, arguments or [], command, values)
    from trainworks.cli.transfers import on_the_way
    from trainworks.jobs import open_platform

    _tell_of_code(spec)
    platform = open_platform(environment)
    _tell_of_requirements(spec, platform)
    with on_the_way(output) as listener:
        job = platform.submit_batch(spec, name, listener)
    _started(job, detach, output)


def _tell_of_code(spec: TrainingJobSpec | BatchJobSpec) -> None:
    from trainworks.jobs.code_notes import code_notes

    for note in code_notes(spec):
        _warn(note)


def _tell_of_requirements(spec: TrainingJobSpec | BatchJobSpec, platform: Platform) -> None:
    from trainworks.application.code_warnings import requirements_warning

    if note := requirements_warning(spec, platform):
        _warn(note)


def _warn(note: str) -> None:
    stderr().print(f"warning: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _given(**options: object) -> dict[str, object]:
    """The options that were given: neither None nor empty."""
    return {name: value for name, value in options.items() if value is not None and value != {}}


def _scalar(text: str) -> object:
    """A hyperparameter's value: a number, true or false if it is one in JSON, otherwise text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _batch_spec(target: str, arguments: list[str], command: bool, values: dict[str, object]) -> BatchJobSpec:
    from trainworks.config.job import batch_job_spec
    from trainworks.jobs.specs import batch_spec

    if command:
        return batch_job_spec({**values, "command": (target, *arguments)}, Path.cwd())
    return batch_spec(target, {**values, "arguments": tuple(arguments)} if arguments else values)


def _started(job: Job, detach: bool, output: Output) -> None:
    from trainworks.cli.follow import show

    if detach:
        emit(output, job.facts(), lambda: job.name)
        return
    from rich.text import Text

    stderr().print(Text.assemble(f"{job.kind} job ", (job.name, "bold")))
    show(job, output)
    emit(output, job.facts(), lambda: facts(_summary(job.facts())))
    if output is Output.TEXT:
        stderr().print(addressed(f"see more: trainworks describe {job.name}"), style="dim")


def _summary(described: dict[str, object]) -> dict[str, object]:
    """The facts that matter right after a job has completed."""
    saved = described.get("spot_savings_percent")
    metrics, array = described.get("metrics"), described.get("array_status")
    shown = {
        "status": described.get("status"),
        "billable seconds": described.get("billable_seconds"),
        "spot savings": None if saved is None else f"{saved} %",
        "interruptions": described.get("interruptions") or None,
        "model": described.get("model_artifact_uri"),
        "array": ", ".join(f"{status} {count}" for status, count in array.items()) if isinstance(array, dict) else None,
        "run seconds": described.get("run_seconds"),
    }
    if isinstance(metrics, dict):
        shown |= {str(name): f"{value:.6g}" for name, value in metrics.items()}
    return shown
