"""The resolved graph of all templates of an assembly, or of a single template: what the stacks will be once deployed.

    template_files.load_sources --> Sources --> resolver.Scope (one a template) --> Graph of Resources

Every property is a plain JSON value. A reference is replaced by the id or ARN that it will be: explicit names are used
as they are, all other ids are made up, the same in each run. What nobody can know before the deploy is `Unknown`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trainworks.assembly.creation import nearest
from trainworks.assembly.flaw import Flaw
from trainworks.assembly.mentions import Mentions
from trainworks.assembly.places import StackPath, places_of
from trainworks.assembly.resolver import Exports, Problem, Scope, StackFacts
from trainworks.assembly.serverless_globals import with_globals
from trainworks.assembly.template_check import resource_flaws, template_flaws
from trainworks.assembly.template_files import Sources, StackSource, load_sources
from trainworks.aws.partition import partition_of
from trainworks.aws.unknown import Unknown

__all__ = [
    "Document",
    "Graph",
    "Problem",
    "Reference",
    "Resource",
    "Unknown",
    "build",
    "graph_of_template",
    "load_graph",
]

ANY_ACCOUNT = "111111111111"
ANY_REGION = "us-east-1"
"""Stand in where neither the caller nor the assembly names an account and region."""

_ABSENT = object()


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of a template, present unless its condition is false."""

    stack: str
    """Name of the root stack."""
    stack_path: StackPath
    """Logical ids of the nested stacks that lead to its template."""
    logical_id: str
    type: str
    place: str
    """Construct path below the root stack, or logical ids where the template tells none."""
    raw: Mapping[str, Any]
    """Its body as in the template."""
    region: str
    created_at: str
    """`FILE:LINE` of the code that made it; empty if the assembly does not tell."""
    _scope: Scope = field(repr=False)

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """Its resolved properties."""
        return self._scope.properties(self.logical_id)

    def get(self, *path: str | int, default: Any = None) -> Any:
        """The property at `path` (names and indexes), or `default` where a part of it is absent."""
        found: Any = self.properties
        for step in path:
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and -len(found) <= step < len(found) else _ABSENT
            else:
                found = found.get(step, _ABSENT) if isinstance(found, Mapping) else _ABSENT
            if found is _ABSENT:
                return default
        return found

    def attribute(self, name: str) -> Any:
        """What `Fn::GetAtt` of `name` gives; `Ref` is the physical id."""
        return self._scope.attribute(self.logical_id, None if name == "Ref" else name)

    @cached_property
    def physical_id(self) -> str:
        """What `Ref` gives."""
        return self._scope.identity(self.logical_id).ref

    @cached_property
    def arn(self) -> str:
        """Its ARN; for types whose pattern is not known, one that is only unique."""
        return self._scope.identity(self.logical_id).arn

    @property
    def deletion_policy(self) -> str:
        """`Delete` where the template says nothing."""
        return str(self.raw.get("DeletionPolicy", "Delete"))

    @property
    def update_replace_policy(self) -> str:
        return str(self.raw.get("UpdateReplacePolicy", "Delete"))

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Logical ids of its own template."""
        return _depends_on(self.raw)


@dataclass(frozen=True, slots=True)
class Reference:
    """`source` (None: an output of a root stack) mentions `target` in the property at `path`."""

    source: Resource | None
    path: str
    target: Resource
    attribute: str
    """`Ref`, or the attribute whose value is mentioned."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object found inside a text: a property of `resource`, or an output (None)."""

    place: str
    path: str
    value: dict[str, Any]
    resource: Resource | None


