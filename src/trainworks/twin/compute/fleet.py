"""Agent processes: launched, found again after a restart of the server, talked to, and seen to end.

An agent is known by PID and start time together, for PIDs come back. A pidfd signals its end at once. One spare agent
is kept started and unclaimed, so that a new instance costs no interpreter start.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from trainworks.twin.compute import begun
from trainworks.twin.compute.channel import Channel, ChannelClosed, ChannelStuck, Message
from trainworks.twin.compute.journal import JournalReader
from trainworks.twin.job_files import remove_tree

_AGENT = Path(__file__).parent / "agent" / "__main__.py"
_SOURCE_ROOT = Path(__file__).parents[3]
_SOCKET_NAME = "agent.sock"
_BEGUN_NAME = "begun"
_LISTENER_FD = 3
_START_TIME_FIELD = 19


class Agent:
    """The server's hold on one agent process. `sent_lease` is the last lease it has, None before it has said so."""

    def __init__(
        self, instance_id: str, *, pid: int, started_at: int, pidfd: int, channel: Channel, folder: Path
    ) -> None:
        self.instance_id = instance_id
        self.pid = pid
        self.started_at = started_at
        self.pidfd = pidfd
        self.channel: Channel | None = channel
        self.journal = JournalReader(folder / "journal")
        self.sent_lease: int | None = None
        self.claimed = False
        self.sent_stops: dict[str, float | None] = {}
        self.told_to_end = False
        self.told_of_interruption = False
        self.starts_since: float | None = time.monotonic()
        """Since when the process has been starting: None once it has said a word."""

    def send(self, *messages: Message | bytes) -> None:
        """An agent that takes no more messages is ended: its tasks could not be stopped.

        Where it has closed the connection, that is read as well, and all is said again over another one.
        """
        if self.channel is None or not messages:
            return
        try:
            self.channel.send(*messages)
        except ChannelStuck:
            self.fail()
        except ChannelClosed:
            return

    def forget_what_was_said(self) -> None:
        """Over a new connection all is said again; the agent knows what it has heard."""
        self.sent_lease = None
        self.sent_stops.clear()
        self.told_to_end = self.told_of_interruption = False

    def fail(self) -> None:
        """End the process; that it has ended is heard like any other end."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and wait for that; the agent of an earlier server is not a child and is not waited for."""
        self.fail()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        os.close(self.pidfd)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


