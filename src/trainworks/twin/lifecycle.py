"""Start, stop, look at and reset the twin from outside its process.

The server runs under a detached supervisor that starts it again when it dies (`supervisor.py`). Both are known by pid
and start time together (`server.json`), so that a stale file after a crash is never mistaken for a running twin and no
other process is ever signalled.

`stop` also ends the instances and with them the jobs that run on them, so that nothing of the twin is left on the
machine; those jobs are described as interrupted when the twin is started again. With `keep_jobs` the instances go on,
exactly as they do when the server is killed, and the next start finds them again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from trainworks.config.environment import find_file
from trainworks.config.twin_settings import NETWORK, network_wish
from trainworks.config.variables import framework_images_wish, sandbox_wish
from trainworks.errors import PortInUseError, TwinError
from trainworks.extras import require_local
from trainworks.twin.home import DEFAULT_PORT, Home, RootCredentials
from trainworks.twin.job_files import remove_tree
from trainworks.twin.process import end_processes, is_same, start_time

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.01
_PORT_SECONDS = 1.0
_LEAST_FREE_BYTES = 1 << 20
_SANDBOX_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A twin that answers. `started` is false when it was running already."""

    home: Home
    pid: int
    port: int
    started: bool = False

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> RootCredentials:
        return self.home.credentials()


def find(home: Home) -> RunningServer | None:
    """The twin that runs on this home, or None. A record left by a crash does not count.

    A twin whose server has just died counts as running: its supervisor starts the server again, and requests wait.
    """
    record = read_record(home)
    if record is None or not (is_alive(record, "supervisor") or is_alive(record, "server")):
        return None
    return RunningServer(home, record["server"]["pid"], record["port"])


def running(home: Home) -> RunningServer:
    """The twin that runs on this home. Raises `TwinError` if none does."""
    server = find(home)
    if server is None:
        raise TwinError("the twin is not running", fix="trainworks twin start")
    return server


def start(home: Home, port: int | None = None, *, timeout_seconds: float = _START_SECONDS) -> RunningServer:
    """Start the twin and wait until it answers; give the running one when there is one.

    `port` 0 takes a free one; without a port it is the one of a twin that crashed here, whose clients still know it, or
    4577. Raises `PortInUseError`, `HomeVersionError`, `TwinError` (with the log's last lines), `ConfigurationError`;
    `ModuleNotFoundError` if the extra is not installed.
    """
    require_local()
    framework_images_wish()
    network = network_wish(find_file(Path.cwd()))
    sandbox_wish()  # a mistyped wish is refused here, and not in the log of a server that ends
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        with _only_starter(home, deadline):
            home.prepare()
            if find(home) is None and read_record(home) is not None:
                _wait_for_orphans(home, deadline)
            if find(home) is None:
                if port is None:
                    port = int((read_record(home) or {}).get("port", DEFAULT_PORT))
                if port:
                    _check_port(port)
                return _wait_for_start(home, _spawn(home, port, network), deadline)
        # A process that has just been killed seems to run; it ends while it is waited for, and is started then.
        if (running := _wait_for_answer(home, deadline)) is not None:
            return running
    raise TwinError(f"the twin's server does not come back:\n{_tail(home.log_file)}", fix="trainworks twin stop")


def _wait_for_answer(home: Home, deadline: float) -> RunningServer | None:
    """The twin that runs, once it answers; None if it ends meanwhile, or it takes too long."""
    while time.monotonic() < deadline and find(home) is not None:
        # Read once: the server that comes back writes a record of its own between two looks.
        record = read_record(home)
        if record is not None and is_alive(record, "server") and _answers(record["port"]):
            return RunningServer(home, record["server"]["pid"], record["port"])
        time.sleep(_POLL_SECONDS)
    return None


