"""A slot runs one task after the other: PID 1 of a PID namespace of its own, or a plain process without namespaces.

It starts the task with vfork (`posix_spawn`) in a session of its own, so that its start costs no copy of this process,
and the task is not PID 1 itself: signals have their usual effect on it. It watches the task's limits, and when the
task's main process has ended it ends what is left of it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trainworks.twin.compute.agent.limits import Ulimits, spawn_limited
from trainworks.twin.compute.agent.processes import Processes, reap_orphans, reap_orphans_beside
from trainworks.twin.compute.agent.task import Task
from trainworks.twin.compute.agent.task_monitor import TaskMonitor
from trainworks.twin.compute.begun import BegunWriter
from trainworks.twin.compute.channel import Channel, ChannelClosed, Message
from trainworks.twin.compute.sandbox.task_view import Command, TaskView

_SETTLE_SECONDS = 0.002
_TICK_SECONDS = 0.05
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ALMOST_FULL_BYTES = 1 << 20


class Slot:
    """`run` serves tasks from `channel` until the agent closes it."""

    def __init__(
        self,
        channel: Channel,
        view: TaskView,
        processes: Processes,
        instance_memory_bytes: int,
        begun: BegunWriter,
    ) -> None:
        self._channel = channel
        self._view = view
        self._processes = processes
        self._instance_memory_bytes = instance_memory_bytes
        self._begun = begun

    def run(self) -> None:
        try:
            while True:
                self._channel.wait(None)
                for message in self._channel.receive():
                    if "run" in message:
                        self._run_task(Task.from_wire(message["run"]))
                    elif "memory" in message:
                        self._instance_memory_bytes = message["memory"]
        except ChannelClosed:
            self._processes.kill()

    def _run_task(self, task: Task) -> None:
        try:
            command = self._view.enter(task)
        except (OSError, ValueError) as error:
            usable = self._leave()
            self._report_failure(error, describe(task, error), usable)
            return
        try:
            self._begun.add(task.task_id)
            pid = spawn(command, task.ulimits)
        except (OSError, ValueError) as error:
            os.close(command.log_fd)
            reason = describe(task, error)  # what is there is seen in the task's view alone
            self._report_failure(error, reason, self._leave())
            return
        monitor = TaskMonitor(
            task, self._processes, self._instance_memory_bytes, command.log_fd, shared_bytes=self._view.shared_bytes
        )
        running = _RunningTask(task, pid, self._channel, self._processes, monitor)
        try:
            ending = running.wait()
        finally:
            os.close(command.log_fd)
        self._processes.kill()
        reap_orphans()
        self._report_end(ending, self._leave(), *running.unsaid)

    def _leave(self) -> bool:
        try:
            return self._view.leave()
        except OSError as error:
            print(f"slot: cannot clean up: {error}", file=sys.stderr)  # noqa: T201 - stderr is the agent's log
            return False

    def _report_failure(self, error: Exception, reason: str, usable: bool) -> None:
        self._report_end(_Ending(exit_code_of_failure(error), f"cannot start: {reason}"), usable)

    def _report_end(self, ending: _Ending, usable: bool, *unsaid: Message) -> None:
        """`unsaid` goes with it: each message wakes the agent."""
        end = {"s": "EXITED", "at": ending.at, "code": ending.exit_code, "reason": ending.reason, "reuse": usable}
        self._channel.send(*unsaid, end)
        if not usable:
            raise ChannelClosed


class _Ending:
    """How a task ended. The time is taken here, before anything is cleaned up."""

    def __init__(self, exit_code: int, reason: str) -> None:
        self.exit_code = exit_code
        self.reason = reason
        self.at = time.time()


class _RunningTask:
    """The time between a task's start and the end of its main process. `unsaid` is that it runs, where it was over
    before there was time to say so."""

    def __init__(self, task: Task, pid: int, channel: Channel, processes: Processes, monitor: TaskMonitor) -> None:
        self._task = task
        self._pid = pid
        self._channel = channel
        self._processes = processes
        self._started_at = time.time()
        self._timeout_at = None if task.timeout_seconds is None else time.monotonic() + task.timeout_seconds
        self._kill_at: float | None = None
        self._stop_reason = ""
        self._monitor = monitor
        self.unsaid: list[Message] = [{"s": "RUNNING", "at": self._started_at}]

    def wait(self) -> _Ending:
        pidfd = os.pidfd_open(self._pid)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        try:
            if not poller.poll(_SETTLE_SECONDS * 1000):
                self._channel.send(*self.unsaid)
                self.unsaid = []
                poller.register(self._channel.fileno(), select.POLLIN)
                self._serve(poller, pidfd)
        finally:
            os.close(pidfd)
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return self._ending(128 - code if code < 0 else code)

    def _serve(self, poller: select.poll, pidfd: int) -> None:
        """Until the main process ends: obey the agent, keep the deadlines, watch the limits."""
        while True:
            ready = {fd for fd, _ in poller.poll(_TICK_SECONDS * 1000)}
            if pidfd in ready:
                return
            if self._channel.fileno() in ready:
                for message in self._channel.receive():
                    if "stop" in message:
                        self._stop(float(message["stop"]), message["reason"])
            self._keep_deadlines()
            self._watch_limits()
            reap_orphans_beside(self._pid)

    def _stop(self, grace_seconds: float, reason: str) -> None:
        deadline = time.monotonic() + grace_seconds
        if self._kill_at is None:
            self._stop_reason = reason
            self._signal(signal.SIGTERM)
        self._kill_at = deadline if self._kill_at is None else min(self._kill_at, deadline)

    def _keep_deadlines(self) -> None:
        now = time.monotonic()
        if self._timeout_at is not None and now >= self._timeout_at and self._kill_at is None:
            self._stop(self._task.stop_grace_seconds, "timeout")
        if self._kill_at is not None and now >= self._kill_at:
            self._processes.kill()

    def _watch_limits(self) -> None:
        if usage := self._monitor.tick():
            self._channel.send({"usage": usage})
        if self._monitor.over_limit:
            self._stop_reason = self._monitor.over_limit
            self._processes.kill()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _ending(self, exit_code: int) -> _Ending:
        if self._stop_reason:
            return _Ending(exit_code, self._stop_reason)
        if exit_code == 128 + signal.SIGKILL and self._monitor.machine_ran_out_of_memory():
            return _Ending(exit_code, "out of memory")
        if exit_code != 0 and _disk_is_full(self._task):
            return _Ending(exit_code, "disk full")
        return _Ending(exit_code, "")


def spawn(command: Command, ulimits: Ulimits) -> int:
    """Start the task's main process; its PID. Raises `OSError` when it cannot be executed."""
    if not os.path.isabs(command.argv[0]):  # noqa: PTH117
        raise ValueError(f"{command.argv[0]!r} is not an absolute path")
    if ulimits:
        return spawn_limited(command, ulimits, _RESET_SIGNALS)
    return os.posix_spawn(
        command.argv[0],
        command.argv,
        command.env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, command.log_fd, 1),
            (os.POSIX_SPAWN_DUP2, command.log_fd, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_RESET_SIGNALS,
    )


