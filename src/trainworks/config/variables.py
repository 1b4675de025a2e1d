"""The environment variables that trainworks reads, what each may be, and what is wrong with those that are set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from trainworks.config.twin_settings import NETWORK, refused_network
from trainworks.errors import ConfigurationError

PREFIX = "TRAINWORKS_"
SANDBOX = "TRAINWORKS_SANDBOX"
HOME = "TRAINWORKS_HOME"
SANDBOX_WISHES = ("auto", "off")
FRAMEWORK_IMAGES = "TRAINWORKS_FRAMEWORK_IMAGES"
FRAMEWORK_IMAGES_WISHES = ("made", "in-use")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `refusal` says what is wrong with a value, or nothing; None if every value is right.

    `is_internal`: trainworks sets it for a process that it starts; nobody else is meant to.
    """

    name: str
    meaning: str
    refusal: Callable[[str], str] | None = None
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class VariableProblem:
    """A variable that is set to what it may not be, or that nobody reads."""

    name: str
    value: str
    message: str
    fix: str
    is_unknown: bool = False


def _refused_sandbox(value: str) -> str:
    return "" if value.lower() in SANDBOX_WISHES else f"allowed: {' or '.join(SANDBOX_WISHES)}"


def _refused_framework_images(value: str) -> str:
    return "" if value in FRAMEWORK_IMAGES_WISHES else f"allowed: {' or '.join(FRAMEWORK_IMAGES_WISHES)}"


def _refused_home(value: str) -> str:
    path = Path(value).expanduser()
    return f"{path} is not a folder" if path.exists() and not path.is_dir() else ""


VARIABLES: Mapping[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable(HOME, "the twin's folder; ~/.trainworks where it is not set", _refused_home),
        Variable(
            SANDBOX, "off: jobs run without Linux namespaces; auto: with them where there are any", _refused_sandbox
        ),
        Variable(
            FRAMEWORK_IMAGES,
            "made: AWS's framework images are environments of their own, made on first use; in-use: the Python that "
            "the twin runs with stands for those that it can import",
            _refused_framework_images,
        ),
        Variable(
            NETWORK,
            "host: jobs use this machine's network; declared: those in subnets of a VPC reach what its routes lead to; "
            "overrides [twin] network of trainworks.toml",
            refused_network,
        ),
        Variable("TRAINWORKS_ENV", "the environment that commands mean without --env"),
        Variable("TRAINWORKS_DEBUG", "set to anything: errors come with their traceback"),
        Variable("TRAINWORKS_COMMAND", "how help texts call the command", is_internal=True),
        Variable("TRAINWORKS_JOB_NAME", "the name of the batch job that the script runs in", is_internal=True),
        Variable("TRAINWORKS_ARRAY_SIZE", "how many children the batch job has", is_internal=True),
        Variable("TRAINWORKS_DATASET_BUCKET", "the platform's bucket of datasets, in a batch job", is_internal=True),
        Variable("TRAINWORKS_MODEL_BUCKET", "the platform's bucket of models, in a batch job", is_internal=True),
        Variable("TRAINWORKS_LAYERS_ROOT", "where a function's layers are, until its code runs", is_internal=True),
        Variable("TRAINWORKS_RUNTIME_PACKAGES", "where boto3 is for a function, until its code runs", is_internal=True),
    )
}


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The twin's folder as an absolute path: `$TRAINWORKS_HOME`, or `~/.trainworks`."""
    configured = environ.get(HOME)
    return (Path(configured).expanduser() if configured else Path.home() / ".trainworks").absolute()


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this user's files are that can be made again: `$XDG_CACHE_HOME/trainworks`, or `~/.cache/trainworks`."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trainworks"


def sandbox_wish(environ: Mapping[str, str] = os.environ) -> str:
    """`auto` or `off`, from `TRAINWORKS_SANDBOX`. Raises `ConfigurationError` for any other value.

    A mistyped wish is refused, because it would otherwise be taken for `auto` silently.
    """
    value = environ.get(SANDBOX) or "auto"
    if refusal := _refused_sandbox(value):
        raise ConfigurationError(f"{SANDBOX} is {value!r}; {refusal}", fix=f"unset {SANDBOX}, or set it to off")
    return value.lower()


def framework_images_wish(environ: Mapping[str, str] = os.environ) -> str:
    """`made` or `in-use`, from `TRAINWORKS_FRAMEWORK_IMAGES`. Raises `ConfigurationError` for any other value."""
    value = environ.get(FRAMEWORK_IMAGES) or FRAMEWORK_IMAGES_WISHES[0]
    if refusal := _refused_framework_images(value):
        raise ConfigurationError(f"{FRAMEWORK_IMAGES} is {value!r}; {refusal}", fix=f"unset {FRAMEWORK_IMAGES}")
    return value


def variable_problems(environ: Mapping[str, str] = os.environ) -> Iterator[VariableProblem]:
    """Variables with the prefix that are set to what they may not be, or that trainworks does not know."""
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        value, known = environ[name], VARIABLES.get(name)
        if known is None:
            close = get_close_matches(name, VARIABLES, n=1)
            fix = f"did you mean {close[0]}? unset {name}" if close else f"unset {name}"
            yield VariableProblem(
                name, value, f"{name} is a variable that trainworks does not read", fix, is_unknown=True
            )
        elif value and known.refusal is not None and (refusal := known.refusal(value)):
            yield VariableProblem(name, value, f"{name} is {value!r}; {refusal}", f"unset {name}, or correct it")
