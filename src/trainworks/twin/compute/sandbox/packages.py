"""The Python environment of one task: what its image has, and what the task installs, which goes with the task.

    <place>/bin/python      the image's interpreter            <place>/bin/torchrun    the image's scripts, run by it
    <place>/lib/.../site-packages    empty but for `image.pth`, which adds the image's packages behind its own

An image is shared by all its tasks and is read-only. In a container it is a private copy: `pip install` writes
there, what it writes is found first, and nobody else sees it.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from functools import lru_cache
from pathlib import Path

from trainworks.twin.job_files import remove_tree

FOLDER = ".python"
"""The path in the private /tmp of a task."""

_RUNNER_NAME = ".image-script"
_PTH = "import site; site.addsitedir({!r})\n"
_RUNNER = """{shebang}
import os, runpy, sys
sys.path[0] = {image!r}
runpy.run_path(os.path.join({image!r}, os.path.basename(sys.argv[0])), run_name="__main__")
"""
_LONGEST_SHEBANG = 127
"""Bytes that every Linux reads of a first line; older ones cut it there."""
_BY_SHELL = "#!/bin/sh\n'''exec' "
"""How a script begins whose interpreter's path no first line can hold: a shell starts it, and Python sees a string."""
_TICK_SECONDS = 0.02
"""After this long the time of a change differs from the time before it, whatever the kernel's tick."""


class Packages:
    """The environment on top of the interpreter `python`, in `place` as the task sees it."""

    def __init__(self, python: Path, place: Path) -> None:
        self._python = python
        self._place = place

    def make(self, folder: Path) -> None:
        """Make it in `folder`, which is where `place` is now. Raises `OSError`."""
        base = _image_of(self._python)
        programs = folder / "bin"
        site_packages = folder / "lib" / base.version / "site-packages"
        programs.mkdir(parents=True)
        site_packages.mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text(base.settings)
        if base.site_packages is not None:
            (site_packages / "image.pth").write_text(_PTH.format(str(base.site_packages)))
        os.symlink(self._python, programs / "python")  # noqa: PTH211 - half the time of pathlib, for each task
        for name in ("python3", base.version):
            os.link(programs / "python", programs / name, follow_symlinks=False)
        runner = programs / _RUNNER_NAME
        shebang = _shebang(str(self._place / "bin" / "python"))
        runner.write_text(_RUNNER.format(shebang=shebang, image=str(self._python.parent)))
        runner.chmod(0o755)
        for name in base.scripts:
            os.link(runner, programs / name)

    def parts(self, folder: Path) -> list[Path]:
        """Whatever is done to the environment in `folder` changes one of these."""
        version = _image_of(self._python).version
        site_packages = folder / "lib" / version / "site-packages"
        folders = [folder, folder / "bin", folder / "lib", folder / "lib" / version, site_packages]
        return [*folders, folder / "pyvenv.cfg", site_packages / "image.pth", folder / "bin" / _RUNNER_NAME]

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """`argv` with the interpreter and the scripts of this environment in place of the image's."""
        program = Path(argv[0])
        own = program == self._python or (
            program.parent == self._python.parent and program.name in _image_of(self._python).scripts
        )
        return (str(self._place / "bin" / program.name), *argv[1:]) if own else argv

    def env(self, env: dict[str, str]) -> dict[str, str]:
        """`env` in which this environment's programs come before the image's, where the image's are to be found."""
        image, own = str(self._python.parent), str(self._place / "bin")
        folders = env["PATH"].split(os.pathsep)
        if image not in folders:
            return env
        folders.insert(folders.index(image), own)
        return {**env, "PATH": os.pathsep.join(folders), "VIRTUAL_ENV": str(self._place)}


class KeptPackages:
    """The environment in a slot's /tmp, `folder` here and `place` there.

    It stays for the next task of the same image when a task has changed nothing in it, as most do: to make one takes
    as long as to start a process. A change is seen by the times of inodes, which no task can set.
    """

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder = folder
        self._place = place
        self._made_for = place
        self._python: Path | None = None
        self._stamps: list[tuple[int, int]] | None = None
        self._is_there = False

    def of(self, python: Path, place: Path | None = None) -> Packages:
        """An environment on top of `python` that no task has changed, seen at another place by this task if one is
        given. Raises `OSError`."""
        place = place or self._place
        is_same = python == self._python and place == self._made_for
        packages = Packages(python, place)
        if self._is_there and is_same:
            return packages
        if self._is_there:
            remove_tree(self.folder)
        packages.make(self.folder)
        self._is_there = True
        self._stamps = None
        self._made_for = place
        if is_same:  # the second task in a row: a third may come, so that it pays to wait once
            time.sleep(_TICK_SECONDS)
            self._stamps = self._read_stamps(packages)
        self._python = python
        return packages

    def is_unchanged(self) -> bool:
        """Whether it may stay, now that a task has ended; if not, the caller removes it."""
        if not self._is_there or self._python is None or self._stamps is None:
            self._is_there = False
            return False
        try:
            self._is_there = self._read_stamps(Packages(self._python, self._place)) == self._stamps
        except OSError:  # something of it is gone
            self._is_there = False
        return self._is_there

    def _read_stamps(self, packages: Packages) -> list[tuple[int, int]]:
        found = [os.lstat(path) for path in packages.parts(self.folder)]
        return [(each.st_ino, each.st_ctime_ns) for each in found]


class _Image:
    """What an environment on top of an interpreter has to know about it.

    A virtual environment cannot lie on top of another one: it is one of the same base, with the other's packages added.
    """

    def __init__(self, python: Path) -> None:
        prefix = python.parent.parent
        self.version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site_packages: Path | None = None
        try:
            self.settings = (prefix / "pyvenv.cfg").read_text()
            self.site_packages = next(prefix.glob("lib/python3*/site-packages"))
            self.version = self.site_packages.parent.name
        except (FileNotFoundError, StopIteration):
            self.settings = f"home = {python.resolve().parent}\ninclude-system-site-packages = true\n"
        self.scripts: frozenset[str] = frozenset(_scripts_of(python.parent) if self.site_packages else ())


def site_packages_of(python: Path) -> Path:
    """Where the packages of an interpreter are, an environment's own or its installation's."""
    found = _Image(python)
    return found.site_packages or python.resolve().parents[1] / "lib" / found.version / "site-packages"


@lru_cache(maxsize=16)
def _image_of(python: Path) -> _Image:
    return _Image(python)


def _shebang(python: str) -> str:
    """The first lines of a script that `python` runs. The kernel takes a space for the end of the path."""
    first = f"#!{python}"
    if " " not in first and len(os.fsencode(first)) <= _LONGEST_SHEBANG:
        return first
    return f"{_BY_SHELL}{shlex.quote(python)} \"$0\" \"$@\"\n' '''"


def _scripts_of(folder: Path) -> list[str]:
    """The scripts in the `bin` of a virtual environment that its interpreter runs."""
    python = str(folder / "python")
    # As pip writes them, and as `_shebang` does.
    heads = [os.fsencode(head + python) for head in ("#!", _BY_SHELL, f'{_BY_SHELL}"', f"{_BY_SHELL}'")]
    longest = max(map(len, heads))
    found = []
    for entry in os.scandir(folder):
        if entry.name != _RUNNER_NAME and entry.is_file() and not entry.is_symlink():
            with open(entry.path, "rb") as file:  # noqa: PTH123
                first = file.read(longest)
            if first.startswith(tuple(heads)):
                found.append(entry.name)
    return found
