"""The resolved graph of all templates of an assembly, or of a single template: what the stacks will be once deployed.

    template_files.load --> StackTemplate tree --> resolver (Ref, GetAtt, Sub, ...) --> Graph of Resources

Every property is a plain JSON value. A reference is replaced by the id or ARN that it will be: explicit names are used
as they are, all other ids are made up, the same in each run. What nobody can know before the deploy is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Way = tuple[str, ...]


class Unknown(str):
    """A value that only the deployment tells; the text says why. Part of a longer text, it makes that Unknown too."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource; `properties` are resolved, `raw` is its body as in the template."""

    stack: str
    way: Way
    logical_id: str
    type: str
    place: str
    raw: Mapping[str, Any]
    properties: Mapping[str, Any]
    physical_id: str
    """What `Ref` gives."""
    deletion_policy: str
    update_replace_policy: str
    depends_on: tuple[str, ...]

    def get(self, *path: str | int, default: Any = None) -> Any:
        """The property at `path`, or `default` where a part of the path is absent."""
        raise NotImplementedError

    def attribute(self, name: str) -> str:
        """What `Fn::GetAtt` of `name` gives; `Ref` is the physical id."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Reference:
    """`source` (None: an output of the root) mentions `target`'s `attribute` at the property `path`."""

    source: Resource | None
    path: str
    target: Resource
    attribute: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What CloudFormation itself would refuse: a reference to nothing, a cycle."""

    place: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object found inside a text: `path` of the property of `resource`, or of a root output (None)."""

    place: str
    path: str
    value: dict[str, Any]
    resource: Resource | None


class Graph:
    """All resources of all templates, and what refers to what."""

    resources: tuple[Resource, ...]
    references: tuple[Reference, ...]
    problems: tuple[Problem, ...]
    stacks: tuple[str, ...]
    account: str
    region: str
    partition: str

    def of_type(self, *types: str) -> tuple[Resource, ...]:
        """Resources of any of the CloudFormation types, in the order of the templates."""
        raise NotImplementedError

    def resource(self, name: str) -> Resource:
        """The one resource whose place or logical id is `name`. Raises `KeyError`."""
        raise NotImplementedError

    def owner(self, value: object) -> Resource | None:
        """The resource whose id, name or ARN `value` is."""
        raise NotImplementedError

    def mentioned(self, text: object) -> tuple[Resource, ...]:
        """Every resource whose id, name or ARN occurs inside `text`."""
        raise NotImplementedError

    def shown(self, value: object) -> str:
        """`value` for people: ids that were made up are written `${place.Attribute}`."""
        raise NotImplementedError

    def users_of(self, resource: Resource) -> tuple[Reference, ...]:
        """Every mention of `resource`."""
        raise NotImplementedError

    def documents(self) -> Iterator[Document]:
        """JSON objects inside texts of properties and root outputs."""
        raise NotImplementedError

    def outputs_of(self, stack: str, way: Way = ()) -> Mapping[str, Any]:
        """Resolved outputs of a stack; those of the only root by `outputs`."""
        raise NotImplementedError

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Resolved outputs of all root stacks."""
        raise NotImplementedError

    def termination_protection(self, stack: str) -> bool:
        """Whether the assembly protects the stack against deletion."""
        raise NotImplementedError


def load_graph(
    path: Path,
    *,
    account: str = "111111111111",
    region: str = "us-east-1",
    parameters: Mapping[str, str] | None = None,
) -> Graph:
    """Read a cloud assembly's folder, or one template in JSON or YAML. Raises `RequestError` where it is neither."""
    raise NotImplementedError


def graph_of_template(
    template: Mapping[str, Any],
    *,
    name: str = "template",
    account: str = "111111111111",
    region: str = "us-east-1",
    parameters: Mapping[str, str] | None = None,
) -> Graph:
    """The graph of one template."""
    raise NotImplementedError