class Graph:
    """All resources of all templates, and what refers to what."""

    def __init__(
        self, stacks: tuple[StackSource, ...], roots: tuple[Scope, ...], problems: dict[Problem, None]
    ) -> None:
        self._sources = {stack.name: stack for stack in stacks}
        self._roots = {scope.facts.name: scope for scope in roots}
        self._problems = problems
        self.stacks = tuple(self._roots)
        first = roots[0].facts
        self.account, self.region, self.partition = first.account, first.region, first.partition
        self.resources = tuple(resource for scope in roots for resource in _resources(scope, len(roots) > 1))

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    def of_type(self, *types: str) -> tuple[Resource, ...]:
        """Resources of any of the CloudFormation types, in the order of the templates."""
        return tuple(resource for type_ in types for resource in self._by_type.get(type_, ()))

    def resource(self, name: str) -> Resource:
        """The one resource whose place or logical id is `name`. Raises `KeyError`."""
        found = [each for each in self.resources if name in {each.place, each.logical_id}]
        if len(found) != 1:
            raise KeyError(f"{len(found)} resources are called {name}")
        return found[0]

    @cached_property
    def _mentions(self) -> Mentions[Resource]:
        return Mentions({resource: resource._scope.identity(resource.logical_id) for resource in self.resources})

    def owner(self, value: object) -> Resource | None:
        """The resource whose id, name, ARN or other attribute `value` is."""
        return self._mentions.owner(value)

    def mentioned(self, text: object) -> tuple[Resource, ...]:
        """Every resource whose id, name or ARN occurs inside `text`, in the order in which they do."""
        return self._mentions.inside(text)

    def shown(self, value: object) -> str:
        """`value` for people: ids that were made up are written `${place}` or `${place.Attribute}`."""
        text = value if isinstance(value, str) else json.dumps(value)
        return self._mentions.shown(text, lambda resource: resource.place)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every mention of a resource in a property of another one or in an output of a root stack."""
        found: list[Reference] = []
        for resource in self.resources:
            for path, text in _texts(resource.properties, ""):
                for target, attribute in self._mentions.found(text):
                    if target is not resource:
                        found.append(Reference(resource, path, target, attribute))
        for name, value in self.outputs.items():
            for path, text in _texts(value, f"Outputs.{name}"):
                found += [Reference(None, path, *mention) for mention in self._mentions.found(text)]
        return tuple(found)

    @cached_property
    def _users(self) -> dict[Resource, list[Reference]]:
        users: dict[Resource, list[Reference]] = {}
        for reference in self.references:
            users.setdefault(reference.target, []).append(reference)
        return users

    def users_of(self, resource: Resource) -> tuple[Reference, ...]:
        """Every mention of `resource`."""
        return tuple(self._users.get(resource, ()))

    @cached_property
    def _documents(self) -> tuple[Document, ...]:
        found = [
            Document(resource.place, path, value, resource)
            for resource in self.resources
            for path, value in _objects(resource.properties, "")
        ]
        for scope in self._roots.values():
            found += _documents_in_outputs(scope)
        return tuple(found)

    def documents(self) -> Iterator[Document]:
        """JSON objects inside texts of properties and of outputs."""
        yield from self._documents

    def outputs_of(self, stack: str, stack_path: StackPath = ()) -> Mapping[str, Any]:
        """Resolved outputs of one template."""
        scope = self._roots[stack]
        for logical_id in stack_path:
            scope = scope.children[logical_id]
        return scope.outputs()

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """Resolved outputs of all root stacks."""
        return {name: value for scope in self._roots.values() for name, value in scope.outputs().items()}

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What CloudFormation would refuse: a wrong form, references to nothing, functions misused, circles."""
        for resource in self.resources:
            _ = resource.properties
        _ = self.outputs
        found = [problem for scope in self._roots.values() for problem in _problems(scope)]
        said = {(problem.place, problem.message): problem for problem in [*found, *self._problems]}
        return tuple(said.values())

    def termination_protection(self, stack: str) -> bool | None:
        """Whether the assembly protects the root stack against deletion; None for a template, which cannot say it."""
        return self._sources[stack].termination_protection

    def tags(self, stack: str) -> Mapping[str, str]:
        """Tags of the root stack, which CloudFormation also gives to its resources."""
        return self._sources[stack].tags

    def template(self, stack: str, stack_path: StackPath = ()) -> Mapping[str, Any]:
        """A template as it was read."""
        return self._sources[stack].templates[stack_path]

    def stack_name(self, stack: str, stack_path: StackPath) -> str:
        """The name of a stack for people: the root's own, or the construct's below it."""
        return self._roots[stack].facts.places.stack(stack_path)

    def stack_paths(self, stack: str) -> tuple[StackPath, ...]:
        """The stack paths of all templates of a root stack."""
        return tuple(self._sources[stack].templates)

    def file(self, stack: str, stack_path: StackPath = ()) -> Path | None:
        """The file that a template was read from."""
        return self._sources[stack].files.get(stack_path)


