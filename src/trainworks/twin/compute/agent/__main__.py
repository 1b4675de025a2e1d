"""Entry of the agent process: `python -I -S __main__.py FOLDER MODE` with the listening socket as descriptor 3.

1. read `agent.json` of the instance's folder: what to hide from tasks, what to keep visible
2. find out what this machine's kernel allows (a forked trial)
3. enter the instance's namespaces and fork: the child is PID 1, so that its end is the end of every task
4. the parent, the process that the server knows, waits and ends with it; killed, it takes the child along
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from trainworks.twin.compute.agent.instance import Instance, ignore_terminal_signals
from trainworks.twin.compute.agent.slots import SlotFactory
from trainworks.twin.compute.begun import BegunWriter
from trainworks.twin.compute.journal import JournalWriter
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.namespaces import (
    SandboxMode,
    candidate_modes,
    check_platform,
    enter_instance,
    usable_mode,
)
from trainworks.twin.compute.sandbox.process_limit import limit_instance
from trainworks.twin.compute.sandbox.view import ViewSpec

LISTENER_FD = 3


def main(folder: Path, wish: str) -> None:
    os.umask(0o077)
    ignore_terminal_signals()
    settings = json.loads((folder / "agent.json").read_text())
    hidden, visible = tuple(settings["hidden"]), tuple(settings["visible"])
    listener = socket.socket(fileno=LISTENER_FD)
    os.set_inheritable(LISTENER_FD, False)
    begun = BegunWriter(folder / "begun")
    mode, why_not = _mode(wish, folder, hidden, visible)
    journal = JournalWriter(folder / "journal")
    if mode is not SandboxMode.OFF:
        enter_instance(mode)
    child = os.fork()
    if child:
        listener.close()
        _, status = os.waitpid(child, 0)
        sys.exit(0 if status == 0 else 1)
    linux.die_with_parent(signal.SIGKILL)
    linux.forbid_ptrace()
    if mode is SandboxMode.USER_NAMESPACE:
        limit_instance()
    welcome = {"sandbox": mode.value, "why_not": why_not}
    Instance(listener, journal, SlotFactory(mode, folder, hidden, visible, begun), welcome).run()


def _mode(wish: str, folder: Path, hidden: tuple[str, ...], visible: tuple[str, ...]) -> tuple[SandboxMode, str]:
    if wish == "off":
        return SandboxMode.OFF, "switched off by TRAINWORKS_SANDBOX=off"
    if reason := check_platform():
        return SandboxMode.OFF, reason
    tmp = folder / "trial"
    tmp.mkdir(exist_ok=True)
    modes = candidate_modes() if wish == "auto" else (SandboxMode(wish),)
    return usable_mode(ViewSpec(hidden, visible, str(tmp)), modes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
