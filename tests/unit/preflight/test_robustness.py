"""No rule breaks on a template whose properties have the wrong form: cfn-lint says so better than a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trainworks.assembly.graph import build
from trainworks.assembly.template_files import Sources, load_sources
from trainworks.preflight.checker import check
from trainworks.preflight.settings import CheckSettings

HERE = Path(__file__).parent
SOURCES = [load_sources(path) for name in ("platforms", "third_party") for path in sorted((HERE / name).iterdir())] + [
    load_sources(HERE.parents[1] / "reference" / "cdk.out")
]
WRONG: list[Any] = [
    None,
    "",
    "x",
    "*",
    "-1",
    '{"VpcConfig": []}',
    0,
    -1,
    1.5,
    True,
    [],
    [None],
    [[]],
    ["", {}],
    {},
    {"a": {}},
    {"Ref": "AWS::NoValue"},
    {"Ref": "Nowhere"},
    {"Fn::GetAtt": ["Nowhere", "Arn"]},
]


def _steps(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside `value`."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in members:
        yield (*path, key)
        yield from _steps(each, (*path, key))


PATHS = [
    [
        (stack, stack_path, (logical_id, "Properties", *path))
        for stack, each in enumerate(sources.stacks)
        for stack_path, template in each.templates.items()
        for logical_id, body in template["Resources"].items()
        for path in _steps(body.get("Properties", {}))
    ]
    for sources in SOURCES
]


def _spoiled(sources: Sources, faults: list[tuple[int, Any, tuple[Any, ...], Any]]) -> Sources:
    stacks = [replace(each, templates=deepcopy(each.templates)) for each in sources.stacks]
    for stack, stack_path, path, wrong in faults:
        value: Any = stacks[stack].templates[stack_path]["Resources"]
        for step in path[:-1]:
            value = value[step] if _has(value, step) else None
        if _has(value, path[-1]):
            value[path[-1]] = deepcopy(wrong)
    return Sources(tuple(stacks))


def _has(value: Any, step: Any) -> bool:
    """An earlier fault may have replaced what a path leads through."""
    return step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), number=st.integers(0, len(SOURCES) - 1), count=st.integers(1, 12))
def test_properties_of_the_wrong_form(data: st.DataObject, number: int, count: int) -> None:
    faults = [(*data.draw(st.sampled_from(PATHS[number])), data.draw(st.sampled_from(WRONG))) for _ in range(count)]
    for finding in check(build(_spoiled(SOURCES[number], faults)), CheckSettings(production=True)).findings:
        assert finding.message
        assert finding.fix
