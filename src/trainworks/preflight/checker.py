"""Runs the rules over a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Finding
from trainworks.preflight.report import Report
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.rules import RULES
from trainworks.preflight.settings import Settings

_MAX_VALUE_CHARACTERS = 300


def check(graph: Graph, settings: Settings, rules: Sequence[Rule] = RULES) -> Report:
    """Every finding of every rule, errors first, then by code and place."""
    return Report.of(finding for rule in rules for finding in findings_of(rule, graph, settings))


def findings_of(rule: Rule, graph: Graph, settings: Settings) -> Iterator[Finding]:
    """What one rule finds."""
    for fault in rule.find(graph, settings):
        yield _finding(rule, fault, graph)


def _finding(rule: Rule, fault: Fault, graph: Graph) -> Finding:
    resource = fault.at if isinstance(fault.at, Resource) else None
    return Finding(
        code=rule.code,
        severity=fault.severity or rule.severity,
        place=resource.place if resource else str(fault.at),
        resource_type=resource.type if resource else "",
        logical_id=resource.logical_id if resource else "",
        message=graph.shown(fault.message),
        value=_shortened(_text(graph.shown(fault.value))) if fault.value not in (None, "") else "",
        fix=graph.shown(fault.fix),
        template=_template(graph, resource),
    )


def _template(graph: Graph, resource: Resource | None) -> str:
    file = graph.file(resource.stack, resource.way) if resource else graph.file(graph.stacks[0])
    return str(file or "")


def _text(shown: object) -> str:
    return shown if isinstance(shown, str) else str(shown)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[: _MAX_VALUE_CHARACTERS - 3]}..."
