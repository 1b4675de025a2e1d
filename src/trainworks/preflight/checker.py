"""Runs the rules over a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Finding
from trainworks.preflight.report import Report
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.rules import RULES
from trainworks.preflight.settings import CheckSettings

_MAX_VALUE_CHARACTERS = 300
_MAX_MESSAGE_CHARACTERS = 4000


def check(graph: Graph, settings: CheckSettings, rules: Sequence[Rule] = RULES) -> Report:
    """Every finding of every rule, errors first, then by code and place."""
    report = Report.of(finding for rule in rules for finding in findings_of(rule, graph, settings))
    return replace(report, notes=tuple(_not_looked_at(graph)))


def _not_looked_at(graph: Graph) -> Iterator[str]:
    """Macros work at AWS: what they make of a template is not known here."""
    named = [
        (macro, graph.file(stack, stack_path) or stack)
        for stack in graph.stacks
        for stack_path in graph.stack_paths(stack)
        for macro in _macros(graph.template(stack, stack_path).get("Transform"))
    ]
    for macro, where in dict.fromkeys(named):
        made = "AWS::Serverless::... resources expand to" if "Serverless" in macro else f"{macro} makes of it"
        yield f"{where} has a Transform: what {made} is not checked"


def _macros(transform: object) -> list[str]:
    each = transform if isinstance(transform, list) else [transform]
    return [str(one.get("Name", "a macro")) if isinstance(one, Mapping) else str(one) for one in each if one]


def findings_of(rule: Rule, graph: Graph, settings: CheckSettings) -> Iterator[Finding]:
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
        message=_shortened(graph.shown(fault.message), _MAX_MESSAGE_CHARACTERS),
        value=_shortened(_text(graph.shown(fault.value)), _MAX_VALUE_CHARACTERS)
        if fault.value not in (None, "")
        else "",
        fix=_shortened(graph.shown(fault.fix), _MAX_MESSAGE_CHARACTERS),
        template=_template(graph, resource),
        source=resource.created_at if resource else "",
    )


def _template(graph: Graph, resource: Resource | None) -> str:
    file = graph.file(resource.stack, resource.stack_path) if resource else graph.file(graph.stacks[0])
    return str(file or "")


def _text(shown: object) -> str:
    return shown if isinstance(shown, str) else str(shown)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
