"""Volumes of tasks in the real sandbox, as root with and without user namespaces, and as an ordinary user."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from tests.functional.compute.harness import PYTHON, Bench
from tests.functional.compute.users import Run
from trainworks.twin.ports import TaskState, Volume

DATA = ["data", "/data", "/data", False]


def script(*lines: str, **options: Any) -> str:
    return "\n".join([f"# {json.dumps(options)}", "import os", *lines])


def refused(path: str) -> str:
    return f"try:\n    open({path!r}, 'w')\n    print('written')\nexcept OSError as error:\n    print(error.strerror)"


def test_a_path_of_the_instance_is_shared_and_an_empty_volume_is_not(run: Run) -> None:
    own = ["own", None, "/mnt/own/deep", False]
    twice = ["own", None, "/srv/again", False]
    first, second, third = run(
        script(
            "open('/data/x', 'w').write('of the first')",
            "open('/mnt/own/deep/y', 'w').write('mine')",
            "print(os.listdir('/srv/again'), sorted({'etc', 'usr', 'tmp', 'data'} - set(os.listdir('/'))))",
            refused("/new"),
            refused("/mnt/new"),
            volumes=[DATA, own, twice],
        ),
        script(
            "print(open('/in/x').read(), os.listdir('/mnt/own/deep'), os.path.exists('/data'))",
            refused("/in/x"),
            "print(os.path.exists('/etc/passwd'), os.path.exists('/usr/bin/env'))",
            volumes=[["data", "/data", "/in", True], own],
        ),
        script("print(os.path.exists('/data'), os.path.exists('/mnt/own'))"),
    )
    assert first["instance"] == second["instance"] == third["instance"]
    denied = "Read-only file system"
    assert first["log"].splitlines() == ["['y'] []", denied, denied], first
    assert second["log"].splitlines() == ["of the first [] False", denied, "True True"], second
    assert third["log"].splitlines() == ["False False"], third


def test_volumes_where_the_machine_has_folders_of_its_own(run: Run) -> None:
    """In a folder that is full, in a home that may not be read, over the private /tmp, and over the whole home."""
    (end,) = run(
        script(
            "import subprocess, sys",
            "for path in ('/etc/app/conf', '/root/.cache/hub', '/tmp', '/var/tmp', '/usr/src/app', '/dev/shm'):",
            "    with open(os.path.join(path, 'file'), 'w') as file: file.write(path)",
            "    print('file' in os.listdir(path), open(os.path.join(path, 'file')).read() == path)",
            "print(os.path.exists('/etc/passwd'), os.path.exists('/usr/bin/env'), os.listdir('/dev/fd') != [])",
            "subprocess.run([sys.executable, '-c', 'import json, zipfile'], check=True)",
            volumes=[
                ["a", "/a", "/etc/app/conf", False],
                ["b", None, "/root/.cache/hub", False],
                ["c", "/c", "/tmp", False],
                ["d", None, "/var/tmp", False],
                ["e", None, "/usr/src/app", False],
                ["f", "/dev/shm", "/dev/shm", False],
            ],
        )
    )
    assert end["code"] == 0, end
    assert end["log"].splitlines() == ["True True"] * 6 + ["True True True"], end


def test_a_volume_leads_nowhere_else(run: Run) -> None:
    """What a task leaves in a shared folder: links to the machine's folders, and a folder where a file was."""
    ends = run(
        script(
            "os.symlink('/etc', '/data/link'); os.symlink('/proc/1/root', '/data/magic')",
            "os.mkdir('/data/folder'); open('/data/file', 'w').write('text')",
            volumes=[DATA],
        ),
        script("print('never')", volumes=[["a", "/data/link", "/a", False]]),
        script("print('never')", volumes=[["a", "/data/magic/etc", "/a", False]]),
        script("print('never')", volumes=[DATA, ["a", None, "/data/link/passwd", False]]),
        script("print('never')", volumes=[DATA, ["a", None, "/data/file", False]]),
        script("print('never')", volumes=[["a", "/data", "/etc/passwd", False]]),
        script("print(open('/a').read(), os.listdir('/data/folder'))", volumes=[
            ["f", "/data/file", "/a", True], DATA, ["x", "/x", "/data/folder", False],
        ]),
        script("print(os.path.isdir('/data/inner'), os.listdir('/data/inner'))", volumes=[
            ["in", None, "/data/inner", False], ["data", "/data", "/data", True],
        ]),
        *(script("print('never')", volumes=[["a", "/data", path, False]]) for path in ("/proc", "/sys/fs", "/dev")),
    )  # fmt: skip
    reasons = [end["reason"] for end in ends]
    assert reasons[0] == "", ends[0]
    links = "a symbolic link or a file is in the place of a folder"
    assert reasons[1] == "cannot start: /data/link: a symbolic link is not a volume"
    assert reasons[2] == f"cannot start: /data/magic/etc: {links}"
    assert reasons[3] == f"cannot start: /data/link/passwd: {links}"
    assert reasons[4] == f"cannot start: /data/file: {links}"
    assert reasons[5] == f"cannot start: /etc/passwd: {links}"
    assert ends[6]["log"] == "text []\n", ends[6]
    assert ends[7]["log"] == "True []\n", ends[7]
    for reason in reasons[8:]:
        assert reason.endswith("which the sandbox of jobs needs"), reason
    assert not any("never" in end["log"] for end in ends)


