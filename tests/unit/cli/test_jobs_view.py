"""What the job verbs draw."""

from hypothesis import given
from hypothesis import strategies as st

from trainworks.cli.jobs import sparkline


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0]) == "▁"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_sparkline_is_never_wider_than_allowed(values: list[float]) -> None:
    assert 1 <= len(sparkline(values, width=24)) <= 24
