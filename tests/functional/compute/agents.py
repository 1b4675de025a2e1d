"""Instance agents of a home as processes: stopped where they stand, and killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

_ENTRY = "compute/agent/__main__.py"


def agents(home: Path) -> list[psutil.Process]:
    """The agents whose instances lie below `home`, the spare one included; no children of theirs."""
    instances = str(home / "instances")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(word.endswith(_ENTRY) for word in words) and any(word.startswith(instances) for word in words):
                parent = process.parent()
                if parent is None or not any(word.endswith(_ENTRY) for word in parent.cmdline()):
                    found.append(process)
    return found


def freeze(home: Path) -> list[psutil.Process]:
    """Stop all agents and what they started: they can be claimed, and do nothing."""
    frozen = agents(home)
    for agent in frozen:
        with suppress(psutil.Error, ProcessLookupError):
            for process in [agent, *agent.children(recursive=True)]:
                os.kill(process.pid, signal.SIGSTOP)
    return frozen


def kill(frozen: list[psutil.Process]) -> None:
    for agent in frozen:
        with suppress(ProcessLookupError):
            os.kill(agent.pid, signal.SIGKILL)
