"""What the sandbox decides about paths before it mounts anything."""

from __future__ import annotations

import os
from pathlib import Path

from trainworks.twin.compute.sandbox.copies import copy_tree, empty_folder
from trainworks.twin.compute.sandbox.interpreters import prefixes_of
from trainworks.twin.compute.sandbox.view import View, ViewSpec
from trainworks.twin.job_files import remove_tree


def _interpreter(prefix: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    path = prefix / "bin" / "python"
    path.write_text("#!")
    return path


def test_a_virtual_environment_brings_its_base_interpreter(tmp_path: Path) -> None:
    base = _interpreter(tmp_path / "pyenv" / "3.11")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(base)
    (venv / "pyvenv.cfg").write_text(f"home = {tmp_path / 'other'}/bin\n")
    found = prefixes_of(venv / "bin" / "python", [str(tmp_path)], [])
    assert set(found) == {str(venv), str(tmp_path / "pyenv" / "3.11"), str(tmp_path / "other")}


def test_nothing_is_brought_that_is_visible_or_not_hidden(tmp_path: Path) -> None:
    python = _interpreter(tmp_path / "env")
    assert prefixes_of(python, ["/elsewhere"], []) == []
    assert prefixes_of(python, [str(tmp_path)], [str(tmp_path / "env")]) == []


def test_a_hidden_folder_is_never_brought_back_as_a_whole(tmp_path: Path) -> None:
    tool = _interpreter(tmp_path / "home")
    assert prefixes_of(tool, [str(tmp_path / "home")], []) == [str(tmp_path / "home" / "bin")]


def test_masks_are_outermost_and_outside_of_what_is_replaced_anyway(tmp_path: Path) -> None:
    def masks(*paths: str) -> tuple[str, ...]:
        return View(ViewSpec(paths, (), "/nowhere")).masks

    assert masks("/usr", "/usr/bin") == ("/usr",)
    assert masks("/tmp/inner", "/", "/no/such/folder") == ()


def test_emptying_keeps_mount_points_and_tells_what_stays(tmp_path: Path) -> None:
    (tmp_path / "kept" / "mount").mkdir(parents=True)
    (tmp_path / "kept" / "rubbish").mkdir()
    (tmp_path / "deep" / "folder").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/etc")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert empty_folder(fd, frozenset(["kept", "kept/mount"]))
    finally:
        os.close(fd)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["kept", "kept/mount"]
    assert Path("/etc/passwd").exists()


def test_copies_are_independent(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_text("content")
    (source / "link").symlink_to("folder/file")
    copy_tree(source, tmp_path / "copy")
    (tmp_path / "copy" / "folder" / "file").write_text("changed")
    assert (source / "folder" / "file").read_text() == "content"
    assert (tmp_path / "copy" / "link").is_symlink()
    (tmp_path / "copy" / "folder").chmod(0)
    remove_tree(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
