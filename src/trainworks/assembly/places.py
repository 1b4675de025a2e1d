"""Names that a reader of the infrastructure code knows: construct paths for logical ids, stack by stack.

A *stack path* leads to a template: the logical ids of the nested stacks from the root down, `()` for the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

StackPath = tuple[str, ...]

# The CDK's logical id of a nested stack: the construct's id twice, and a hash.
_NESTED_STACK_ID = re.compile(r"(?P<name>.+)NestedStack(?P=name)NestedStackResource[0-9A-F]{8}")
_NESTED_STACK_PATH = re.compile(r"(?P<parent>.*/)?(?P<name>[^/]+)\.NestedStack/(?P=name)\.NestedStackResource")


@dataclass(frozen=True, slots=True)
class Places:
    """Construct paths below the root stack, for what an assembly tells; logical ids for what it does not."""

    stack_name: str
    paths: Mapping[tuple[StackPath, str], str] = field(default_factory=dict)

    def stack(self, stack_path: StackPath) -> str:
        """The name of a stack: the root's own, or the construct's below it, as in `Network`."""
        if not stack_path:
            return self.stack_name
        known = _NESTED_STACK_PATH.fullmatch(self.paths.get((stack_path[:-1], stack_path[-1]), ""))
        known = known or _NESTED_STACK_ID.fullmatch(stack_path[-1])
        return known["name"] if known else stack_path[-1]

    def resource(self, stack_path: StackPath, logical_id: str) -> str:
        """The construct path below the root stack, as in `Storage/ModelBucket`."""
        path = self.paths.get((stack_path, logical_id))
        nested = _NESTED_STACK_PATH.fullmatch(path or "")
        if nested:
            return _readable(f"{nested['parent'] or ''}{nested['name']}")
        if path:
            return _readable(path.removesuffix("/Resource"))
        below = [self.stack(stack_path[: depth + 1]) for depth in range(len(stack_path))]
        return "/".join([*below, self.stack((*stack_path, logical_id))])


def _readable(path: str) -> str:
    """Without the components called `Default`, which the CDK leaves out of logical ids as well."""
    return "/".join(part for part in path.split("/") if part != "Default")


def places_of(
    stack_name: str, construct_paths: Iterable[tuple[str, str]], templates: Mapping[StackPath, Mapping[str, object]]
) -> Places:
    """Sort `(construct path, logical id)` pairs by the template that each belongs to.

    A path names the nested stacks above it, so the template with the longest matching prefix is the one.
    """
    by_id: dict[str, list[str]] = {}
    for path, logical_id in construct_paths:
        by_id.setdefault(logical_id, []).append(path.partition("/")[2])
    paths: dict[tuple[StackPath, str], str] = {}
    prefixes: dict[StackPath, str] = {(): ""}
    for stack_path in sorted(templates, key=len):
        if stack_path:
            nested = _NESTED_STACK_PATH.fullmatch(paths.get((stack_path[:-1], stack_path[-1]), ""))
            prefixes[stack_path] = f"{nested['parent'] or ''}{nested['name']}/" if nested else ""
        resources = templates[stack_path].get("Resources", {})
        for logical_id in resources if isinstance(resources, Mapping) else ():
            # Logical ids are unique in one template only: another nested stack may have the same.
            below = next((path for path in by_id.get(logical_id, ()) if path.startswith(prefixes[stack_path])), None)
            if below:
                paths[stack_path, logical_id] = below
    return Places(stack_name, paths)