class Fleet:
    """Instances' folders are `<home>/instances/<instance_id>/`. `sandbox` is `auto` or a `SandboxMode`."""

    def __init__(self, home: Path, sandbox: str) -> None:
        self._home = home
        self._root = home / "instances"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sandbox = sandbox
        self._spare: Agent | None = None
        self._discarded: SimpleQueue[Path | None] = SimpleQueue()
        self._janitor = Thread(target=self._sweep, name="compute-janitor", daemon=True)
        self._janitor.start()

    def new_ids(self) -> Iterator[str]:
        """Names for instances to launch, without end; the spare's comes first."""
        if self._spare is not None:
            yield self._spare.instance_id
        while True:
            yield f"i-{secrets.token_hex(9)[:17]}"

    def keep_spare(self) -> Agent:
        """The spare, launched if there is none."""
        if self._spare is None:
            self._spare = self._launch(next(self.new_ids()))
        return self._spare

    @property
    def spare(self) -> Agent | None:
        return self._spare

    def take(self, instance_id: str) -> Agent:
        """The agent that becomes this instance: the spare, or a new process."""
        if self._spare is not None and self._spare.instance_id == instance_id:
            agent, self._spare = self._spare, None
            return agent
        return self._launch(instance_id)

    def give_up_spare(self) -> None:
        """The spare has ended or is not needed any more."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            spare.kill()
            spare.close()
            self.discard(spare.instance_id)

    def adopt(self, instance_id: str, pid: int, started_at: int, journal_offset: int) -> Agent | None:
        """The running agent of an instance, connected; None when its process has gone."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        try:
            if process_started_at(pid) != started_at:
                os.close(pidfd)
                return None
            channel = self.connect(instance_id)
        except OSError:
            # It lives and nobody can talk to it: what it runs could never be stopped, so the instance has failed.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
            return None
        agent = Agent(
            instance_id,
            pid=pid,
            started_at=started_at,
            pidfd=pidfd,
            channel=channel,
            folder=self._folder(instance_id),
        )
        agent.journal.offset = journal_offset
        return agent

    def journal_of(self, instance_id: str, offset: int) -> JournalReader:
        return JournalReader(self._folder(instance_id) / "journal", offset)

    def never_begun(
        self, instance_id: str, launched_at: float, task_ids: Sequence[str], *, agent_lives: bool
    ) -> list[str]:
        """Those tasks of an instance that it never began; none where that cannot be known: a machine that ended itself
        may have lost what was written just before."""
        booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        if launched_at < booted_at:
            return []
        return begun.never_begun(self._folder(instance_id) / _BEGUN_NAME, task_ids, agent_lives=agent_lives)

    def discard(self, instance_id: str) -> None:
        """Delete an ended instance's folder, in the background: it may hold what tasks wrote to `/tmp`."""
        self._discarded.put(self._folder(instance_id))

    def discard_unknown(self, known: set[str]) -> None:
        """Delete folders of spares of an earlier server; their agents have ended with its connection."""
        for folder in self._root.iterdir():
            if folder.name not in known:
                self._discarded.put(folder)

    def close(self) -> None:
        self.give_up_spare()
        self._discarded.put(None)
        self._janitor.join()

    def _launch(self, instance_id: str) -> Agent:
        folder = self._folder(instance_id)
        folder.mkdir(mode=0o700)
        (folder / "agent.json").write_text(json.dumps({"hidden": self._hidden(), "visible": _visible()}))
        begun.prepare(folder / _BEGUN_NAME)
        with socket.socket(socket.AF_UNIX) as listener:
            with _short_path(folder) as path:
                listener.bind(path)
            listener.listen(8)
            pid = _spawn(folder, listener.fileno(), self._sandbox)
        pidfd = os.pidfd_open(pid)
        channel = self.connect(instance_id)
        started_at = process_started_at(pid)
        return Agent(instance_id, pid=pid, started_at=started_at, pidfd=pidfd, channel=channel, folder=folder)

    def connect(self, instance_id: str) -> Channel:
        """A new connection to an agent, which gives up the one it has. Raises `OSError`."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            with _short_path(self._folder(instance_id)) as path:
                sock.connect(path)
        except OSError:
            sock.close()
            raise
        return Channel(sock)

    def _hidden(self) -> list[str]:
        homes = {os.environ.get("HOME", "/"), _home_of_user(), str(self._home.resolve())}
        return sorted(str(Path(home).resolve()) for home in homes if home and home != "/")

    def _folder(self, instance_id: str) -> Path:
        return self._root / instance_id

    def _sweep(self) -> None:
        while (folder := self._discarded.get()) is not None:
            remove_tree(folder)


class _short_path:  # noqa: N801 - used like a function
    """The agent's socket by a path that fits into the 108 bytes of `sun_path`, however long the home's is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._fd = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}/{_SOCKET_NAME}"

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def process_started_at(pid: int) -> int:
    """Start time in clock ticks since boot. Raises `FileNotFoundError` when there is no such process."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat.rpartition(b")")[2].split()[_START_TIME_FIELD])


def _spawn(folder: Path, listener_fd: int, sandbox: str) -> int:
    log = os.open(folder / "agent.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(_AGENT), str(folder), sandbox],
            {"PATH": os.defpath, "LANG": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, listener_fd, _LISTENER_FD),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def _visible() -> list[str]:
    return [str(Path(path)) for path in dict.fromkeys([sys.prefix, sys.base_prefix, str(_SOURCE_ROOT)])]


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
