"""Names that a reader of the infrastructure code knows: construct paths for logical ids, stack by stack.

A *way* is how one gets to a template: the logical ids of the nested stacks from the root down, `()` for the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Way = tuple[str, ...]

# The CDK's logical id of a nested stack: the construct's id twice, and a hash.
_NESTED_STACK_ID = re.compile(r"(?P<name>.+)NestedStack(?P=name)NestedStackResource[0-9A-F]{8}")
_NESTED_STACK_PATH = re.compile(r"(?P<parent>.*/)?(?P<name>[^/]+)\.NestedStack/(?P=name)\.NestedStackResource")


@dataclass(frozen=True, slots=True)
class Places:
    """Construct paths below the root stack, for what an assembly tells; logical ids for what it does not."""

    stack_name: str
    paths: Mapping[tuple[Way, str], str] = field(default_factory=dict)

    def stack(self, way: Way) -> str:
        """The name of a stack: the root's own, or the construct's below it, as in `Network`."""
        if not way:
            return self.stack_name
        known = _NESTED_STACK_PATH.fullmatch(self.paths.get((way[:-1], way[-1]), ""))
        known = known or _NESTED_STACK_ID.fullmatch(way[-1])
        return known["name"] if known else way[-1]

    def resource(self, way: Way, logical_id: str) -> str:
        """The construct path below the root stack, as in `Storage/ModelBucket`."""
        path = self.paths.get((way, logical_id))
        nested = _NESTED_STACK_PATH.fullmatch(path or "")
        if nested:
            return _readable(f"{nested['parent'] or ''}{nested['name']}")
        if path:
            return _readable(path.removesuffix("/Resource"))
        below = [self.stack(way[: depth + 1]) for depth in range(len(way))]
        return "/".join([*below, self.stack((*way, logical_id))])


def _readable(path: str) -> str:
    """Without the components called `Default`, which the CDK leaves out of logical ids as well."""
    return "/".join(part for part in path.split("/") if part != "Default")


def places_of(
    stack_name: str, construct_paths: Iterable[tuple[str, str]], templates: Mapping[Way, Mapping[str, object]]
) -> Places:
    """Sort `(construct path, logical id)` pairs by the template that each belongs to.

    A path names the nested stacks above it, so the template with the longest matching prefix is the one.
    """
    by_id: dict[str, list[str]] = {}
    for path, logical_id in construct_paths:
        by_id.setdefault(logical_id, []).append(path.partition("/")[2])
    paths: dict[tuple[Way, str], str] = {}
    prefixes: dict[Way, str] = {(): ""}
    for way in sorted(templates, key=len):
        if way:
            nested = _NESTED_STACK_PATH.fullmatch(paths.get((way[:-1], way[-1]), ""))
            prefixes[way] = f"{nested['parent'] or ''}{nested['name']}/" if nested else ""
        resources = templates[way].get("Resources", {})
        for logical_id in resources if isinstance(resources, Mapping) else ():
            # Logical ids are unique in one template only: another nested stack may have the same.
            below = next((path for path in by_id.get(logical_id, ()) if path.startswith(prefixes[way])), None)
            if below:
                paths[way, logical_id] = below
    return Places(stack_name, paths)
