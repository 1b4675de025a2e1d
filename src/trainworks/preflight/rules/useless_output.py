"""TW30: outputs that say nothing or that nobody hears, and images pulled by a tag that never moves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_EMPTY = frozenset({"", "[]", "{}", "null", ","})
_STACK = "AWS::CloudFormation::Stack"
_OUTPUT = re.compile(r"Outputs\.(\w+)")
_LATEST = re.compile(r"^(?P<repository>[^\s:@]+/[^\s:@]+?)(?::latest)?$")


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for stack in graph.stacks:
        yield from _empty(graph, stack)
    yield from _unheard(graph)
    yield from _immutable_latest(graph)


def _empty(graph: Graph, stack: str) -> Iterator[Fault]:
    for stack_path in graph.stack_paths(stack):
        for name, value in graph.outputs_of(stack, stack_path).items():
            if not isinstance(value, Unknown) and str(value).strip() in _EMPTY:
                yield Fault(
                    _place(graph, stack, stack_path, name),
                    "the output is empty: whoever reads it gets nothing",
                    json.dumps(value),
                    "correct the selection that it is made of, or remove the output",
                )


def _unheard(graph: Graph) -> Iterator[Fault]:
    """Outputs of nested stacks: nobody but the parent can read them, unless they are exported."""
    for stack in graph.stacks:
        heard = {
            (*stack_path, *mentioned)
            for stack_path in graph.stack_paths(stack)
            for mentioned in _mentioned_outputs(json.dumps(graph.template(stack, stack_path)))
        }
        for stack_path in graph.stack_paths(stack):
            written = graph.template(stack, stack_path).get("Outputs", {})
            resolved = graph.outputs_of(stack, stack_path) if stack_path else {}
            for name, value in resolved.items():
                if (*stack_path, name) not in heard and "Export" not in written[name]:
                    yield Fault(
                        _place(graph, stack, stack_path, name),
                        "an output of a nested stack that its parent does not read and that is not exported: "
                        "nobody outside can read it",
                        value,
                        "make it an output of the root stack, or remove it",
                    )


def _mentioned_outputs(template: str) -> Iterator[tuple[str, str]]:
    """The logical id of a nested stack and the name of its output, as in `Fn::GetAtt` and `${Stack.Outputs.Name}`."""
    for match in _OUTPUT.finditer(template):
        end = max(template.rfind(".", 0, match.start()), template.rfind('", "', 0, match.start()))
        start = max(template.rfind('"', 0, end), template.rfind("{", 0, end)) + 1
        yield template[start:end], match[1]


def _place(graph: Graph, stack: str, stack_path: tuple[str, ...], name: str) -> str:
    """As `Graph.documents` names outputs: below the nested stack's place."""
    nested = next(
        (each for each in graph.of_type(_STACK) if stack_path and (*each.stack_path, each.logical_id) == stack_path),
        None,
    )
    return f"{nested.place}/{name}" if nested else name


def _immutable_latest(graph: Graph) -> Iterator[Fault]:
    immutable = [
        each for each in graph.of_type("AWS::ECR::Repository") if each.get("ImageTagMutability") == "IMMUTABLE"
    ]
    for repository in immutable:
        for reference in graph.users_of(repository):
            if reference.source is not None:
                yield from _pulls_latest(reference.source, reference.path, repository)


def _pulls_latest(source: Resource, path: str, repository: Resource) -> Iterator[Fault]:
    image = source.get(*(int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)))
    match = _LATEST.match(image) if isinstance(image, str) and re.search(r"[Ii]mage$", path) else None
    if match and not isinstance(image, Unknown):
        yield Fault(
            source,
            f"pulls `latest` from {repository.place}, whose tags are immutable: it can be pushed once and never again",
            image,
            "pull a tag of its own for each build, or a digest",
        )


RULE = Rule(
    code="TW30",
    severity=Severity.WARNING,
    title="an output that is empty or that nobody reads; `latest` in a repository with immutable tags",
    origin="A list of subnets that came out empty and made every training job fail; values exported nowhere.",
    find=find,
)
