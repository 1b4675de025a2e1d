"""twin start | stop | status | reset, and env: the local AWS and how any client reaches an environment."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from trainworks.cli.asking import ask
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, facts, print_json, stderr
from trainworks.twin.home import Home, default_home

app = typer.Typer(no_args_is_help=True)
twin = typer.Typer(help="Start, stop, inspect or reset the local AWS.", no_args_is_help=True)
app.add_typer(twin, name="twin")

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="the twin's folder; default $TRAINWORKS_HOME or ~/.trainworks")
]


@twin.command()
def start(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port on 127.0.0.1, 4577 by default; 0 takes a free one")
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Start the twin and wait until it answers; nothing happens when it is running already."""
    from trainworks.twin import lifecycle

    server = lifecycle.start(_home(home), port)
    data: dict[str, object] = {
        "endpoint_url": server.endpoint_url,
        "pid": server.pid,
        "home": server.home.root,
        "started": server.started,
        "sandbox_warning": lifecycle.sandbox_warning(server.home),
    }
    emit(output, data, lambda: facts({"twin": server.endpoint_url, "pid": server.pid, "home": server.home.root}))
    if not server.started:
        stderr().print("the twin was running already")
    elif output is Output.TEXT:
        stderr().print('any AWS client, in this shell: eval "$(trainworks env)"', markup=False)
    _warn(data)


@twin.command()
def stop(
    keep_jobs: Annotated[bool, typer.Option("--keep-jobs", help="let instances and their jobs go on")] = False,
    home: HomeOption = None,
) -> None:
    """Stop the twin, and its instances with it."""
    from trainworks.twin import lifecycle

    stopped = lifecycle.stop(_home(home), keep_jobs=keep_jobs)
    stderr().print("the twin is stopped" if stopped else "the twin was not running")


@twin.command()
def status(home: HomeOption = None, output: OutputOption = Output.TEXT) -> None:
    """Say whether the twin runs, and where. Exit code 1 when it does not."""
    from trainworks.twin import lifecycle

    folder = _home(home)
    server = lifecycle.find(folder)
    if server is None:
        data: dict[str, object] = {"running": False, "home": folder.root}
    else:
        data = {"running": True, "endpoint_url": server.endpoint_url, "pid": server.pid, "home": folder.root}
        data["network"] = lifecycle.network_of(folder)
        data["sandbox_warning"] = lifecycle.sandbox_warning(folder)
    shown = {name.replace("_url", ""): _shown(value) for name, value in data.items() if name != "sandbox_warning"}
    emit(output, data, lambda: facts(shown))
    _warn(data)
    if server is None:
        raise typer.Exit(1)


@twin.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False, home: HomeOption = None
) -> None:
    """Stop the twin and delete all that is in it: stacks, objects, jobs, logs, keys."""
    from trainworks.twin import lifecycle

    folder = _home(home)
    if not yes:
        ask(f"Delete everything in {folder.root}?")
    lifecycle.reset(folder)
    stderr().print(f"{folder.root} is empty")


@twin.command()
def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            help="remove what ended, or was last used, longer ago than this: 30m, 12h, 7d",
            metavar="AGE",
        ),
    ] = "7d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be removed, and remove nothing")] = False,
    home: HomeOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove ended jobs with their files, and environments of images that no job has used since.

    What jobs put to S3 and into Logs stays; an environment that is wanted again is made again. What cannot be removed
    is named, all else is removed, and the exit code is 1.
    """
    from trainworks.application.pruning import prune as remove
    from trainworks.config.age import parse_age

    pruned = remove(_home(home), parse_age(older_than), dry_run=dry_run)
    data: dict[str, object] = {
        **pruned.counts,
        "freed_bytes": pruned.freed_bytes,
        "dry_run": dry_run,
        "failed": pruned.failed,
    }
    verb = "would be freed" if dry_run else "freed"
    shown = {name.replace("_", " "): count for name, count in pruned.counts.items()}
    emit(output, data, lambda: facts({**shown, verb: f"{pruned.freed_bytes / (1 << 20):.1f} MiB"}))
    for kind, reasons in pruned.failed.items():
        for name, reason in reasons.items():
            what = f"not removed, of the {kind.replace('_', ' ')}: {name}: {reason}"
            stderr().print(what, style="red", markup=False, soft_wrap=True)
    if pruned.failed:
        raise typer.Exit(1)


@twin.command()
def retention(
    age: Annotated[
        str | None, typer.Argument(help="how long ended jobs are kept, as 12h or 30d; forever: until they are pruned")
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show or set how long ended jobs are kept; older ones are then removed in the background."""
    from trainworks.config.age import parse_age, shown_age
    from trainworks.twin.control_client import ask
    from trainworks.twin.lifecycle import running

    request = {} if age is None else {"older_than_seconds": None if age == "forever" else parse_age(age)}
    kept = ask(running(_home(home)), "retention", request)["older_than_seconds"]
    text = "forever" if kept is None else shown_age(kept)
    emit(output, {"older_than_seconds": kept}, lambda: facts({"ended jobs are kept": text}))


@app.command()
def env(
    environment_name: EnvironmentOption = "local",
    sagemaker_sdk: Annotated[
        bool,
        typer.Option("--sagemaker-sdk", help="also the SageMaker SDK's defaults: the platform's role, bucket, network"),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print export lines that point any AWS client at an environment: eval "$(trainworks env)"."""
    from trainworks.application.exports import exports_of

    exports = exports_of(environment_name, os.environ, for_sagemaker_sdk=sagemaker_sdk)
    if output is Output.JSON:
        print_json({"export": dict(exports.values), "unset": list(exports.unset)})
    else:
        _print_exports(exports.values, exports.unset)


def _print_exports(values: Mapping[str, str], unset: Sequence[str]) -> None:
    sys.stdout.write(f"unset {' '.join(unset)}\n")
    for name, value in values.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def _warn(data: Mapping[str, object]) -> None:
    if warning := data.get("sandbox_warning"):
        stderr().print(f"warning: {warning}", style="yellow", markup=False)


def _home(path: Path | None) -> Home:
    return default_home() if path is None else Home(path.absolute())


def _shown(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