def test_memory_and_limits_of_a_container(run: Run) -> None:
    full, limits, memory = run(
        script(
            "import sys",
            "print(os.statvfs('/scratch').f_blocks * os.statvfs('/scratch').f_frsize >> 20, end=' ')",
            "print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize >> 20)",
            "print(oct(os.stat('/scratch').st_mode & 0o7777), os.access('/scratch', os.W_OK))",
            "open('/scratch/x', 'wb').write(bytes(9 << 20))",
            tmpfs=[["/scratch", 8, ["mode=750", "noatime"]]],
            shared_memory_mib=64,
        ),
        script(
            "import resource as r",
            "print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE), os.getsid(0) == os.getpid())",
            "opened = []",
            "try:",
            "    while True: opened.append(open('/dev/null'))",
            "except OSError as error:",
            "    print(error.strerror)",
            ulimits=[["nofile", 40, 50], ["core", 0, 0]],
        ),
        script(
            "import time",
            "file = open('/m/x', 'wb')",
            "for _ in range(200): file.write(bytes(1 << 20))",
            "time.sleep(100)",
            tmpfs=[["/m", 1000, []]],
            memory_mib=128,
        ),
    )
    assert full["log"].splitlines()[:2] == ["8 64", "0o750 True"], full
    assert "No space left on device" in full["log"]
    assert limits["log"].splitlines() == ["(40, 50) (0, 0) True", "Too many open files"], limits
    assert memory["reason"] == "out of memory", memory


def test_orphans_of_a_task_are_reaped(run: Run) -> None:
    """As by the init process of a container."""
    (end,) = run(
        script(
            "import time",
            "reading, writing = os.pipe()",
            "if os.fork() == 0:",
            "    orphan = os.fork()",
            "    if orphan: os.write(writing, str(orphan).encode())",
            "    os._exit(0)",
            "orphan = os.read(reading, 20).decode()",
            "os.wait()",
            "while os.path.exists(f'/proc/{orphan}'): time.sleep(0.01)",
            "print('reaped')",
            timeout_seconds=50,
        )
    )
    assert end["log"] == "reaped\n", end


def test_what_the_machine_does_not_allow_is_cut_and_told(run: Run) -> None:
    (end,) = run(script("print('end')", ulimits=[["nofile", 1 << 40, 1 << 40]]))
    notice, last = end["log"].splitlines()
    assert notice.startswith("[the ulimit nofile of 1099511627776 is more than this machine allows: ")
    assert last == "end"


def test_a_volume_goes_with_its_instance(sandboxed: Bench) -> None:
    """Killed with all that runs on it, while its task writes; the next instance begins with an empty disk."""
    sandboxed.pool("shared", ("m5.large",), exclusive=False)
    volumes = (Volume("data", "/data", "/data"), Volume("own", None, "/own"))
    source = "import time; open('/data/x', 'w'); open('/own/y', 'w'); print('there', flush=True); time.sleep(100)"
    sandboxed.submit(sandboxed.spec("first", PYTHON, "-c", source, pool_id="shared", volumes=volumes))
    sandboxed.wait_for_log("first", "there")
    (instance,) = sandboxed.compute.instances()
    folder = sandboxed.home / "instances" / instance.instance_id
    assert sorted(path.name for path in folder.rglob("[xy]") if path.is_file()) == ["x", "y"]
    os.kill(instance.pid, signal.SIGKILL)
    assert sandboxed.wait("first").state is TaskState.LOST
    look = "import os; print(os.listdir('/data'), os.listdir('/own'))"
    assert sandboxed.run(sandboxed.spec("next", PYTHON, "-c", look, pool_id="shared", volumes=volumes)).exit_code == 0
    assert sandboxed.log("next") == "[] []\n"
    deadline = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_namespaces_a_volume_is_refused_by_name(unsandboxed: Bench) -> None:
    unsandboxed.pool()
    end = unsandboxed.run(unsandboxed.spec("task", PYTHON, "-c", "", volumes=(Volume("a", None, "/data"),)))
    assert end.reason == "cannot start: a volume at /data needs namespaces, which this machine does not allow"
