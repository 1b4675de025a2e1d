"""How every command prints: tables for people, `--output json` for programs, errors as sentences with an exit code.

Data goes to standard output; progress, notes and errors go to standard error, so that a pipe gets data alone. Rich is
imported where something is drawn: a command that prints a line does without it.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from trainworks.cli.addressed import addressed, use
from trainworks.errors import CheckError, TrainworksError
from trainworks.extras import explain_missing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from trainworks.cli.records import Records


class Output(StrEnum):
    """The form of what a command prints: `text` for people, `json` for programs."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs")]


def _environment_names(incomplete: str) -> list[str]:
    """Names for shell completion."""
    from trainworks.config.environment import environment_names

    return [name for name in environment_names() if name.startswith(incomplete)]


EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--env",
        "-e",
        envvar="TRAINWORKS_ENV",
        help="an environment of trainworks.toml; local is the twin",
        autocompletion=_environment_names,
        callback=use,
    ),
]


def stdout() -> Console:
    """The console for data."""
    return _console(sys.stdout)


def stderr() -> Console:
    """The console for progress, notes and errors."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    """Nothing is cut, no word is broken, and the output of jobs is not read as markup; NO_COLOR removes all styles."""
    from trainworks.cli.console import WholeConsole

    is_plain = bool(os.environ.get("NO_COLOR"))
    return WholeConsole(file=stream, is_plain=is_plain)


def emit(output: Output, data: object, render: Callable[[], RenderableType]) -> None:
    """Print `data` as one JSON document, or what `render` draws of it."""
    if output is Output.JSON:
        print_json(data)
    else:
        stdout().print(render())


def print_json(data: object) -> None:
    """One JSON document on standard output. Times are ISO 8601; dataclasses are objects."""
    sys.stdout.write(json.dumps(data, default=_plain, indent=2) + "\n")
    sys.stdout.flush()


def facts(pairs: Mapping[str, object]) -> Text:
    """Named facts, one a line; what is None is left out. A line is never broken: a URI is there to be copied."""
    from rich.text import Text

    from trainworks.cli.records import one_line

    shown = {name: one_line(str(value)) for name, value in pairs.items() if value is not None}
    width = max((len(name) for name in shown), default=0) + 2
    lines = [Text.assemble((name.ljust(width), "dim"), value) for name, value in shown.items()]
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)


def records(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, prose: Collection[str] = (), right: Collection[str] = ()
) -> Records:
    """A record a line under aligned headings; only cells of the columns in `prose` may be folded on a terminal."""
    from trainworks.cli.records import Records

    return Records(columns, rows, prose=prose, right=right)


def report_error(error: BaseException, *, as_json: bool = False) -> int:
    """Print an error on standard error, with its fix if one is known, and return the exit code.

    `TRAINWORKS_DEBUG=1` adds the traceback. `as_json`: what a check refused is on standard output too, as data; all
    other errors leave it as it is, for a program to go by the exit code.
    """
    from rich.text import Text

    from trainworks.cli.records import harmless

    message, fix, exit_code = _explain(error)
    if as_json and isinstance(error, CheckError):
        print_json({"error": {"message": message, "fix": fix}, "findings": list(error.findings)})
    message, fix = addressed(message), addressed(fix)
    if os.environ.get("TRAINWORKS_DEBUG"):
        import traceback

        traceback.print_exception(error)
    console = stderr()
    # A message may name what a job called its files.
    console.print(Text.assemble(("error: ", "bold red"), harmless(message)))
    if fix:
        console.print(Text.assemble(("  fix: ", "bold"), harmless(fix)))
    return exit_code


def _explain(error: BaseException) -> tuple[str, str, int]:
    """(message, fix, exit code) of an error. botocore is looked at only where something has already imported it."""
    if isinstance(error, TrainworksError):
        return error.message, error.fix, error.exit_code
    if isinstance(error, ModuleNotFoundError) and (missing := explain_missing(error)) is not None:
        return *missing, 1
    botocore_exceptions = sys.modules.get("botocore.exceptions")
    if botocore_exceptions is not None:
        if isinstance(error, botocore_exceptions.ClientError):
            return _explain_client_error(error)
        if isinstance(error, botocore_exceptions.BotoCoreError):
            is_request = isinstance(error, botocore_exceptions.ParamValidationError)
            return str(error), _FIX_OF_BOTOCORE.get(type(error).__name__, ""), 2 if is_request else 1
    if isinstance(error, OSError) and error.strerror:
        return _explain_os_error(error)
    return f"{type(error).__name__}: {error}", "set TRAINWORKS_DEBUG=1 to see where this comes from", 1


_FIX_OF_BOTOCORE = {
    "NoCredentialsError": "aws configure, or set aws_profile in trainworks.toml",
    "PartialCredentialsError": "aws configure, or set aws_profile in trainworks.toml",
    "EndpointConnectionError": "trainworks twin status, or check the network",
    "ConnectionClosedError": "trainworks twin status, or check the network",
}
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FIX_OF_PATH = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "correct the link",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "name a file",
    errno.EACCES: "allow it to your user, or name another place",
    errno.EPERM: "allow it to your user, or name another place",
    errno.EROFS: "name a place that can be written to",
}
"""What is wrong with a path that somebody gave; other errors of a file system are not the request's fault."""
_WRONG_REQUEST = frozenset({"ValidationException", "ValidationError", "ClientException", "InvalidParameterValue"})


def _explain_os_error(error: OSError) -> tuple[str, str, int]:
    """One without a file comes from writing, most often to standard output."""
    if error.filename is None and not _has_working_folder():
        return "the folder that this runs in is not there any more", "go to another: cd", 2
    if error.filename is None:
        return f"cannot write: {error.strerror}" if error.errno in _NO_ROOM else str(error.strerror), "", 1
    fix = _FIX_OF_PATH.get(error.errno or 0, "")
    return f"{error.filename}: {error.strerror}", fix, 2 if fix else 1


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _explain_client_error(error: Any) -> tuple[str, str, int]:
    details = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", error))
    fix = ""
    if code in {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}:
        fix = "renew the credentials of this environment's AWS profile"
    return f"{error.operation_name}: {code}: {message}", fix, 2 if code in _WRONG_REQUEST else 1


def _plain(value: object) -> object:
    """What JSON has no form for, in one that reads back: ISO 8601 times, paths and enumeration values as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, set | frozenset | tuple):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    model_dump = getattr(value, "model_dump", None)
    if callable(model_dump):
        return model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")
