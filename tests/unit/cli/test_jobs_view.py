"""What the job verbs draw."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trainworks.cli.jobs_view import age, sparkline


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0]) == "▁"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_sparkline_is_never_wider_than_allowed(values: list[float]) -> None:
    assert 1 <= len(sparkline(values, width=24)) <= 24


def test_an_age_is_told_in_the_largest_unit_of_which_there_are_two() -> None:
    now = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
    told = {seconds: age(now - timedelta(seconds=seconds), now) for seconds in (0, 119, 120, 7_199, 7_200, 172_800)}
    assert told == {0: "0 s", 119: "119 s", 120: "2 min", 7_199: "119 min", 7_200: "2 h", 172_800: "2 d"}
