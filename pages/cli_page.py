"""cli.md: every command with its arguments and options, from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from typer.core import TyperArgument, TyperGroup, TyperOption

from trainworks.cli.root import load
from trainworks.cli.verbs import VERBS

HEAD = """\
# Command line

`trainworks COMMAND --help` says the same in the terminal.

Every command that prints data takes `--output json`, every command that speaks to AWS takes `--env NAME`: an
environment of [trainworks.toml](trainworks-toml.md), or `local`, the twin, where nothing is said. `TRAINWORKS_ENV` says
it for all commands. `trainworks --install-completion` teaches your shell to complete the commands.

| exit code | when |
|---|---|
| 0 | done |
| 1 | the job or the deploy failed, `check` found errors, `diff --exit-code` found a difference |
| 2 | the request was wrong: an option, a file, a name |
| 130 | you pressed Ctrl-C |
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), ""]
    heading = ""
    for verb in VERBS:
        if verb.heading != heading:
            heading = verb.heading
            lines += [f"## {heading}", ""]
        lines += _command(f"trainworks {verb.name}", load(verb))
    return "\n".join(lines)


def _command(name: str, command: Any) -> Iterator[str]:
    yield from (f"### {name}", "")
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption) and not each.hidden]
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        usage = " ".join([name, *map(_usage, arguments), *(["[OPTIONS]"] if options else [])])
        yield from (f"`{usage}`", "")
    yield from _text(command.help or "")
    rows = [f"| `{_usage(each)}` | {_cell(each.help)} |" for each in arguments]
    rows += [f"| {_names(each)} | {_cell(each.help)}{_default(each)} |" for each in options]
    if rows:
        yield from ("| argument or option | what it does |", "|---|---|", *rows, "")
    if isinstance(command, TyperGroup):
        for part in command.list_commands(None):  # type: ignore[arg-type]
            yield from _command(f"{name} {part}", command.commands[part])


def _text(said: str) -> Iterator[str]:
    """The words of the help; lines that begin with a command stand as they are written."""
    for paragraph in said.replace("\b", "").strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        commands = [line for line in lines if line.startswith("trainworks ")]
        if commands and len(commands) == len(lines):
            yield from ("```sh", *(re.sub(r"\s{2,}trainworks ", "\ntrainworks ", line) for line in lines), "```", "")
        elif paragraph.strip():
            yield from (_cell(" ".join(lines)), "")


def _usage(argument: TyperArgument) -> str:
    name = argument.metavar or str(argument.name).upper()
    shown = name if argument.required else f"[{name}]"
    return f"{shown}..." if argument.nargs == -1 else shown


def _names(option: TyperOption) -> str:
    names = " / ".join(f"`{each}`" for each in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    value = option.metavar or getattr(option.type, "name", "text").upper()
    choices = getattr(option.type, "choices", None)
    shown = "\\|".join(str(getattr(each, "value", each)) for each in choices) if choices else value
    return f"{names} `{shown}`"


def _default(option: TyperOption) -> str:
    value = option.default
    value = value.value if isinstance(value, Enum) else value
    said = f"; default: `{value}`" if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return said + (f"; variable: `{option.envvar}`" if option.envvar else "")


def _cell(text: str | None) -> str:
    """Words of help in a table: nothing in them is markup, and code stays code."""
    told = " ".join((text or "").replace("[bold]", "").replace("[/]", "").split())
    parts = re.split(r"(`[^`]*`)", told)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<|\[\]])", r"\\\1", part) for part in parts)
