"""A rule, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.settings import CheckSettings


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule found `at` a resource, or at a place that is none (an output: `Training/TrainingJobConfig`).

    `message` says what is wrong and what follows from it; `value` is what is there, resolved, as the graph has it: the
    checker renders it for people. `severity` overrules the rule's own.
    """

    at: Resource | str
    message: str
    value: object
    fix: str
    severity: Severity | None = None


Find = Callable[[Graph, CheckSettings], Iterator[Fault]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`title` says what it finds, `origin` which fault that people meet it comes from; both stand in check.md."""

    code: str
    severity: Severity
    title: str
    origin: str
    find: Find
