"""The typer group above all verbs: knows them by name, loads a verb's module when it is run or completed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from trainworks.cli.verbs import BY_NAME, Verb


class LazyGroup(TyperGroup):
    """Lists verbs from the table; `resolve_command`, which running and completing go through, loads the real one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(BY_NAME)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        verb = BY_NAME.get(cmd_name)
        return None if verb is None else TyperCommand(name=verb.name, help=verb.help, rich_help_panel=verb.heading)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load(BY_NAME[name]), rest


def load(verb: Verb) -> Any:
    """The command of a verb, from its module."""
    app: typer.Typer = import_module(verb.module).app
    # As the root's help: rich draws boxes, and cuts the names of options if a terminal is narrow.
    app.rich_markup_mode = None
    command = get_group(app).get_command(None, verb.name)  # type: ignore[arg-type]
    if command is None:
        raise LookupError(f"{verb.module} has no command {verb.name!r}")
    return command


def root_group() -> Any:
    """The whole command line as one callable; plain-text usage errors, exit code 2 for them."""
    app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=True)

    @app.callback()
    def root() -> None:
        """An ML training platform on AWS as Python code that also runs whole on one machine."""

    group = get_command(app)
    group.commands = BY_NAME  # type: ignore[attr-defined]  # typer suggests close matches from these names
    return group
