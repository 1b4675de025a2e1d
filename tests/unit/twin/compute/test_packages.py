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


@pytest.mark.parametrize("name", ["a name with spaces", "it's", "long" * 40, "plain"])
def test_scripts_run_wherever_the_image_and_the_environment_lie(tmp_path: Path, name: str) -> None:
    image = tmp_path / name / "image"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", image], check=True)
    site = next(image.glob("lib/*/site-packages"))
    (site / "tool.py").write_text("import sys\ndef main(): print(sys.prefix, *sys.argv[1:], sep='|')\n")
    install_script(image, "tool")
    place = tmp_path / name / "env"
    packages = KeptPackages(place, place).of(image / "bin" / "python")
    (script, *_) = packages.argv((str(image / "bin" / "tool"),))
    assert script == str(place / "bin" / "tool")
    assert subprocess.check_output([script, "a b"], text=True).strip() == f"{place}|a b"


def install_script(image: Path, name: str) -> None:
    """A console script of a module, written by pip's own writer of scripts."""
    from pip._vendor.distlib.scripts import ScriptMaker

    maker = ScriptMaker(None, str(image / "bin"))
    maker.executable = str(image / "bin" / "python")
    maker.variants = {""}
    maker.set_mode = True
    maker.make(f"{name} = {name}:main")