def exit_code_of_failure(error: Exception) -> int:
    """The exit code that a shell gives: 127 if there is no such program, 126 if it cannot be executed."""
    return 127 if isinstance(error, FileNotFoundError) else 126


def describe(task: Task, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and not os.path.exists(task.argv[0]):  # noqa: PTH110 - may be forbidden
        return f"{task.argv[0]}: no such file"
    if isinstance(error, PermissionError) and error.filename == task.argv[0]:
        return f"{task.argv[0]}: permission denied"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    return str(error)


def _disk_is_full(task: Task) -> bool:
    for path in (task.ml_root, str(Path(task.log_path).parent)):
        with suppress(OSError):
            if path is not None:
                found = os.statvfs("/opt/ml" if path == task.ml_root and not Path(path).exists() else path)
                if found.f_bavail * found.f_frsize < _ALMOST_FULL_BYTES:
                    return True
    return False


def serve(
    channel: Channel,
    make_view: Callable[[], TaskView],
    processes: Processes,
    memory_bytes: int,
    begun: BegunWriter,
) -> None:
    """The life of a slot process; never returns. What goes wrong is told to the agent and to its log."""
    status = 1
    try:
        view = make_view()
        channel.send({"s": "READY"})
        Slot(channel, view, processes, memory_bytes, begun).run()
        status = 0
    except ChannelClosed:
        status = 0
    except OSError as error:
        answer: Message = {"s": "BROKEN", "reason": str(error)}
        with suppress(ChannelClosed):
            channel.send(answer)
    finally:
        os._exit(status)
