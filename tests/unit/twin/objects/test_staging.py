from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.twin.objects.fakes import CALLER, FakeEmulator
from trainworks.twin.objects.errors import S3Error
from trainworks.twin.objects.staging import relative_path
from trainworks.twin.objects.store import TwinObjectStore


@given(st.text(alphabet="ab./\x00", max_size=8), st.text(alphabet="ab./", max_size=4))
def test_no_key_leaves_the_folder(rest: str, prefix: str) -> None:
    key = prefix + rest
    try:
        relative = relative_path(key, prefix)
    except S3Error as error:
        assert repr(key) in error.message
        return
    if relative is not None:
        joined = os.path.normpath(f"/in/{relative}")
        assert joined == f"/in/{relative}"


@pytest.mark.parametrize(
    ("key", "prefix", "expected"),
    [
        ("data/train/a", "data/train", "a"),
        ("data/train/a", "data/train/", "a"),
        ("data/train/x/a", "data/train", "x/a"),
        ("data/train-1", "data/train", "train-1"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data/x/", "data", None),
        ("a", "", "a"),
    ],
)
def test_where_a_key_goes(key: str, prefix: str, expected: str | None) -> None:
    assert relative_path(key, prefix) == expected


def put(store: TwinObjectStore, key: str, body: bytes = b"x", bucket: str = "plain") -> None:
    store.put_object(bucket, key, io.BytesIO(body), None)


def test_staged_files_are_links_that_outlive_the_object(store: TwinObjectStore, tmp_path: Path) -> None:
    put(store, "d/a", b"one")
    put(store, "d/sub/b", b"two")
    put(store, "d/marker/", b"")
    put(store, "elsewhere", b"three")
    staged = store.stage("plain", "d", tmp_path / "in", CALLER)
    assert (staged.files, staged.size) == (2, 6)
    found = {str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").rglob("*") if path.is_file()}
    assert found == {"a", "sub/b"}
    assert (tmp_path / "in/a").stat().st_nlink == 2
    assert (tmp_path / "in/a").stat().st_mode & 0o222 == 0
    blob = store.get_object("plain", "d/a", None).path
    store.delete_object("plain", "d/a", None)
    store.index._garbage_delay_seconds = 0
    store.index._clock = lambda: 1e12
    assert store.remove_garbage() == 1
    assert not blob.exists()
    assert (tmp_path / "in/a").read_bytes() == b"one"


def test_a_key_that_is_a_file_and_a_folder_is_named(store: TwinObjectStore, tmp_path: Path) -> None:
    put(store, "d/a")
    put(store, "d/a/b")
    with pytest.raises(S3Error, match="'d/a/b' is both a file and a folder"):
        store.stage("plain", "d", tmp_path / "in", None)


def test_a_key_that_climbs_is_named(store: TwinObjectStore, tmp_path: Path) -> None:
    put(store, "d/../../etc/x")
    with pytest.raises(S3Error, match=r"'d/\.\./\.\./etc/x' cannot be a file"):
        store.stage("plain", "d", tmp_path / "in", None)


def test_every_object_needs_its_permission(store: TwinObjectStore, emulator: FakeEmulator, tmp_path: Path) -> None:
    put(store, "d/a")
    put(store, "d/secret")
    emulator.refused.add(("s3:GetObject", "arn:aws:s3:::plain/d/secret"))
    with pytest.raises(S3Error, match=r"AccessDenied.*d/secret"):
        store.stage("plain", "d", tmp_path / "in", CALLER)
    assert ("s3:ListBucket", "arn:aws:s3:::plain") in [(action, resource) for action, resource, _ in emulator.asked]


def test_an_empty_prefix_is_an_error(store: TwinObjectStore, tmp_path: Path) -> None:
    with pytest.raises(S3Error, match="NoSuchKey"):
        store.stage("plain", "nothing/here", tmp_path / "in", None)
