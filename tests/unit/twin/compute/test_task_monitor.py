from __future__ import annotations

import os
from pathlib import Path

from trainworks.twin.compute.agent.processes import DescendantProcesses
from trainworks.twin.compute.agent.task import Task, TaskMount
from trainworks.twin.compute.agent.task_monitor import TaskMonitor


def test_a_log_over_its_limit_is_cut_and_says_so_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    limit = 1 << 20
    task = Task("task", ("/bin/true",), {}, str(path))
    monitor = TaskMonitor(task, DescendantProcesses(), 1 << 30, fd, shared_bytes=lambda: 0, log_limit_bytes=limit)
    try:
        for _ in range(3):
            os.write(fd, b"x" * (2 * limit))
            monitor.tick()
        text = path.read_text()
    finally:
        os.close(fd)
    notice = "\n[the log reached its limit of 1 MiB; what follows is dropped]\n"
    assert text == "x" * limit + notice


def test_a_task_travels_as_json_and_comes_back() -> None:
    task = Task(
        "task",
        ("/bin/true", "a"),
        {"A": "1"},
        "/log",
        mounts=(TaskMount("/source", "/target", overlay=True),),
        writable=("/w",),
        hosts=(("algo-1", "127.1.1.1"),),
    )
    assert Task.from_wire(task.to_wire()) == task
