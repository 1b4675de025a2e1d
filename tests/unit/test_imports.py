"""What `lint-imports` cannot say: no module imports itself by way of others, ministack is named in one place."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import grimp

import trainworks

SOURCE = Path(trainworks.__file__).parent
MODULE_OF_MINISTACK = re.compile(r"ministack(\.\w+)*")

NAMES_IT = {
    "extras.py": "finds out whether the extra that brings it is installed",
    "twin/emulator/": "is where it is loaded",
}


def circles(imports: Mapping[str, Set[str]]) -> Iterator[set[str]]:
    """Sets of modules each of which imports, by way of others too, all of its set. After Tarjan, no recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for root in imports:
        work = [(root, iter(sorted(imports[root])))] if root not in index else []
        while work:
            module, rest = work[-1]
            if module not in index:
                index[module] = low[module] = len(index)
                path.append(module)
                on_path.add(module)
            for imported in rest:
                if imported not in index:
                    work.append((imported, iter(sorted(imports[imported]))))
                    break
                if imported in on_path:
                    low[module] = min(low[module], index[imported])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == index[module]:
                    found: set[str] = set()
                    while module not in found:
                        found.add(path.pop())
                    on_path -= found
                    if len(found) > 1:
                        yield found


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("trainworks", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert [sorted(each) for each in circles(imports)] == []


def test_every_kind_of_sagemaker_has_its_place_among_the_rooms() -> None:
    """The contract wants each module of the folder in some layer; a package is a room, and has its place in theirs."""
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    container = "trainworks.twin.services.sagemaker"
    contract = next(
        each for each in project["tool"]["importlinter"]["contracts"] if each.get("containers") == [container]
    )
    rooms = next(layer for layer in contract["layers"] if "training" in layer.split(" | "))
    place = SOURCE.joinpath(*container.split(".")[1:])
    packages = {each.parent.name for each in place.glob("*/__init__.py")}
    assert packages >= {"training", "hosting"}
    assert packages <= {room.strip("()") for room in rooms.split(" | ")}
    assert contract["exhaustive"] is True


def test_circles_are_found() -> None:
    imports = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert sorted(map(sorted, circles(imports))) == [["a", "b", "c"], ["d", "e"]]
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": set()})) == []


def test_ministack_is_loaded_in_one_place() -> None:
    """By an import of a name that is a text, which no contract sees."""
    found = set()
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = (each.value for each in ast.walk(tree) if isinstance(each, ast.Constant))
        if any(isinstance(each, str) and MODULE_OF_MINISTACK.fullmatch(each) for each in texts):
            found.add(next((known for known in NAMES_IT if place.startswith(known)), place))
    assert found == set(NAMES_IT)
