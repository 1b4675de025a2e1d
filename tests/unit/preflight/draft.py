"""A clean platform or template to be spoiled in one place."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from trainworks.assembly.graph import Graph, build
from trainworks.assembly.template_files import Sources, StackSource
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.rule import Rule
from trainworks.preflight.settings import CheckSettings

ACCOUNT, REGION = "111111111111", "eu-west-1"


def graph_of(sources: Sources) -> Graph:
    return build(sources, account=ACCOUNT, region=REGION, parameters={})


@dataclass(frozen=True)
class Clean:
    """Templates without the fault, their graph, and what is found there anyway. Shared: never edited."""

    sources: Sources
    graph: Graph
    settings: CheckSettings
    known: frozenset[Finding]

    @classmethod
    def of(cls, sources: Sources, settings: CheckSettings) -> Clean:
        graph = graph_of(sources)
        return cls(sources, graph, settings, frozenset(check(graph, settings).findings))


class Draft:
    """A copy to edit. Bodies are the raw ones of the template: change them in place."""

    def __init__(self, clean: Clean) -> None:
        self._clean = clean
        self.settings = clean.settings
        self.sources = Sources(tuple(_copy(stack) for stack in clean.sources.stacks))

    def template(self, stack: str = "") -> dict[str, Any]:
        """The template of the nested stack whose logical id starts with `stack`; "" is the root's."""
        (found,) = [
            template
            for (_, stack_path), template in self.sources.templates.items()
            if (not stack_path if not stack else bool(stack_path) and stack_path[-1].startswith(stack))
        ]
        return found

    def body(self, name: str) -> dict[str, Any]:
        """The resource of that place (`Storage/ModelBucket`) or logical id, also one that was added."""
        for template in self.sources.templates.values():
            if name in template["Resources"]:
                added: dict[str, Any] = template["Resources"][name]
                return added
        resource = self._clean.graph.resource(name)
        body: dict[str, Any] = self.sources.templates[resource.stack, resource.stack_path]["Resources"][
            resource.logical_id
        ]
        return body

    def properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.body(name).setdefault("Properties", {})
        return properties

    def logical_id(self, name: str) -> str:
        return self._clean.graph.resource(name).logical_id

    def without_termination_protection(self) -> Draft:
        self.sources = Sources(tuple(replace(stack, termination_protection=False) for stack in self.sources.stacks))
        return self

    def add(self, logical_id: str, type_: str, properties: Mapping[str, Any], stack: str = "", **body: Any) -> None:
        """One more resource in the nested stack (`template`)."""
        self.template(stack)["Resources"][logical_id] = {"Type": type_, "Properties": dict(properties), **body}

    def remove(self, name: str) -> None:
        """Without a resource that nothing refers to."""
        resource = self._clean.graph.resource(name)
        del self.sources.templates[resource.stack, resource.stack_path]["Resources"][resource.logical_id]

    def with_settings(self, **changes: Any) -> Draft:
        self.settings = replace(self.settings, **changes)
        return self

    def graph(self) -> Graph:
        return graph_of(self.sources)

    def findings(self) -> list[Finding]:
        """What the edits brought: findings that the clean templates have not."""
        return [each for each in check(self.graph(), self.settings).findings if each not in self._clean.known]


def only(draft: Draft, rule: Rule) -> list[Finding]:
    """The new findings, all of them `rule`'s and at least one."""
    found = draft.findings()
    assert found, f"{rule.code} found nothing"
    assert {each.code for each in found} == {rule.code}, found
    return found


def nothing(draft: Draft) -> None:
    """The edit is no fault of any rule."""
    assert draft.findings() == []


def quiet(draft: Draft, rule: Rule) -> None:
    """The edit is no fault of `rule`, whatever others think of it."""
    assert [each for each in draft.findings() if each.code == rule.code] == []


def draft_of(template: Mapping[str, Any], settings: CheckSettings | None = None) -> Draft:
    """A small clean template of one's own to edit: `{"Resources": ...}`, or the resources alone."""
    whole = dict(template) if "Resources" in template else {"Resources": dict(template)}
    return Draft(Clean.of(Sources((StackSource("template", {(): whole}),)), settings or CheckSettings()))


def _copy(stack: StackSource) -> StackSource:
    return replace(stack, templates=deepcopy(stack.templates))
