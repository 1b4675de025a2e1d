from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.serverless_globals import with_globals

FUNCTION = "AWS::Serverless::Function"


def merged(shared: Any, own: Any, **body: Any) -> Any:
    template = {"Globals": {"Function": shared}, "Resources": {"F": {"Type": FUNCTION, "Properties": own, **body}}}
    before = copy.deepcopy(template)
    found = with_globals(template)["Resources"]["F"]
    assert template == before
    return found["Properties"]


@pytest.mark.parametrize(
    ("shared", "own", "found"),
    [
        ({"Timeout": 9}, {}, {"Timeout": 9}),
        ({"Timeout": 9}, {"Timeout": 3}, {"Timeout": 3}),
        ({"Environment": {"Variables": {"A": 1, "B": 1}}}, {"Environment": {"Variables": {"B": 2}}},
         {"Environment": {"Variables": {"A": 1, "B": 2}}}),
        ({"Layers": ["a"]}, {"Layers": ["b"]}, {"Layers": ["a", "b"]}),
        ({"Timeout": {"Ref": "A"}}, {"Timeout": {"Fn::If": ["B", 1, 2]}}, {"Timeout": {"Fn::If": ["B", 1, 2]}}),
    ],
)  # fmt: skip
def test_a_function_has_what_it_does_not_say_itself(shared: Any, own: Any, found: Any) -> None:
    assert merged(shared, own) == found


def test_what_a_resource_ignores_it_has_not() -> None:
    assert merged({"Timeout": 9, "Runtime": "r"}, {}, IgnoreGlobals=["Timeout"]) == {"Runtime": "r"}
    assert merged({"Timeout": 9}, {}, IgnoreGlobals="*") == {}


def test_other_types_take_nothing() -> None:
    template = {"Globals": {"Function": {"Timeout": 9}}, "Resources": {"F": {"Type": "AWS::Lambda::Function"}}}
    assert with_globals(template)["Resources"] == template["Resources"]


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["Function", "Timeout", "Ref", "Fn::If"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(shared=JSON, own=JSON, body=JSON)
def test_whatever_stands_there_it_is_read(shared: Any, own: Any, body: Any) -> None:
    resource = {"Type": FUNCTION, "Properties": own, "IgnoreGlobals": body}
    found = with_globals({"Globals": {"Function": shared}, "Resources": {"F": resource, "X": body}})
    assert set(found["Resources"]) == {"F", "X"}
