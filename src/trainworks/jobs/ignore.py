"""What stays behind when a folder of code is packed: what Git ignores, and what `.trainworksignore` says.

Both are read in the form of `.gitignore`: in the folder, in those below it, and in those above it up to the root of its
Git repository. The last pattern that says something of a path decides, and `.trainworksignore` is asked after all
`.gitignore`s: with `!data/small.csv` it takes along what Git ignores. What never travels needs no pattern: version
control, virtual environments, caches. Patterns are matched by `pathspec`, which is imported only if there are any.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.errors import RequestError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

OWN_FILE = ".trainworksignore"
GIT_FILE = ".gitignore"
ALWAYS = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    | {".ipynb_checkpoints", "node_modules", "cdk.out", ".DS_Store", GIT_FILE, OWN_FILE}
)


def always_left_out(path: Path) -> bool:
    """Whether a path never travels, whatever the ignore files say."""
    return path.name in ALWAYS or path.suffix == ".pyc"


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns of one ignore file; they are about what is below its folder."""

    file: Path
    lines: tuple[str, ...]
    spec: GitIgnoreSpec

    def says(self, path: Path, is_folder: bool) -> tuple[bool, str] | None:
        """Whether the path stays behind, and the pattern; None if the file says nothing of it."""
        below = path.relative_to(self.file.parent).as_posix() + ("/" if is_folder else "")
        # Patterns are text: what of a name is none is a mark to them.
        found = self.spec.check_file(os.fsencode(below).decode(errors="replace"))
        if found.include is None or found.index is None:
            return None
        return found.include, f"{self.lines[found.index].strip()} in {self.file.name}"


@dataclass(frozen=True, slots=True)
class Ignore:
    """The rules that hold in one folder: Git's first, then ours, each from the outermost folder inward."""

    git: tuple[IgnoreRules, ...] = ()
    own: tuple[IgnoreRules, ...] = ()

    def within(self, folder: Path) -> Ignore:
        """The rules with those that the ignore files of a folder add."""
        git, own = (_rules(folder / name) for name in (GIT_FILE, OWN_FILE))
        return Ignore((*self.git, *git), (*self.own, *own)) if git or own else self

    @property
    def brings_back(self) -> bool:
        """Whether something below a folder that stays behind may go along after all."""
        return any(line.startswith("!") for rules in self.own for line in rules.lines)

    def reason(self, path: Path, is_folder: bool) -> str:
        """The pattern that excludes the path; "" if it is packed."""
        reason = ""
        for rules in (*self.git, *self.own):
            if (said := rules.says(path, is_folder)) is not None:
                reason = said[1] if said[0] else ""
        return reason


def ignore_above(folder: Path) -> Ignore:
    """What the folders above `folder` say, up to the root of its Git repository; nothing outside of one."""
    if (folder / ".git").exists():
        return Ignore()
    above: list[Path] = []
    for parent in folder.parents:
        above.append(parent)
        if (parent / ".git").exists():
            found = Ignore()
            for each in reversed(above):
                found = found.within(each)
            return found
    return Ignore()


def _rules(file: Path) -> tuple[IgnoreRules, ...]:
    if not file.is_file():
        return ()
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 90 ms, for those who have such a file

    try:
        lines = tuple(file.read_text(encoding="utf-8-sig").splitlines())
        return (IgnoreRules(file, lines, GitIgnoreSpec.from_lines(lines)),)
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} cannot be read: {error}", fix="correct the line, or remove the file") from error
