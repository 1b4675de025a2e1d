"""What a task can and cannot reach."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from tests.functional.compute.harness import Bench
from trainworks.twin.ports import Mount, TaskState

_TRY_TO_WRITE = """
import json, sys
refused = {}
for path in sys.argv[1:]:
    try:
        open(path, "w").write("x")
    except OSError as error:
        refused[path] = type(error).__name__
print(json.dumps(refused))
"""


def test_only_the_jobs_own_places_are_writable(sandboxed: Bench) -> None:
    sandboxed.pool()
    extra = sandboxed.home / "jobs" / "shared-checkpoints"
    extra.mkdir(parents=True)
    writable = ["/opt/ml/model", "/tmp/file", "/var/tmp/other", "/dev/shm/file", "/dev/null", str(extra / "file")]
    read_only = [
        "/etc/file",
        "/usr/file",
        "/opt/file",
        "/root/file",
        "/run/file",
        "/dev/file",
        "/proc/sys/vm/swappiness",
    ]
    task = sandboxed.script("task", _TRY_TO_WRITE, *writable, *read_only, writable=(extra,))
    sandboxed.run(task)
    assert sorted(json.loads(sandboxed.log("task"))) == sorted(path for path in read_only)
    assert (sandboxed.ml_root("task") / "model").read_text() == "x"
    assert (extra / "file").read_text() == "x"
    assert not Path("/tmp/file").exists()


def test_the_twins_secrets_and_other_jobs_are_not_there(sandboxed: Bench) -> None:
    secret = sandboxed.home / "credentials.json"
    secret.write_text("secret")
    other = sandboxed.ml_root("other") / "model"
    other.write_text("another job's")
    sandboxed.pool()
    source = """
import os, sys
for path in sys.argv[1:]:
    print(os.path.exists(path))
print(os.listdir(os.path.expanduser("~root")) if os.getuid() == 0 else [])
"""
    paths = [str(secret), str(sandboxed.home / "twin.db"), str(other), str(sandboxed.home / "instances")]
    sandboxed.run(sandboxed.script("task", source, *paths))
    *exist, home = sandboxed.log("task").splitlines()
    assert exist == ["False"] * len(paths)
    assert {".aws", ".ssh", ".bash_history"}.isdisjoint(eval(home))


def test_the_home_is_hidden_wherever_it_lies(tmp_path: Path) -> None:
    """A home outside of the user's home and of /tmp is masked too, and the job's places in it still work."""
    place = Path("/var/lib") if os.geteuid() == 0 else Path("/var/tmp")
    home = place / f"trainworks-test-{os.getpid()}"
    bench = Bench(home)
    try:
        bench.pool()
        (home / "credentials.json").write_text("secret")
        source = "import os, sys; print(os.path.exists(sys.argv[1]), os.path.exists('/opt/ml/code/main.py'))"
        extra = home / "jobs" / "extra"
        extra.mkdir(parents=True)
        bench.run(bench.script("task", source, str(home / "credentials.json"), writable=(extra,)))
        expected = "True False" if bench.compute.sandbox_mode() == "off" else "False True"
        assert bench.log("task").strip() == expected
    finally:
        bench.close()
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces without a user namespace")
def test_root_without_user_namespaces_is_kept_in_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "home", sandbox="root")
    try:
        if bench.compute.sandbox_mode() != "root":
            pytest.skip(bench.compute.sandbox_warning())
        bench.pool()
        store = bench.home / "store"
        store.mkdir()
        (store / "body").write_text("stored")
        source = """
import os, sys
for attempt in (
    lambda: open("/etc/file", "w"),
    lambda: open("/proc/sys/vm/swappiness", "w"),
    lambda: os.mknod("/tmp/disk", 0o600 | 0o060000, os.makedev(254, 0)),
    lambda: os.kill(1, 9),
    lambda: open(sys.argv[1]),
):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(type(error).__name__)
open("/opt/ml/input/data/train/body", "w").write("changed")
"""
        mount = Mount(store, "/opt/ml/input/data/train", overlay=True)
        secret = str(bench.home / "twin.db")
        assert bench.run(bench.script("task", source, secret, mounts=(mount,), network=False)).exit_code == 0
        lines = bench.log("task").split()
        assert lines == ["OSError", "OSError", "PermissionError", "done", "FileNotFoundError"]
        assert (store / "body").read_text() == "stored"
    finally:
        bench.close()


def test_processes_of_others_are_out_of_sight(sandboxed: Bench) -> None:
    sandboxed.pool()
    source = """
import os
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()) == [1, os.getpid()])
try:
    os.kill(1, 9)
except OSError as error:
    print(type(error).__name__)
try:
    open("/proc/1/mem", "rb")
except OSError as error:
    print(type(error).__name__)
try:
    print(os.listdir("/proc/1/root/"))
except OSError as error:
    print(type(error).__name__)
