"""What a service answers, brought into the words of the template that it is compared with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.emulator.cloudformation.drift import in_the_shape_of

NAMES = st.sampled_from(["Id", "id", "Arn", "State", "Rules"])
VALUES = st.recursive(
    st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(value=VALUES)
def test_what_is_as_declared_stays_as_it_is(value: Any) -> None:
    assert in_the_shape_of(value, value) == value


@pytest.mark.parametrize(
    ("expected", "actual", "shaped"),
    [
        ({"State": 1}, {"state": 2, "arn": "x"}, {"State": 2}),
        ({"State": 1}, {}, {}),
        ({"Order": [{"Order": 1}]}, {"order": [{"order": 1}, {"order": 2}]}, {"Order": [{"Order": 1}, {"Order": 2}]}),
        # a name of another case somewhere below is no reason to rename one here
        ({"T": [{"Id": 0, "M": {"id": 1}}]}, {"T": [{"Id": 0, "M": {"id": 1}}]}, {"T": [{"Id": 0, "M": {"id": 1}}]}),
        ({"L": [{"A": 1}, {"B": {"C": 2}}]}, {"l": [{"b": {"c": 3, "d": 4}}]}, {"L": [{"B": {"C": 3, "d": 4}}]}),
    ],
)  # fmt: skip
def test_names_follow_the_template_and_nothing_in_a_list_is_dropped(expected: Any, actual: Any, shaped: Any) -> None:
    assert in_the_shape_of(expected, actual) == shaped
