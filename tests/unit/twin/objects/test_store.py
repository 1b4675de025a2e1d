"""Versions, garbage, events and orphans below the HTTP API."""

from __future__ import annotations

import errno
import io
import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.patience import PATIENCE_SECONDS
from tests.unit.twin.objects.fakes import CALLER, FakeEmulator
from trainworks.twin.objects.blobs import SMALL_BYTES
from trainworks.twin.objects.errors import S3Error, disk_errors
from trainworks.twin.objects.store import TwinObjectStore

STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "delete version", "", "Enabled", "Suspended"]), st.integers(0, 20)),
    max_size=25,
)


def put(store: TwinObjectStore, bucket: str, key: str, body: bytes = b"x") -> str | None:
    return store.put_object(bucket, key, io.BytesIO(body), CALLER).version_id


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_versions_follow_one_another_as_in_s3(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:  # type: ignore[type-arg]
    """A model of one key: a stack of (version id, is a marker), newest last."""
    emulator = FakeEmulator()
    status = ""
    store = TwinObjectStore(tmp_path_factory.mktemp("m"), emulator, emulator)
    model: list[tuple[str, bool]] = []
    for what, number in steps:
        bucket = emulator.add("b", status)
        if what == "put":
            version_id = put(store, "b", "k") or ""
            if version_id == "null":
                model = [entry for entry in model if entry[0] != "null"]
            model.append((version_id, False))
        elif what == "delete":
            marker = store.index.delete(bucket, "k", "")
            if status != "Enabled":
                model = [entry for entry in model if entry[0] != "null"]
            assert (marker is not None) == bool(status)
            if marker:
                model.append((marker.version_id, True))
        elif what == "delete version":
            if model:
                gone = model.pop(number % len(model))
                assert store.index.delete_version(bucket, "k", gone[0], "") is not None
        elif what or not model:
            status = what
        history = [(v.version_id, v.is_delete_marker) for v in store.index.list_history("b", "", "", 1000)]
        assert history == model[::-1]
        current = store.index.current("b", "k")
        assert (current.version_id if current else None) == (model[-1][0] if model else None)
    store.close()


def test_an_unacknowledged_body_is_swept_at_the_next_start(tmp_path: Path, emulator: FakeEmulator) -> None:
    first = TwinObjectStore(tmp_path, emulator, emulator)
    put(first, "plain", "kept", b"kept")
    orphan = first.blobs.create()
    orphan.write(b"never acknowledged")
    blob = orphan.finish()
    first.close()
    second = TwinObjectStore(tmp_path, emulator, emulator)
    writing = second.blobs.create()
    writing.write(b"w" * (SMALL_BYTES + 1))
    assert second.blobs.sweep(second.index.named_blobs()) == 1
    assert not second.blobs.path(blob).exists()
    assert second.blobs.path(writing.blob).exists()
    writing.close()
    assert second.get_object("plain", "kept", None).path.read_bytes() == b"kept"
    second.close()


@pytest.mark.parametrize("damage", ["missing", "empty", "none"])
def test_a_power_cut_takes_no_small_object(tmp_path: Path, emulator: FakeEmulator, damage: str) -> None:
    """What was in no file yet comes back from the rows; a file that was synced is left to the file system."""
    first = TwinObjectStore(tmp_path, emulator, emulator)
    for number in range(20):
        put(first, "plain", f"k{number}", b"body %d" % number)
    files = [first.get_object("plain", f"k{number}", None).path for number in range(20)]
    first.close()
    for path in files:
        if damage != "none":
            path.unlink()
        if damage == "empty":
            path.touch()
    second = TwinObjectStore(tmp_path, emulator, emulator)
    assert [path.read_bytes() for path in files] == [b"body %d" % number for number in range(20)]
    second.sync_bodies()
    assert list(second.index.unsynced()) == []
    second.close()


def test_events_wait_for_their_delivery_across_a_restart(tmp_path: Path, emulator: FakeEmulator) -> None:
    emulator.add("notifying", notifies=True)
    first = TwinObjectStore(tmp_path, emulator, emulator)
    put(first, "notifying", "a", b"12345")
    first.delete_object("notifying", "a", CALLER)
    put(first, "plain", "silent")
    first.close()
    second = TwinObjectStore(tmp_path, emulator, emulator)
    second.deliver_events()
    told = [(event.event_name, event.key, event.size) for event in emulator.events]
    assert told == [("s3:ObjectCreated:Put", "a", 5), ("s3:ObjectRemoved:Delete", "a", 5)]
    assert emulator.events[0].sequencer < emulator.events[1].sequencer
    second.deliver_events()
    assert len(emulator.events) == 2
    second.close()


def test_house_keeping_delivers_and_ends(tmp_path: Path, emulator: FakeEmulator) -> None:
    told = threading.Event()
    emulator.add("notifying", notifies=True)
    emulator.emit = lambda event: told.set()  # type: ignore[method-assign]
    store = TwinObjectStore(tmp_path, emulator, emulator)
    store.start()
    put(store, "notifying", "a")
    assert told.wait(PATIENCE_SECONDS)
    store.close()


def test_a_bucket_with_versions_is_not_removed(store: TwinObjectStore) -> None:
    put(store, "versioned", "a")
    store.delete_object("versioned", "a", CALLER)
    with pytest.raises(S3Error, match="You must delete all versions"), store.bucket_removal("versioned"):
        raise AssertionError("the bucket is not empty")
    assert store.empty_bucket("versioned") == 2
    with store.bucket_removal("versioned"):
        pass


def test_a_write_into_a_bucket_deleted_meanwhile_is_refused(store: TwinObjectStore, emulator: FakeEmulator) -> None:
    class DeletesTheBucket(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            emulator.buckets.pop("plain", None)
            return super().read(size)

    body: BinaryIO = DeletesTheBucket(b"x")
    with pytest.raises(S3Error, match="NoSuchBucket"):
        store.put_object("plain", "a", body, CALLER)


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    with pytest.raises(S3Error) as caught, disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.status == 507
    assert str(tmp_path) in caught.value.message


def test_a_body_that_fails_leaves_nothing(store: TwinObjectStore) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "the source broke")

    with pytest.raises(OSError, match="the source broke"):
        store.put_object("plain", "a", Breaks(), CALLER)
    assert [name for _, _, names in os.walk(store.blobs.root) for name in names] == []


def test_a_copied_path_is_the_same_bytes(store: TwinObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    info = store.put_object("plain", "a", source, CALLER)
    assert info.path.read_bytes() == source.read_bytes()


def test_reading_what_is_not_there_needs_the_list_permission(store: TwinObjectStore, emulator: FakeEmulator) -> None:
    with pytest.raises(S3Error, match="NoSuchKey"):
        store.get_object("plain", "a", CALLER)
    emulator.refused.add(("s3:ListBucket", "*"))
    with pytest.raises(S3Error, match="AccessDenied"):
        store.get_object("plain", "a", CALLER)
