"""What the drill kills: every process that belongs to a twin's home, by the part that it plays.

server, supervisor   named by the home's `server.json`
agent                the process that stands for an instance; its child is the instance's PID 1 (`instance`), whose
                     children are slots (`slot`), whose descendants are tasks (`task`)
function             an execution environment of a Lambda function
everything           all of the above at the same time, as when a machine loses power
stop, restart        no kill: an orderly stop and start, with and without its instances
"""

from __future__ import annotations

import os
import random
import signal
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress

import psutil

from trainworks.errors import TwinError
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

AGENT_MARK = "trainworks/twin/compute/agent/__main__.py"
WEIGHTS = {
    "server": 8, "task": 4, "slot": 3, "instance": 3, "agent": 3, "function": 3, "supervisor": 2,
    "everything": 2, "stop": 1, "restart": 1,
}  # fmt: skip
ANSWER_SECONDS = 60.0
HURTS_TASKS = ("task", "slot", "instance", "agent", "everything", "stop")
"""After these a job may have ended for no fault of its own."""


class Killer:
    """Kills processes of one home, chosen by `random`, and brings the twin back when nothing would."""

    def __init__(self, home: Home, chance: random.Random) -> None:
        self._home = home
        self._chance = chance
        self._port = 0

    def start(self) -> lifecycle.RunningServer:
        """Start the twin, or give the running one; always on the port that its clients know."""
        server = lifecycle.start(self._home, self._port)
        self._port = server.port
        return server

    def strike(self) -> str:
        """Kill one thing; returns its kind, or "" if there was nothing of the kind that was drawn."""
        kind = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if kind == "stop":
            lifecycle.stop(self._home)
            return kind
        if kind == "restart":
            lifecycle.stop(self._home, keep_jobs=True)
            return kind
        targets = self._targets(kind)
        if not targets:
            return ""
        for pid in targets if kind == "everything" else [self._chance.choice(targets)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return kind

    def recover(self) -> None:
        """Wait until the twin answers; start it where its supervisor is gone with it. Raises `TrainworksError`."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            # A process that has just been killed may still look alive, so being found is not enough.
            server = self.start()
            if _answers(server.endpoint_url):
                return
            if time.monotonic() > deadline:
                raise TwinError(f"it runs and does not answer within {ANSWER_SECONDS:.0f} s", fix="see its server.log")
            time.sleep(0.05)

    def leftovers(self) -> list[str]:
        """Processes of this home that are still there, after a stop."""
        return [f"{process.pid} {' '.join(process.cmdline())[:120]}" for process in self._processes()]

    def _targets(self, kind: str) -> list[int]:
        if kind in ("server", "supervisor"):
            record = lifecycle.read_record(self._home)
            return [record[kind]["pid"]] if record and lifecycle.is_alive(record, kind) else []
        parts = self._parts()
        if kind == "everything":
            servers = [*self._targets("supervisor"), *self._targets("server")]
            return [*servers, *(pid for pids in parts.values() for pid in pids)]
        return parts[kind]

    def _parts(self) -> dict[str, list[int]]:
        parts: dict[str, list[int]] = {"agent": [], "instance": [], "slot": [], "task": [], "function": []}
        for agent in (each for each in self._processes() if is_agent(each)):
            if is_agent(_parent(agent)):
                continue
            parts["agent"].append(agent.pid)
            for instance in _children(agent):
                parts["instance"].append(instance.pid)
                for slot in _children(instance):
                    parts["slot"].append(slot.pid)
                    parts["task"] += [task.pid for task in _children(slot, recursive=True)]
        record = lifecycle.read_record(self._home)
        if record and lifecycle.is_alive(record, "server"):
            with suppress(psutil.Error):
                server = psutil.Process(record["server"]["pid"])
                parts["function"] = [each.pid for each in _children(server) if _is_function(each)]
        return parts

    def _processes(self) -> Sequence[psutil.Process]:
        root = str(self._home.root)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and any(root in part for part in process.cmdline()):
                    found.append(process)
        return found


def _is_function(process: psutil.Process) -> bool:
    """A function's environment; the server's other children build images, and a build that is killed has failed."""
    with suppress(psutil.Error):
        return any(part.endswith("functions/sandboxed.py") for part in process.cmdline())
    return False


def _answers(endpoint_url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{endpoint_url}/_trainworks/health", timeout=10) as answer:
        return bool(answer.status == 200)
    return False


def is_agent(process: psutil.Process | None) -> bool:
    """Whether a process is an instance's agent or was forked by one."""
    if process is None:
        return False
    with suppress(psutil.Error):
        return any(AGENT_MARK in part for part in process.cmdline())
    return False


def _parent(process: psutil.Process) -> psutil.Process | None:
    with suppress(psutil.Error):  # it has gone since it was found
        return process.parent()
    return None


def _children(process: psutil.Process, *, recursive: bool = False) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children(recursive=recursive))
    return []