@contextmanager
def _only_starter(home: Home, deadline: float) -> Iterator[None]:
    """Be the only one who starts this twin: whoever asks meanwhile waits, and then finds it running.

    The lock is on the folder itself, as nothing may be in it yet. Raises `TwinError`.
    """
    try:
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        home.prepare()  # says what is wrong with it
        raise
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TwinError(
                        f"another process has been starting the twin in {home.root} for too long",
                        fix=f"see {home.log_file}",
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(folder)


def _wait_for_orphans(home: Home, deadline: float) -> None:
    """Wait until what a crash left of this twin is gone or says that it runs.

    A supervisor that is killed just after its server has started the next one already: that one holds the port, comes
    up alone, and is not in the record yet.
    """
    while time.monotonic() < deadline and find(home) is None and _own_processes(home):
        time.sleep(_POLL_SECONDS)


def _own_processes(home: Home) -> list[int]:
    """The pids of this home's servers and supervisors that run, recorded or not."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if "trainworks.twin" in words and str(home.root) in words and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def _wait_for_start(home: Home, supervisor_pid: int, deadline: float) -> RunningServer:
    """Wait until a server under this supervisor answers. Raises `TwinError` with the log's last lines."""
    while time.monotonic() < deadline:
        record = read_record(home)
        if record is not None and is_alive(record, "server") and _answers(record["port"]):
            ours = record.get("supervisor", {}).get("pid") == supervisor_pid
            return RunningServer(home, record["server"]["pid"], record["port"], started=ours)
        if start_time(supervisor_pid) is None:
            raise TwinError(f"the twin ended while starting:\n{_last_words(home)}", fix=f"see {home.log_file}")
        time.sleep(_POLL_SECONDS)
    os.kill(supervisor_pid, signal.SIGTERM)
    raise TwinError(f"the twin did not answer in time:\n{_tail(home.log_file)}", fix=f"see {home.log_file}")


def sandbox_warning(home: Home, *, timeout_seconds: float = _SANDBOX_SECONDS) -> str:
    """What is not guaranteed to jobs on this machine, "" if the sandbox is complete.

    The running twin finds this out shortly after its start; this waits for that.
    """
    deadline = time.monotonic() + timeout_seconds
    while find(home) is not None and time.monotonic() < deadline:
        warning = (read_record(home) or {}).get("sandbox_warning")
        if warning is not None:
            return str(warning)
        time.sleep(_POLL_SECONDS)
    return f"the twin has not found out whether jobs run in the sandbox; see {home.log_file}"


def network_of(home: Home) -> str:
    """`host` or `declared`: the setting `twin.network` with which the twin was started."""
    return str((read_record(home) or {}).get("network", ""))


def stop(home: Home, *, keep_jobs: bool = False) -> bool:
    """Stop the twin; False when none was running. See the module's text for what happens to jobs.

    Without `keep_jobs` instances end too that a killed server left behind.
    """
    record = read_record(home)
    if record is None or find(home) is None:
        if not keep_jobs:
            end_processes(instances(home))
        return False
    if keep_jobs:
        home.keep_instances_file.touch(mode=0o600)
    else:
        home.keep_instances_file.unlink(missing_ok=True)
    # The supervisor passes the signal on; without one (a server started by hand) the server gets it itself.
    processes = [_process(record[role]["pid"]) for role in ("supervisor", "server") if is_alive(record, role)]
    alive = [process for process in processes if process is not None]
    for process in alive[:1]:
        process.send_signal(signal.SIGTERM)
    _, remaining = psutil.wait_procs(alive, timeout=_STOP_SECONDS)
    # Nothing is lost: what was acknowledged is on disk already.
    end_processes(remaining)
    if not keep_jobs:
        end_processes(instances(home))
    home.server_file.unlink(missing_ok=True)
    return True


def instances(home: Home) -> list[psutil.Process]:
    """The agents of this home that run, spares of servers that were killed included: those wait some seconds."""
    folder = str(home.instances_dir.resolve())
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(part.startswith(folder + os.sep) for part in process.cmdline()):
                found.append(process)
    return found


def read_record(home: Home) -> dict[str, Any] | None:
    """What `server.json` says, whether or not it is still true."""
    try:
        record: dict[str, Any] = json.loads(home.server_file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return record


def is_alive(record: Mapping[str, Any] | None, role: str) -> bool:
    """Whether the process that the record names as `supervisor` or `server` is still running."""
    named = None if record is None else record.get(role)
    return named is not None and is_same(named["pid"], named["start_time"])


def reset(home: Home) -> None:
    """Stop the twin and delete everything in its home, credentials included. Refuses a folder of another kind."""
    if not home.root.exists():
        return
    if not home.is_home():
        raise TwinError(f"{home.root} is not a twin's home; nothing was deleted", fix="set TRAINWORKS_HOME or --home")
    stop(home)
    for entry in home.root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            if not remove_tree(entry):
                raise TwinError(f"{entry} cannot be deleted", fix=f"delete it by hand: rm -rf {entry}")
        elif entry != home.version_file:
            entry.unlink()
    home.version_file.unlink()


def _spawn(home: Home, port: int, network: str) -> int:
    """Start the detached supervisor, which starts the server; its pid."""
    log = os.open(home.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        starter = subprocess.run(
            [sys.executable, "-m", "trainworks.twin", "--detach", "--home", str(home.root), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={**_environment(), NETWORK: network},
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(log)
    return int(starter.stdout)


def _environment() -> dict[str, str]:
    """The server's environment: the caller's, without keys and endpoints of an AWS account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _check_port(port: int) -> None:
    """Raise `PortInUseError` unless the port can be bound. The kernel holds a dead process's port a moment longer."""
    deadline = time.monotonic() + _PORT_SECONDS
    while (reason := bind_error(port)) is not None:
        holder = port_holder(port)
        if holder or time.monotonic() > deadline:
            raise PortInUseError(
                f"port {port} is in use{holder} ({reason})",
                fix="stop that process, or choose another port: trainworks twin start --port N",
            )
        time.sleep(_POLL_SECONDS)


def bind_error(port: int) -> str | None:
    """Why a port cannot be listened on; None if it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def port_holder(port: int) -> str:
    """ " by NAME (pid N)" for the process that listens on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            process = _process(connection.pid)
            if process is not None:
                return f" by {process.name()} (pid {connection.pid})"
    return ""


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last_words(home: Home) -> str:
    """The end of the log, or why it says nothing."""
    if shutil.disk_usage(home.root).free < _LEAST_FREE_BYTES:
        return f"there is no space left on the disk of {home.root}"
    return _tail(home.log_file)


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""
