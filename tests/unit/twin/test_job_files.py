from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from trainworks.twin import job_files
from trainworks.twin.job_files import JobFiles, remove_tree


@pytest.fixture(params=["openat2", "by component"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "by component":
        monkeypatch.setattr(job_files, "_HAS_OPENAT2", False)
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_everything_is_seen_and_nothing_outside_is_opened(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (root / "model" / "deep").mkdir(parents=True)
    (root / "model" / "deep" / "file\nname").write_text("content")
    (root / "model" / "link").symlink_to(secret)
    (root / "model" / "loop").symlink_to("loop")
    os.mkfifo(root / "model" / "pipe")
    os.close(os.open(os.fsencode(root) + b"/model/\xff", os.O_CREAT | os.O_WRONLY))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(root / "model" / "socket"))
    with JobFiles(root) as files:
        paths = [entry.path for entry in files.walk("model")]
        assert paths == ["deep", "link", "loop", "pipe", "socket", "\udcff", "deep/file\nname"]
        assert files.read_link("model/link") == str(secret)
        os.close(files.open_file("model/deep/file\nname"))
        for path in ("model/link", "model/pipe", "model/socket", "model/loop", "model/deep", "model/../../secret"):
            with pytest.raises(OSError):
                files.open_file(path)
        assert list(files.walk("missing")) == []


def test_a_link_in_the_place_of_a_folder_is_said(root: Path, tmp_path: Path) -> None:
    (root / "output").symlink_to(tmp_path)
    with JobFiles(root) as files:
        for path in ("output", "output/data"):
            with pytest.raises(NotADirectoryError):
                list(files.walk(path))


def test_a_folder_that_is_swapped_for_a_link_during_the_walk_leads_nowhere(root: Path, tmp_path: Path) -> None:
    """The job exchanges a folder and a link to a folder outside as fast as it can, while it is walked and read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "a").mkdir()
    (root / "a" / "own").write_text("own")
    stopping = threading.Event()

    def swap() -> None:
        while not stopping.is_set():
            (root / "a").rename(root / "b")
            (root / "a").symlink_to(outside)
            (root / "a").unlink()
            (root / "b").rename(root / "a")

    job = threading.Thread(target=swap)
    job.start()
    try:
        with JobFiles(root) as files:
            for _ in range(500):
                assert "secret" not in {Path(entry.path).name for entry in files.walk()}
                try:
                    os.close(files.open_file("a/secret"))
                except OSError as error:
                    assert error.errno in (errno.ENOENT, errno.ENOTDIR)
                else:
                    pytest.fail("a file outside was opened")
    finally:
        stopping.set()
        job.join()


def test_a_walk_ends_at_a_number_of_entries(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_files, "MOST_ENTRIES", 10)
    for number in range(11):
        (root / str(number)).touch()
    with JobFiles(root) as files, pytest.raises(OSError, match="more than 10 files"):
        list(files.walk())


def test_a_tree_is_removed_however_deep_and_whatever_is_in_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    os.mkfifo(tree / "pipe")
    folder = os.open(tree, os.O_RDONLY)
    for number in range(3000):
        os.mkdir("deep" if number else "first", dir_fd=folder)
        inner = os.open("deep" if number else "first", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    (tree / "closed").mkdir()
    (tree / "closed" / "file").touch()
    (tree / "closed").chmod(0)
    assert remove_tree(tree)
    assert not tree.exists()
    assert (outside / "file").read_text() == "kept"
    assert remove_tree(tree)