def load_graph(
    path: Path,
    *,
    account: str | None = None,
    region: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Graph:
    """Read a cloud assembly's folder, or one template in JSON or YAML. Raises `RequestError` if it is neither.

    Account and region are the assembly's own if it names them and the caller does not.
    """
    return build(load_sources(path), account=account, region=region, parameters=parameters)


def graph_of_template(
    template: Mapping[str, Any],
    *,
    name: str = "template",
    account: str | None = None,
    region: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Graph:
    """The graph of one template."""
    sources = Sources((StackSource(name, {(): dict(template)}),))
    return build(sources, account=account, region=region, parameters=parameters)


def build(
    sources: Sources,
    *,
    account: str | None = None,
    region: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Graph:
    """The graph of templates that are already read. `parameters` are values for the root stacks."""
    problems: dict[Problem, None] = {}
    exports = Exports()
    roots = []
    for stack in sources.stacks:
        facts = _facts(stack, account, region)
        scopes: dict[StackPath, Scope] = {}
        for stack_path in sorted(stack.templates, key=len):
            parent = scopes[stack_path[:-1]] if stack_path else None
            scopes[stack_path] = Scope(
                facts,
                stack_path,
                with_globals(stack.templates[stack_path]),
                parent=parent,
                parameters=parameters or {},
                problems=problems,
                exports=exports,
            )
            if parent is not None:
                parent.children[stack_path[-1]] = scopes[stack_path]
            _register_exports(scopes[stack_path], exports, problems)
        roots.append(scopes[()])
    return Graph(sources.stacks, tuple(roots), problems)


def _facts(stack: StackSource, account: str | None, region: str | None) -> StackFacts:
    region = region or stack.region or ANY_REGION
    paths = stack.construct_paths or tuple(_paths_in_metadata(stack))
    places = places_of(stack.name, paths, stack.templates)
    account = account or stack.account or ANY_ACCOUNT
    return StackFacts(stack.name, account, region, partition_of(region), places, stack.created_at)


def _paths_in_metadata(stack: StackSource) -> Iterator[tuple[str, str]]:
    """Construct paths as the CDK writes them into templates."""
    for template in stack.templates.values():
        for logical_id, body in template["Resources"].items():
            metadata = body.get("Metadata") if isinstance(body, Mapping) else None
            path = metadata.get("aws:cdk:path") if isinstance(metadata, Mapping) else None
            if isinstance(path, str):
                yield path, logical_id


def _register_exports(scope: Scope, exports: Exports, problems: dict[Problem, None]) -> None:
    for name, output in scope.template.get("Outputs", {}).items():
        export = output.get("Export") if isinstance(output, Mapping) else None
        if isinstance(export, Mapping) and export.get("Name") is not None:
            resolved = scope.at(f"Outputs.{name}", export["Name"])
            if not isinstance(resolved, str):
                continue
            # Other stacks of an assembly may be for other accounts, which have exports of their own.
            if exports.owners.get(resolved) == scope.facts.name and not isinstance(resolved, Unknown):
                message = f"exports {str(resolved)!r}, which another output exports already"
                problems[Problem(f"Outputs.{name}", message, "give each export a name of its own")] = None
            exports.owners[resolved] = scope.facts.name
            exports.values[resolved] = _output_of(scope, name)


def _output_of(scope: Scope, name: str) -> Callable[[], Any]:
    return lambda: scope.output(name)


def _resources(scope: Scope, name_the_stack: bool) -> Iterator[Resource]:
    facts = scope.facts
    for logical_id, body in scope.resources.items():
        if logical_id.startswith("Fn::") or not scope.is_present(logical_id):
            continue
        place = facts.places.resource(scope.stack_path, logical_id)
        place = f"{facts.name}/{place}" if name_the_stack else place
        created_at = nearest(facts.created_at, facts.places.paths.get((scope.stack_path, logical_id), ""))
        yield Resource(
            facts.name, scope.stack_path, logical_id, body["Type"], place, body, facts.region, created_at, scope
        )
        if logical_id in scope.children:
            yield from _resources(scope.children[logical_id], name_the_stack)


def _documents_in_outputs(scope: Scope) -> Iterator[Document]:
    stack = scope.facts.places.stack(scope.stack_path)
    for name, output in scope.outputs().items():
        for path, value in _objects(output, f"Outputs.{name}"):
            yield Document(f"{stack}/{name}" if scope.stack_path else name, path, value, None)
    for child in scope.children.values():
        yield from _documents_in_outputs(child)


def _problems(scope: Scope) -> Iterator[Problem]:
    """What its template alone shows, what it passes to those below it, and theirs."""
    flaws = template_flaws(scope.template, scope.condition)
    for flaw in flaws or resource_flaws(scope.template, scope.condition):
        yield Problem(_place(scope, flaw), flaw.message, flaw.fix)
    for logical_id, child in scope.children.items():
        yield from _passed(scope, logical_id, child)
        yield from _problems(child)


def _passed(scope: Scope, logical_id: str, child: Scope) -> Iterator[Problem]:
    """Parameters of a nested stack that its template lacks, or that nobody gives a value."""
    given = (scope.resources[logical_id].get("Properties") or {}).get("Parameters", {})
    declared = child.template.get("Parameters", {})
    if not isinstance(given, Mapping) or any(str(name).startswith("Fn::") for name in given):
        return
    place = scope.facts.places.resource(scope.stack_path, logical_id)
    for name in given:
        if name not in declared:
            fix = f"one of {', '.join(sorted(declared))}" if declared else "leave it out: it has none"
            yield Problem(place, f"passes the parameter {name!r}, which its template does not have", fix)
    for name, body in declared.items():
        if name not in given and isinstance(body, Mapping) and "Default" not in body:
            yield Problem(place, f"gives its parameter {name!r} no value, and it has no default", f"pass {name}")


def _place(scope: Scope, flaw: Flaw) -> str:
    if flaw.resource in scope.resources:
        return scope.facts.places.resource(scope.stack_path, flaw.resource)
    return ".".join(flaw.where[:2])


def _depends_on(body: Mapping[str, Any]) -> tuple[str, ...]:
    named = body.get("DependsOn", ())
    return (named,) if isinstance(named, str) else tuple(named or ())


def _texts(value: Any, path: str) -> list[tuple[str, str]]:
    """(path, text) of every text in a value. Without recursion: a large assembly has tens of thousands of them."""
    found: list[tuple[str, str]] = []
    pending: list[tuple[str, Any]] = [(path, value)]
    while pending:
        where, each = pending.pop()
        if isinstance(each, str):
            found.append((where, each))
        elif isinstance(each, dict):
            pending += [(f"{where}.{key}" if where else key, member) for key, member in reversed(each.items())]
            found += [(f"{where} (key)", key) for key in each if "tw" in key]
        elif isinstance(each, list):
            pending += [(f"{where}[{index}]", each[index]) for index in range(len(each) - 1, -1, -1)]
    return found


def _objects(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, text in _texts(value, path):
        if text.lstrip().startswith("{"):
            try:
                found = json.loads(text)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield where, found
