"""What is reported while an image is made: lines for logs, and in a few words what happens now.

    pip's output --> pip.log of the environment, whole
                 --> a line for each package that comes, and what was installed: `MakingLog.lines`, for logs
                 --> "collecting scipy (7 of about 20)": `MakingLog.state`, for status messages
                 --> the last lines that say anything: for the reason of a failure

Neither logs nor messages name package indexes and folders of wheels: their addresses are private to the machine.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

PIP_LOG = "pip.log"
"""Beside `made.json`: all that pip said."""
_MOST_LINES = 2_000
_MOST_RECORDED_BYTES = 8 * 1024**2
_LAST_LINES = 12
_WIDTH = 110

_NOISE = re.compile(
    r"^(?:WARNING: Location |Looking in (?:indexes|links)|\[notice\]|WARNING: (?:Running pip as|pip index is))"
)
_RETRYING = "WARNING: Retrying"
_ADDRESS = re.compile(r"(?:https?|file)://[^\s'\"),]+")
_COLLECTING = re.compile(r"^Collecting (?P<name>[A-Za-z0-9._-]+)")
_PROCESSING = re.compile(r"^Processing (?:\S*/)?(?P<file>[^\s/]+)")
_FETCHED = re.compile(r"^(?:Downloading|Using cached) (?:\S*/)?(?P<file>[^\s/]+)(?: \((?P<size>[^)]+)\))?$")
_FILE = re.compile(r"^(?P<name>.+?)-(?P<version>\d[^-]*?)(?:-[^-]+){0,4}?(?:\.whl|\.tar\.gz|\.zip)$")
_STEP = re.compile(r"^(?P<step>Preparing metadata|Building wheel)\b.*: started")
_INSTALLING = re.compile(r"^Installing collected packages: (?P<names>.+)$")
_INSTALLED = re.compile(r"^Successfully installed (?P<what>.+)$")
_STEPS = {"Preparing metadata": "preparing", "Building wheel": "building"}


class MakingLog:
    """What one making has reported so far, and what it does now."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)
        self.state = ""

    def say(self, line: str, state: str = "") -> None:
        """A line for logs; it is the state too, unless a shorter one is given."""
        self.lines.append(line)
        self.state = state or line

    def do(self, state: str) -> None:
        """What it does now, which no log has to keep."""
        self.state = state


class PipOutput:
    """Takes the lines of one command of pip for the environment in `place`; use it with `with`.

    `asked` is how many packages were asked for: with what they need there are about that many, or more. `last_lines`
    are the last of those that say anything.
    """

    def __init__(self, place: Path, making_log: MakingLog, asked: int = 0) -> None:
        self._place = place
        self._making_log = making_log
        self._asked = asked
        self._names: set[str] = set()
        self._name = ""
        self._room = _MOST_RECORDED_BYTES
        self._file = -1
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)

    def __enter__(self) -> Self:
        # What runs in the sandbox may write here: no link of its making is followed, and no pipe waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = os.open(self._place / PIP_LOG, flags, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def __call__(self, line: str) -> None:
        self._record(line)
        text = line.strip()
        if _NOISE.match(text):
            return
        is_routine = text.startswith("Processing /") or _FETCHED.match(text)
        if not is_routine and not (
            self.last_lines and text.startswith(_RETRYING) and self.last_lines[-1].startswith(_RETRYING)
        ):
            self.last_lines.append(_ADDRESS.sub("<address>", line))
        self._read(text)

    def _read(self, text: str) -> None:
        if found := _COLLECTING.match(text):
            self._collect(found["name"])
        elif found := _PROCESSING.match(text):
            file = _FILE.match(found["file"])
            self._collect(file["name"] if file else found["file"])
            if file:
                self._making_log.lines.append(f"collected {file['name'].replace('_', '-')} {file['version']}")
        elif (found := _FETCHED.match(text)) and (file := _FILE.match(found["file"])):
            size = f" ({found['size']})" if found["size"] else ""
            self._making_log.lines.append(f"collected {file['name'].replace('_', '-')} {file['version']}{size}")
        elif found := _STEP.match(text):
            self._making_log.say(f"{_STEPS[found['step']]} {self._name}".strip())
        elif found := _INSTALLING.match(text):
            self._making_log.do(f"installing {_count(len(found['names'].split(',')))}")
        elif found := _INSTALLED.match(text):
            each = ["\0".join(one.rsplit("-", 1)) for one in found["what"].split()]  # a name stays with its version
            text = f"installed {_count(len(each))}: {', '.join(each)}"
            wrapped = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)
            self._making_log.lines.extend(line.replace("\0", " ") for line in wrapped)
            self._making_log.do(f"installed {_count(len(each))}")
        elif text.startswith("ERROR: "):
            self._making_log.lines.append(_ADDRESS.sub("<address>", text))
        elif text.startswith(_RETRYING):
            self._making_log.do("waiting for a package index that does not answer")

    def _collect(self, name: str) -> None:
        self._name = name
        self._names.add(name.lower().replace("_", "-"))
        count = len(self._names)
        of = f"{count} of about {self._asked}" if count < self._asked else f"{count} so far"
        self._making_log.do(f"collecting {name} ({of})")

    def _record(self, line: str) -> None:
        """A full disk is not this file's to tell: the command that needs the space fails, and says so."""
        data = f"{line}\n".encode()[: self._room]
        self._room -= len(data)
        if data:
            try:
                os.write(self._file, data)
            except OSError:
                self._room = 0


def _count(number: int) -> str:
    return f"{number} package{'' if number == 1 else 's'}"
