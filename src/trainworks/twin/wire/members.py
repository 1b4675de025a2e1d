"""Members that are refused by name: their paths as a tree, and the first of them that a request gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trainworks.twin.ports import ApiError

Tree = dict[str, Any]
"""Members by name: a tree below those that hold refused ones, True for those that are refused as a whole."""

Allowed = Callable[[str, object], bool]
"""Whether a value of the member at a path asks only for what is done anyway."""

_EMPTY: tuple[object, ...] = (None, "", [], {}, False, (), b"")


def tree_of(paths: Iterable[str]) -> Tree:
    """The tree of dotted paths; what is below a refused member is refused with it."""
    tree: Tree = {}
    for path in sorted(paths, key=lambda path: path.count(".")):
        *parents, name = path.split(".")
        node: Any = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if node is True:
                break
        else:
            node[name] = True
    return tree


def paths_of(tree: Tree, above: str = "") -> list[str]:
    """The paths from which a tree was made."""
    found: list[str] = []
    for name, below in tree.items():
        found += [above + name] if below is True else paths_of(below, f"{above}{name}.")
    return found


def first_refused(tree: Tree, value: Any, allowed: Allowed, path: str = "") -> str | None:
    """The path of the first member in `value` that is refused, or None. An empty value is as good as none."""
    if isinstance(value, list | tuple):
        found = (first_refused(tree, item, allowed, path) for item in value)
        return next((each for each in found if each), None)
    if not isinstance(value, Mapping):
        return None
    for name, below in tree.items():
        given = value.get(name)
        if given in _EMPTY:
            continue
        where = f"{path}.{name}" if path else name
        if below is not True:
            if inner := first_refused(below, given, allowed, where):
                return inner
        elif not allowed(where, given):
            return where
    return None


def refused_operation(service_name: str, operation: str) -> ApiError:
    """The error that answers an operation which AWS has and the twin does not."""
    return ApiError(
        "NotImplemented",
        f"trainworks does not implement {service_name}:{operation}; see docs/reference/fidelity.md",
        501,
    )


def refused_member(service_name: str, operation: str, member: str) -> ApiError:
    """The error that answers a member which would be ignored."""
    return ApiError(
        "NotImplemented",
        f"trainworks does not implement the member '{member}' of {service_name}:{operation}; leave it out, or see "
        "docs/reference/fidelity.md",
        501,
    )
