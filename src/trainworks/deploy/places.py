"""Names that a reader of the infrastructure code knows: construct paths for logical ids, stack by stack.

A *way* is how one gets to a template: the logical ids of the nested stacks from the root down, `()` for the root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainworks.deploy.events import STACK_TYPE, StackEvent

Way = tuple[str, ...]
_PATH_KEY = "aws:cdk:path"


@dataclass(frozen=True, slots=True)
class Places:
    """Construct paths from the `aws:cdk:path` metadata of templates; a logical id stands for itself where none is."""

    stack_name: str
    templates: Mapping[Way, Mapping[str, Any]]

    def stack(self, way: Way) -> str:
        """The name of a stack: the root's own, or the construct's below it, as in `Network`."""
        if not way:
            return self.stack_name
        path = self._path(way[:-1], way[-1])
        # The construct of a nested stack's resource is `<root>/Network.NestedStack/Network.NestedStackResource`.
        return path.rpartition("/")[2].removesuffix(".NestedStackResource") if path else way[-1]

    def resource(self, way: Way, logical_id: str) -> str:
        """The construct path below the root stack, as in `Storage/ModelBucket`."""
        path = self._path(way, logical_id)
        if path:
            return _below_root(path)
        return "/".join([*(self.stack(way[: depth + 1]) for depth in range(len(way))), logical_id])

    def _path(self, way: Way, logical_id: str) -> str:
        resource = self.templates.get(way, {}).get("Resources", {}).get(logical_id, {})
        return str(resource.get("Metadata", {}).get(_PATH_KEY, ""))


def _below_root(path: str) -> str:
    """`root/Network.NestedStack/...` and `root/Network/Vpc/Resource` without the root and without CDK's own leaf."""
    below = path.partition("/")[2] or path
    return below.removesuffix("/Resource").removesuffix("/Default")


@dataclass(slots=True)
class Ways:
    """Learns from events which nested stack lies where: `way(stack_id)` once its parent's event was seen."""

    root_stack_id: str
    _known: dict[str, Way] = field(default_factory=dict)

    def learn(self, events: Iterable[StackEvent]) -> None:
        for event in events:
            if event.nested_stack_id:
                self._known[event.nested_stack_id] = (*self.way(event.stack_id), event.logical_id)

    def way(self, stack_id: str) -> Way:
        return self._known.get(stack_id, ())


def templates_by_way(template: Mapping[str, Any], nested: Mapping[str, Mapping[str, Any]]) -> dict[Way, dict[str, Any]]:
    """The root's template and those of its nested stacks, whose logical ids in the root are the keys of `nested`."""
    found: dict[Way, dict[str, Any]] = {(): dict(template)}
    for logical_id, resource in template.get("Resources", {}).items():
        if resource.get("Type") == STACK_TYPE and logical_id in nested:
            found[(logical_id,)] = dict(nested[logical_id])
    return found
