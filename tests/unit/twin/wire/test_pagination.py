"""Pages cover everything once, also while items come and go."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.ports import ApiError
from trainworks.twin.wire import page


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), unique=True), st.integers(1, 5), st.booleans())
def test_pages_cover_everything_once(numbers: list[int], limit: int, descending: bool) -> None:
    ordered = sorted(numbers, reverse=descending)
    seen: list[int] = []
    token: str | None = None
    while True:
        items, token = page(
            ordered, key=lambda n: [n], limit=limit, token=token, request={"NextToken": token}, descending=descending
        )
        seen += items
        if token is None:
            break
    assert seen == ordered


def test_an_item_that_goes_shifts_no_page() -> None:
    first, token = page([1, 2, 3, 4], key=lambda n: [n], limit=2, token=None, request={})
    rest, end = page([3, 4], key=lambda n: [n], limit=2, token=token, request={})
    assert (first, rest, end) == ([1, 2], [3, 4], None)


NESTED = base64.urlsafe_b64encode(b"[" * 6000).decode()


@pytest.mark.parametrize("token", ["nonsense", "", "W10=", pytest.param(NESTED, id="nested")])
def test_a_made_up_token_is_refused(token: str) -> None:
    if not token:
        assert page([1], key=lambda n: [n], limit=1, token=token, request={}) == ([1], None)
        return
    with pytest.raises(ApiError, match="NextToken is invalid"):
        page([1], key=lambda n: [n], limit=1, token=token, request={})


def test_a_token_belongs_to_its_question() -> None:
    _, token = page([1, 2], key=lambda n: [n], limit=1, token=None, request={"NameContains": "a"})
    with pytest.raises(ApiError, match="invalid for this request"):
        page([1, 2], key=lambda n: [n], limit=1, token=token, request={"NameContains": "b"})


@pytest.mark.parametrize("after", [[], [1], ["a", "b"], [None], [["a"]], [{}], [True], ["\ud800"]])
def test_a_token_of_another_form_is_refused(after: list[object]) -> None:
    _, token = page(["a", "b"], key=lambda each: [each], limit=1, token=None, request={})
    assert token is not None
    question, _ = json.loads(base64.urlsafe_b64decode(token))
    forged = base64.urlsafe_b64encode(json.dumps([question, after]).encode()).decode()
    with pytest.raises(ApiError, match="NextToken is invalid"):
        page(["a", "b"], key=lambda each: [each], limit=1, token=forged, request={})
