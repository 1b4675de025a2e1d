"""Completes commands inside sentences, so that they act on the environment that the sentence is about.

Layers below the command line say what to do (`fix: trainworks up`) without knowing how the environment was chosen.
What is printed has to: `trainworks up --env prod`. The environment in use is what `EnvironmentOption` was given.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

from trainworks.cli.verbs import VERBS

LOCAL = "local"
_WITHOUT_ENVIRONMENT = frozenset({"demo", "twin"})
_PARTS = {
    "batch": ("submit",),
    "cost": ("job", "refresh"),
    "data": ("put", "list", "remove"),
    "function": ("list", "invoke", "logs"),
    "image": ("build", "list"),
}
_in_use: ContextVar[str] = ContextVar("environment_in_use", default=LOCAL)


def use(environment_name: str) -> str:
    """Remember which environment the command acts on; given back, as an option's callback does."""
    _in_use.set(environment_name)
    return environment_name


def addressed(text: str) -> str:
    """`text` with `--env NAME` in each `trainworks VERB` that takes one and names none; as it is for the twin's own."""
    name = _in_use.get()
    if name == LOCAL:
        return text
    first, *following = _COMMAND.split(text)
    pieces = [first]
    for command, rest in zip(following[::2], following[1::2], strict=True):
        option = "" if "--env" in rest.split() else f" --env {name}"
        pieces += [command, option, rest]
    return "".join(pieces)


def _pattern() -> re.Pattern[str]:
    words = []
    for verb in VERBS:
        if verb.name not in _WITHOUT_ENVIRONMENT:
            parts = _PARTS.get(verb.name)
            words.append(f"{verb.name}(?: (?:{'|'.join(parts)})\\b)?" if parts else verb.name)
    return re.compile(rf"(\btrainworks (?:{'|'.join(words)})(?![\w-]))")


_COMMAND = _pattern()
