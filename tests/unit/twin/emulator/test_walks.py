"""Every walk over a store that is said to read is read here, in the source of the pinned ministack.

A walk changes rows when it assigns into what it walks over, or calls what changes a list, dictionary or set on it.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from trainworks.twin.emulator.durable.durability import _WALKS_READ

_WALKS = {"items", "values", "all_items", "all_values", "items_scoped", "values_scoped"}
_CHANGES = {"append", "pop", "update", "setdefault", "remove", "extend", "clear", "add", "discard", "insert", "popitem"}
# Run when state of stock's own is restored, which the twin never does.
_NEVER_CALLED = {"_restore_state", "load_persisted_state", "get_state", "reset"}


@cache
def changing_loops() -> list[tuple[str, str]]:
    """(store, place) of every `for` over a store's rows that changes what it walks over: one look for all tests."""
    spec = importlib.util.find_spec("ministack")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    names = {store.partition(".")[2] for store in _WALKS_READ} | {"_archives"}
    found = []
    for path in [*package.glob("core/*.py"), *package.glob("services/*.py"), *package.glob("services/*/*.py")]:
        text = path.read_text()
        if not any(re.search(rf"\b{name}(\._data)?\.({'|'.join(_WALKS)})\(", text) for name in names):
            continue
        tree = ast.parse(text)
        aliases = dict(module_aliases(tree))
        skipped = [
            range(node.lineno, (node.end_lineno or node.lineno) + 1)
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name in _NEVER_CALLED
        ]
        for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For)):
            walked = list(stores_walked(loop.iter, path.stem, aliases))
            if walked and not any(loop.lineno in lines for lines in skipped) and changes(loop):
                found += [(store, f"{path.stem}:{loop.lineno}") for store in walked]
    return found


def module_aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a module of ministack is called where it was imported, and its own name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in node.names:
                yield name.asname or name.name, name.name.rpartition(".")[2]


def stores_walked(iterated: ast.expr, module: str, aliases: Mapping[str, str]) -> Iterator[str]:
    for call in ast.walk(iterated):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _WALKS:
            target = call.func.value
            if isinstance(target, ast.Attribute) and target.attr == "_data":
                target = target.value
            if isinstance(target, ast.Name):
                yield f"{module}.{target.id}"
            elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                yield f"{aliases.get(target.value.id, target.value.id)}.{target.attr}"


def changes(loop: ast.For) -> bool:
    names = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    for node in (inner for statement in loop.body for inner in ast.walk(statement)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and root(node.value) in names:
            names.add(node.targets[0].id)
    for node in (inner for statement in loop.body for inner in ast.walk(statement)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            targets = [ast.Subscript(node.func.value, ast.Constant(0), ast.Load())]
        if any(isinstance(target, ast.Subscript) and root(target) in names for target in targets):
            return True
    return False


def root(node: ast.AST) -> str:
    """The name at the front of `name["a"].b(c)["d"]`."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("store", sorted(_WALKS_READ))
def test_no_walk_changes_a_row_of(store: str) -> None:
    assert [place for walked, place in changing_loops() if walked == store] == []


def test_a_walk_that_changes_rows_is_found() -> None:
    assert "eventbridge._archives" in {walked for walked, _ in changing_loops()}
