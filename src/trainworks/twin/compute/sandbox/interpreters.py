"""Which folders an executable needs, so that an interpreter in a home, or a venv of one, works inside the sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_LONGEST_CHAIN = 40


def prefixes_of(executable: Path, hidden: Iterable[str], visible: Iterable[str]) -> list[str]:
    """Prefixes of `executable` and of all that it links to, as far as they lie below `hidden` and not `visible`.

    A virtual environment adds the interpreter that it was made from (`home` in its `pyvenv.cfg`).
    """
    hidden, visible = tuple(hidden), tuple(visible)
    if not executable.is_absolute():
        return []
    found: dict[str, None] = {}
    for link in _chain(executable):
        prefix = _prefix(link, hidden)
        for path in (prefix, _venv_base(prefix)):
            if path is not None and _below(path, hidden) and not _below(path, (*visible, *found)):
                found[str(path)] = None
    return sorted(found, key=len)


def _chain(path: Path) -> list[Path]:
    chain = [path]
    while chain[-1].is_symlink() and len(chain) < _LONGEST_CHAIN:
        chain.append(chain[-1].parent / chain[-1].readlink())
    return [*chain, path.resolve()]


def _prefix(executable: Path, hidden: tuple[str, ...]) -> Path:
    folder = executable.parent
    prefix = folder.parent if folder.name == "bin" else folder
    # Never bring back a hidden folder as a whole because it happens to hold a `bin`.
    return folder if any(Path(each).is_relative_to(prefix) for each in hidden) else prefix


def _venv_base(prefix: Path) -> Path | None:
    try:
        lines = (prefix / "pyvenv.cfg").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip()).parent
    return None


def _below(path: Path, roots: Iterable[str]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