"""
    ended = sandboxed.run(sandboxed.script("task", source))
    assert ended.exit_code == 0
    assert sandboxed.log("task").split() == ["True", "PermissionError", "PermissionError"]


def test_no_way_back_to_the_machine(sandboxed: Bench) -> None:
    """Neither remounting, nor a user namespace of its own, nor unmounting the masks, nor the devices."""
    sandboxed.pool()
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def attempts():
    return [
        libc.mount(None, b"/", None, 0x20, None),
        libc.umount2(b"/proc", 2),
        libc.umount2(b"/run", 2),
        libc.umount2(b"/opt", 2),
        libc.mount(None, b"/etc", None, 0x20, None),
    ]
print(attempts())
uid = os.getuid()
if libc.unshare(0x10000000 | 0x20000) == 0:
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
    print(attempts())
else:
    print([-1] * 5)
try:
    open("/etc/file", "w")
except OSError as error:
    print(error.strerror)
print(any(name.startswith(("sd", "vd", "nvme", "mem", "loop")) for name in os.listdir("/dev")))
"""
    sandboxed.run(sandboxed.script("task", source))
    refused = str([-1] * 5)
    assert sandboxed.log("task").splitlines() == [refused, refused, "Read-only file system", "False"]


def test_network_isolation(sandboxed: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
    print("reached")
except OSError as error:
    print(type(error).__name__)
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname()).close()
print(sorted(name for _, name in socket.if_nameindex()))
"""
        sandboxed.pool("shared", ("m5.large",), exclusive=False)
        sandboxed.run(sandboxed.script("closed", source, str(port), pool_id="shared", network=False))
        sandboxed.run(sandboxed.script("open", source, str(port), pool_id="shared", network=True))
    assert sandboxed.log("closed").splitlines() == ["ConnectionRefusedError", "['lo']"]
    assert sandboxed.log("open").splitlines()[0] == "reached"


def test_nothing_of_one_task_is_left_for_the_next(sandboxed: Bench) -> None:
    sandboxed.pool("shared", ("m5.large",), exclusive=False)
    # An interpreter that lives below /tmp stays visible, or nothing could be run with it.
    interpreters = {Path(prefix).parts[2] for prefix in (sys.prefix, sys.base_prefix) if prefix.startswith("/tmp/")}
    source = """
import os
print(sorted(os.listdir("/tmp")), os.listdir("/dev/shm"), os.path.exists("/opt/ml/mark"))
os.makedirs("/tmp/deep/folder", mode=0o700)
for path in ("/tmp/deep/folder/file", "/dev/shm/file", "/opt/ml/mark"):
    open(path, "w").write("x")
os.chmod("/tmp/deep", 0)
"""
    for task_id in ("one", "two", "three"):
        assert sandboxed.run(sandboxed.script(task_id, source, pool_id="shared")).exit_code == 0
        assert sandboxed.log(task_id).strip() == f"{sorted(interpreters)} [] False"


def test_read_only_mounts(sandboxed: Bench) -> None:
    sandboxed.pool()
    data = sandboxed.home / "data"
    data.mkdir()
    (data / "file").write_text("content")
    source = "print(open('/opt/ml/input/data/x/file').read()); open('/opt/ml/input/data/x/file', 'w')"
    mount = Mount(data, "/opt/ml/input/data/x", read_only=True)
    ended = sandboxed.run(sandboxed.script("task", source, mounts=(mount,)))
    assert ended.exit_code == 1
    assert "content" in sandboxed.log("task")
    assert "Read-only file system" in sandboxed.log("task")


def test_without_namespaces_paths_are_rewritten_and_it_is_said(
    unsandboxed: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert unsandboxed.compute.sandbox_mode() == "off"
    said = [record for record in caplog.get_records("setup") + caplog.records if "sandbox" in record.getMessage()]
    assert [record.getMessage() for record in said] == [unsandboxed.compute.sandbox_warning()]
    assert "without the sandbox (switched off by TRAINWORKS_SANDBOX=off)" in unsandboxed.compute.sandbox_warning()
    unsandboxed.pool()
    data = unsandboxed.home / "data"
    data.mkdir()
    (data / "file").write_text("content")
    source = """
import os, sys
print(os.environ["SM_CHANNEL_X"] == sys.argv[1] == os.environ["SAGEMAKER_BASE_DIR"] + "/input/data/x")
path = sys.argv[1] + "/file"
print(open(path).read())
open(path, "w").write("changed")
print(os.getcwd() == os.environ["SAGEMAKER_BASE_DIR"] + "/code")
"""
    channel = "/opt/ml/input/data/x"
    task = unsandboxed.script(
        "task",
        source,
        channel,
        env={"SM_CHANNEL_X": channel},
        cwd="/opt/ml/code",
        mounts=(Mount(data, channel, overlay=True),),
    )
    ended = unsandboxed.run(task)
    assert ended.exit_code == 0, unsandboxed.log("task")
    assert unsandboxed.log("task").split() == ["True", "content", "True"]
    assert (data / "file").read_text() == "content"


def test_without_namespaces_stray_processes_are_ended(unsandboxed: Bench) -> None:
    unsandboxed.pool()
    source = """
import os, time
ready, begun = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(begun, b'x')
        time.sleep(600)
    os._exit(0)
os.read(ready, 1)
"""
    assert unsandboxed.run(unsandboxed.script("task", source)).state is TaskState.EXITED
    assert not Path(f"/proc/{int(unsandboxed.log('task'))}").exists()
