from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.wildcards import covers, covers_action

LETTERS = "ab:/.["
TEXTS = st.text(alphabet=LETTERS, max_size=8)
PATTERNS = st.text(alphabet=LETTERS + "*?", max_size=8)


def reference(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression, part by part."""
    parts = re.split(r"([*?])", pattern)
    return re.compile("".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(part, re.escape(part)) for part in parts))


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_what_the_regular_expression_does(pattern: str, text: str) -> None:
    assert covers(pattern, text) is (reference(pattern).fullmatch(text) is not None)


@given(PATTERNS, PATTERNS, TEXTS)
def test_what_covers_a_pattern_matches_all_that_it_matches(wide: str, narrow: str, text: str) -> None:
    if covers(wide, narrow) and covers(narrow, text):
        assert covers(wide, text)


def test_one_character_does_not_stand_for_many() -> None:
    assert not covers("checkpoints/?", "checkpoints/*")


def test_actions_have_no_case() -> None:
    assert covers_action("S3:get*", "s3:GetObject")
