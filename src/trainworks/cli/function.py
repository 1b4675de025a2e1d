"""`trainworks function list | invoke | logs`: Lambda functions of an environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.completion import function_names
from trainworks.cli.output import (
    EnvironmentOption,
    Output,
    OutputOption,
    emit,
    print_json,
    records,
    report_error,
    stderr,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trainworks.jobs.functions import Function, Functions, Invoked

app = typer.Typer(no_args_is_help=True)
function_app = typer.Typer(no_args_is_help=True, help="List Lambda functions, run one, and read its log.")
app.add_typer(function_app, name="function")

FunctionArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="a function's name, or its ARN", autocompletion=function_names)
]
_LOOK_SECONDS = 0.25
_SETTLE_SECONDS = 0.05
_FOLLOW_SECONDS = 0.5


@function_app.command("list")
def list_(environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """List the functions, the most recently changed first."""
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.functions import Functions

    found = Functions(open_connection(environment)).newest_first()
    emit(output, [asdict(each) for each in found], lambda: _functions(found))


@function_app.command("invoke", no_args_is_help=True)
def invoke(  # noqa: PLR0917 - one parameter an option
    name: FunctionArgument,
    event: Annotated[
        str, typer.Option("--event", metavar="FILE|-", help="the event, as JSON; - reads it from standard input")
    ] = "",
    watch: Annotated[
        Path | None,
        typer.Option(
            "--watch", metavar="FOLDER", help="run it with the code of this folder, again whenever a file is saved"
        ),
    ] = None,
    qualifier: Annotated[
        str | None, typer.Option("--qualifier", "-q", help="a version or an alias; by default $LATEST")
    ] = None,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a function once: its result on standard output, the end of its log on standard error.

    Without --event the event is {}. The exit code is 1 if the function raises an error. With --watch its code is
    updated and it runs again whenever a file of the folder, or the event's file, is saved, until Ctrl-C.

    trainworks function invoke resize --event event.json --watch src/
    """
    from trainworks.errors import RequestError
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.functions import Functions

    if watch is None:
        invoked = Functions(open_connection(environment)).invoke(name, _event(event), qualifier)
        _show(invoked, output)
        invoked.checked()
        return
    if qualifier is not None:
        raise RequestError("--qualifier: --watch gives new code to $LATEST, versions do not change", fix="remove it")
    if event == "-":
        raise RequestError("--event -: the event must be read again for each run", fix="give it as a file")
    _watch(Functions(open_connection(environment)), name, watch, event, output)


@function_app.command("logs", no_args_is_help=True)
def logs(  # noqa: PLR0917 - one parameter an option
    name: FunctionArgument,
    environment: EnvironmentOption = "local",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="only this many of the last lines")] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="only what is newer than this: 90s, 30m, 12h, 7d or 2w")
    ] = "1h",
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the log of a function: all its environments together, in order of time."""
    from datetime import UTC, datetime, timedelta

    from trainworks.cli.addressed import addressed
    from trainworks.config.age import parse_age
    from trainworks.jobs.clock import Clock
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.functions import FunctionLog, Functions

    now = datetime.now(UTC)
    moment = now - timedelta(seconds=min(parse_age(since), now.timestamp()))
    connection = open_connection(environment)
    log = FunctionLog(connection, Functions(connection).log_group(name), moment)
    lines = log.new_lines()
    lines = lines if tail is None else lines[max(len(lines) - tail, 0) :]
    if output is Output.JSON and not follow:
        print_json([{"timestamp": at, "message": message} for at, message in lines])
        return
    if not lines and not follow:
        stderr().print(addressed(f"{name} has written nothing for {since}; further back: --since 7d"))
    while True:
        for at, message in lines:
            _write_line(json.dumps({"timestamp": at, "message": message}) if output is Output.JSON else message)
        if not follow:
            return
        Clock().sleep(_FOLLOW_SECONDS)
        lines = log.new_lines()


def _watch(functions: Functions, name: str, folder: Path, event: str, output: Output) -> None:
    """Run it with each saved state of its folder; errors are printed, and the next save tries again."""
    from trainworks.jobs.clock import Clock
    from trainworks.jobs.functions import Watch

    saved = Watch(folder, *([Path(event)] if event else []))
    clock = Clock()
    functions.log_group(name)  # ends here if there is no such function
    while True:
        if saved.has_changed():
            clock.sleep(_SETTLE_SECONDS)
            while saved.has_changed():  # an editor empties a file before it writes it
                clock.sleep(_SETTLE_SECONDS)
            _tell_errors(lambda: _run_saved(functions, name, folder, event, output))
            stderr().print(f"waiting for a change in {folder}; Ctrl-C ends it", markup=False, highlight=False)
        clock.sleep(_LOOK_SECONDS)


def _run_saved(functions: Functions, name: str, folder: Path, event: str, output: Output) -> None:
    if functions.update_code(name, folder):
        stderr().print(f"{name} now has the code of {folder}", markup=False, highlight=False)
    invoked = functions.invoke(name, _event(event))
    _show(invoked, output)
    invoked.checked()


def _tell_errors(run: Callable[[], None]) -> None:
    from botocore.exceptions import ClientError

    from trainworks.errors import TrainworksError

    try:
        run()
    except (TrainworksError, ClientError, OSError) as error:
        report_error(error)


def _event(source: str) -> bytes:
    """The event's bytes. Raises `RequestError` with the place that is not JSON."""
    from trainworks.errors import RequestError

    if not source:
        return b"{}"
    if source == "-":
        text = sys.stdin.read()
    else:
        path = Path(source)
        if not path.is_file():
            raise RequestError(f"--event {source}: there is no such file", fix="give a file of JSON, or - for stdin")
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    where = "standard input" if source == "-" else source
    try:
        json.loads(text)
        return text.encode()
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where}, line {error.lineno}, column {error.colno}: the event is not JSON: {error.msg}",
            fix="an event is a JSON document, such as {}",
        ) from error
    except (UnicodeEncodeError, RecursionError, ValueError) as error:
        raise RequestError(f"{where}: the event is not JSON: {error}", fix="write it in UTF-8") from error


def _show(invoked: Invoked, output: Output) -> None:
    if invoked.log_tail:
        from trainworks.cli.records import harmless

        sys.stderr.write(harmless(invoked.log_tail.rstrip("\n")) + "\n")
        sys.stderr.flush()
    payload = invoked.payload.decode(errors="replace")
    if output is Output.TEXT:
        _write_line(payload)
        return
    print_json(
        {
            "function": invoked.function,
            "executed_version": invoked.executed_version,
            "function_error": invoked.error,
            "payload": json.loads(payload),
            "log_tail": invoked.log_tail,
        }
    )


def _write_line(text: str) -> None:
    """Unchanged into a pipe; on a terminal its control characters are shown, not obeyed."""
    from trainworks.cli.records import harmless

    sys.stdout.write((harmless(text) if sys.stdout.isatty() else text) + "\n")
    sys.stdout.flush()


def _functions(found: list[Function]) -> RenderableType:
    from trainworks.cli.transfers import shown_bytes

    if not found:
        return "no functions yet"
    rows = [
        (
            each.name,
            each.runtime,
            each.handler,
            f"{each.memory_size_in_mb} MB",
            f"{each.timeout_seconds} s",
            shown_bytes(each.code_bytes),
            each.changed_at[:16].replace("T", " "),
        )
        for each in found
    ]
    columns = ("function", "runtime", "handler", "memory", "timeout", "code", "changed (UTC)")
    return records(columns, rows, right=("memory", "timeout", "code"))
