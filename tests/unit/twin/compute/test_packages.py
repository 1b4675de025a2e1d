"""The environment of a slot's tasks: kept while untouched, and made again after a task that changed anything in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trainworks.twin.compute.sandbox.packages import KeptPackages
from trainworks.twin.job_files import remove_tree

PYTHON = Path(sys.executable)


def changed(folder: Path, change: Callable[[Path], object]) -> bool:
    """Whether the environment of the third task in a row is known to be changed after `change`."""
    kept = KeptPackages(folder, folder)
    for _ in range(2):
        kept.of(PYTHON)
        if not kept.is_unchanged() and folder.exists():
            remove_tree(folder)
    kept.of(PYTHON)
    change(folder)
    return not kept.is_unchanged()


def replaced_in_place(folder: Path) -> None:
    path = folder / "bin" / ".image-script"
    before = path.stat()
    path.write_text("x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        replaced_in_place,
        lambda folder: (folder / "bin" / "python").unlink(),
        lambda folder: (folder / "pyvenv.cfg").write_text("home = /nowhere\n"),
        lambda folder: next(folder.glob("lib/*/site-packages/image.pth")).write_text(""),
        lambda folder: (next(folder.glob("lib/*/site-packages")) / "new.py").write_text(""),
        lambda folder: (folder / "lib" / "more").mkdir(),
        lambda folder: folder.rename(folder.with_name("other")),
    ],
)
def test_a_change_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    assert changed(tmp_path / "env", change)


def test_to_use_it_is_no_change(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    code = "import pytest, sys; print(sys.prefix)"
    found: list[str] = []

    def use(_: Path) -> None:
        found.append(subprocess.check_output([folder / "bin" / "python", "-c", code], text=True).strip())

    assert not changed(folder, use)
    assert found == [str(folder)]


def test_scripts_of_the_image_are_run_by_its_own_interpreter(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    packages = KeptPackages(folder, folder).of(PYTHON)
    (script, *rest) = packages.argv((str(PYTHON.parent / "pytest"), "--version"))
    assert script == str(folder / "bin" / "pytest")
    assert "pytest" in subprocess.check_output([script, *rest], text=True)
    assert packages.argv(("/bin/true",)) == ("/bin/true",)
