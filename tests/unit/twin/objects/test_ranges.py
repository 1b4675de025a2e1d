from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.objects.errors import S3Error
from trainworks.twin.objects.ranges import byte_range, copy_range


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_the_slice_that_it_names(size: int, first: int, last: int) -> None:
    data = bytes(range(size))
    if last < first:
        assert byte_range(f"bytes={first}-{last}", size) is None
        return
    if first >= size:
        with pytest.raises(S3Error, match="InvalidRange"):
            byte_range(f"bytes={first}-{last}", size)
        return
    found = byte_range(f"bytes={first}-{last}", size)
    assert found is not None
    assert data[found[0] : found[0] + found[1]] == data[first : last + 1]


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_suffix_is_the_end(size: int, count: int) -> None:
    found = byte_range(f"bytes=-{count}", size)
    assert found == (max(size - count, 0), min(size, count))


@pytest.mark.parametrize("header", ["bytes=", "bytes=-", "bytes=a-b", "items=1-2", "bytes=1-2,4-5", "bytes=3-1", None])
def test_what_is_no_single_range_is_ignored(header: str | None) -> None:
    assert byte_range(header, 10) is None


def test_nothing_of_an_empty_object_can_be_named() -> None:
    with pytest.raises(S3Error) as caught:
        byte_range("bytes=0-0", 0)
    assert caught.value.status == 416
    assert caught.value.headers == {"content-range": "bytes */0"}


def test_a_copied_range_must_lie_inside_the_source() -> None:
    assert copy_range("bytes=2-4", 5) == (2, 3)
    with pytest.raises(S3Error, match="InvalidRange"):
        copy_range("bytes=2-5", 5)
    with pytest.raises(S3Error, match="InvalidArgument"):
        copy_range("bytes=2-", 5)
