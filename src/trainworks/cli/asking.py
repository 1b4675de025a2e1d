"""Asking before something is done that cannot be undone."""

from __future__ import annotations

import sys

import typer

from trainworks.errors import RequestError


def ask(question: str) -> None:
    """Raise `RequestError` unless somebody answers yes."""
    if not sys.stdin.isatty():
        raise RequestError(f"{question} No terminal to answer from: nothing was changed", fix="--yes")
    if not typer.confirm(question, err=True):
        raise RequestError("nothing was changed", fix="answer yes, or give --yes")
