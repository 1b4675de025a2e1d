"""Listings against a model that sorts all keys and rolls them up by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trainworks.twin.bucket_config import Bucket
from trainworks.twin.objects.api.listing import Page
from trainworks.twin.objects.index import Index, after_prefix
from trainworks.twin.objects.records import NewVersion

KEYS = st.lists(st.text(alphabet="ab/\ud7ff\ue000\U0010ffff", min_size=1, max_size=6), max_size=25, unique=True)
PREFIX = st.text(alphabet="ab/", max_size=2)
BUCKET = Bucket("b", "000000000000", "us-east-1")


def model(keys: list[str], prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    plain, groups = [], []
    for key in sorted(keys, key=lambda item: item.encode()):
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            plain.append(key)
        elif (group := key[: end + len(delimiter)]) not in groups:
            groups.append(group)
    return plain, groups


@settings(max_examples=60, deadline=None)
@given(KEYS, PREFIX, st.sampled_from(["", "/", "a", "/a"]), st.integers(1, 7))
def test_pages_together_are_the_model(keys: list[str], prefix: str, delimiter: str, most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder) / "objects.db")
        for key in keys:
            index.put(BUCKET, NewVersion("b", key, blob=f"x{key}", size=0, etag=""), event_name="", requester="")
        plain, groups, after = [], [], ""
        for _ in range(len(keys) + 2):
            page = Page(index, "b", prefix=prefix, delimiter=delimiter, after=after, most=most)
            assert len(page.objects) + len(page.groups.common) <= most
            plain += [version.key for version in page.objects]
            groups += page.groups.common
            if not page.groups.truncated:
                break
            after = page.last
        else:
            raise AssertionError("the listing does not end")
        index.close()
    assert (plain, groups) == model(keys, prefix, delimiter)


@given(st.text(max_size=4), st.text(max_size=4))
def test_after_prefix_bounds_exactly_the_keys_with_the_prefix(prefix: str, rest: str) -> None:
    high = after_prefix(prefix)
    assert high is None or prefix + rest < high
    if high is not None:
        assert not high.startswith(prefix)
