"""What a task gets, how it ends, and what is reported of it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.compute.harness import PYTHON, Bench
from tests.patience import until
from trainworks.aws.instance_types import instance_type, schedulable_memory_mib
from trainworks.twin.compute.placement import Machine
from trainworks.twin.ports import Mount, PoolSpec, TaskState


def test_output_exit_code_and_states_in_order(bench: Bench) -> None:
    bench.pool()
    source = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    ended = bench.run(bench.script("task", source))
    assert (ended.state, ended.exit_code, ended.reason) == (TaskState.EXITED, 3, "")
    assert bench.states("task") == [TaskState.PLACED, TaskState.RUNNING, TaskState.EXITED]
    assert sorted(bench.log("task").split()) == ["err", "out"]
    assert ended.instance_type == "ml.m5.large"


def test_the_head_of_a_log_is_there_before_the_first_line_and_without_any(bench: Bench) -> None:
    bench.pool()
    loud = bench.script("loud", "print('out')", log_head="one\ntwo\n")
    loud = replace(loud, log_path=loud.log_path.parent / "absent" / "folder" / "loud.log")
    silent = bench.spec("silent", "/bin/true", log_head="a silent one\n")
    for task in (loud, silent):
        assert bench.run(task).exit_code == 0
    assert loud.log_path.read_text() == "one\ntwo\nout\n"
    assert silent.log_path.read_text() == "a silent one\n"
    assert loud.log_path.parent.stat().st_mode & 0o777 == 0o700


def test_environment_is_the_tasks_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-server")
    bench.pool()
    bench.run(bench.spec("task", "/usr/bin/env", env={"SM_HPS": "{}"}))
    names = {line.split("=")[0] for line in bench.log("task").splitlines()}
    assert names - {"TMPDIR"} == {"SM_HPS", "PATH", "HOME", "LANG"}


def test_signal_becomes_128_plus_its_number(bench: Bench) -> None:
    bench.pool()
    ended = bench.run(bench.script("task", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert ended.exit_code == 128 + 11


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/no/such/program", 127, "cannot start: /no/such/program: no such file"),
        ("/etc/passwd", 126, "cannot start: /etc/passwd: permission denied"),
        ("relative", 126, "cannot start: 'relative' is not an absolute path"),
    ],
)
def test_what_cannot_be_executed_says_why(bench: Bench, path: str, code: int, reason: str) -> None:
    bench.pool()
    ended = bench.run(bench.spec("task", path))
    assert (ended.state, ended.exit_code, ended.reason) == (TaskState.EXITED, code, reason)


def test_missing_working_folder_is_named(bench: Bench) -> None:
    bench.pool()
    ended = bench.run(bench.spec("task", "/bin/true", cwd="/no/such/folder"))
    assert ended.reason == "cannot start: /no/such/folder: no such file or directory"


def test_stop_lets_the_script_handle_sigterm(bench: Bench) -> None:
    bench.pool()
    source = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("saved"), sys.exit(7)))
print("ready", flush=True)
time.sleep(60)
"""
    bench.submit(bench.script("task", source))
    bench.wait_for_log("task", "ready")
    bench.compute.stop(["task"])
    ended = bench.wait("task")
    assert (ended.exit_code, ended.reason) == (7, "stopped")
    assert "saved" in bench.log("task")


def test_stop_ends_a_script_without_a_handler_at_once(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    bench.compute.stop(["task"])
    assert (bench.wait("task").exit_code, bench.wait("task").reason) == (128 + 15, "stopped")


def test_stop_kills_after_the_grace(bench: Bench) -> None:
    bench.pool()
    source = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
    bench.submit(bench.script("task", source))
    bench.wait_for_log("task", "ready")
    stopped_at = time.monotonic()
    bench.compute.stop(["task"], grace_seconds=0.3)
    assert (bench.wait("task").exit_code, bench.wait("task").reason) == (128 + 9, "stopped")
    assert time.monotonic() - stopped_at >= 0.3


def test_stop_of_a_queued_task_cancels_it(bench: Bench) -> None:
    bench.pool(max_vcpus=0)
    bench.submit(bench.spec("task", "/bin/true"))
    bench.compute.stop(["task"])
    assert bench.wait("task").state is TaskState.CANCELLED


def test_timeout(bench: Bench) -> None:
    bench.pool()
    task = bench.script("task", "import time; time.sleep(600)", timeout_seconds=0.3, stop_grace_seconds=60)
    ended = bench.run(task)
    assert (ended.exit_code, ended.reason) == (128 + 15, "timeout")


def test_memory_limit(bench: Bench) -> None:
    bench.pool("shared", ("m5.large",), exclusive=False)
    source = """
import time
kept = []
while True:
    kept.append(bytearray(8 << 20))
    time.sleep(0.005)
"""
    ended = bench.run(bench.script("task", source, pool_id="shared", memory_mib=128))
    assert (ended.exit_code, ended.reason) == (128 + 9, "out of memory")


def test_what_a_task_leaves_running_ends_with_it(bench: Bench) -> None:
    bench.pool()
    source = """
import os, time
ready, begun = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            with open("/opt/ml/alive" if os.path.isdir("/opt/ml/code") else os.environ["ML"] + "/alive", "a") as f:
                f.write("x")
            os.write(begun, b"x")
            time.sleep(0.01)
    os._exit(0)
os.read(ready, 1)
"""
    bench.run(bench.script("task", source, env={"ML": "/opt/ml"}))
    alive = bench.ml_root("task") / "alive"
    size = alive.stat().st_size
    time.sleep(0.2)
    assert alive.stat().st_size == size


def test_overlay_leaves_the_store_intact(bench: Bench) -> None:
    bench.pool()
    store = bench.home / "store"
    store.mkdir()
    (store / "body").write_text("stored")
    source = """
from pathlib import Path
data = Path("/opt/ml/input/data/train")
print((data / "body").read_text())
(data / "body").write_text("changed")
(data / "new").write_text("new")
print((data / "body").read_text())
"""
    mount = Mount(store, "/opt/ml/input/data/train", overlay=True)
    ended = bench.run(bench.script("task", source, mounts=(mount,)))
    assert ended.exit_code == 0, bench.log("task")
    assert bench.log("task").split() == ["stored", "changed"]
    assert [(path.name, path.read_text()) for path in store.iterdir()] == [("body", "stored")]


def test_gang_members_reach_one_another_by_name(sandboxed: Bench) -> None:
    sandboxed.pool()
    source = """
import os, socket, sys, time
print(socket.gethostname())
if socket.gethostname() == "algo-1":
    server = socket.create_server(("algo-1", 7077))
    peer, _ = server.accept()
    print(peer.recv(100).decode())
else:
    for _ in range(6000):
        try:
            peer = socket.create_connection(("algo-1", 7077))
            break
        except OSError:
            time.sleep(0.01)
    peer.sendall(b"hello from algo-2")
"""
    gang = {"gang_id": "job", "gang_size": 2}
    sandboxed.submit(
        sandboxed.script("one", source, hostname="algo-1", gang_index=0, **gang),
        sandboxed.script("two", source, hostname="algo-2", gang_index=1, **gang),
    )
    assert (sandboxed.wait("one").exit_code, sandboxed.wait("two").exit_code) == (0, 0), sandboxed.log("one")
    assert sandboxed.log("one").splitlines() == ["algo-1", "hello from algo-2"]
    assert sandboxed.wait("one").instance_id != sandboxed.wait("two").instance_id


def test_a_gang_waits_until_all_of_it_fits(bench: Bench) -> None:
    bench.pool(max_vcpus=2)
    gang = {"gang_id": "job", "gang_size": 2}
    bench.submit(bench.spec("one", "/bin/true", **gang), bench.spec("two", "/bin/true", gang_index=1, **gang))
    bench.pool("other")
    bench.run(bench.spec("after", "/bin/true", pool_id="other"))
    assert bench.events[0].task_id == "after"
    bench.pool(max_vcpus=4)
    assert (bench.wait("one").exit_code, bench.wait("two").exit_code) == (0, 0)


def test_spot_interruption(bench: Bench) -> None:
    bench.pool()
    source = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("checkpoint"), sys.exit(0)))
print("ready", flush=True)
time.sleep(60)
"""
    bench.submit(bench.script("task", source))
    bench.wait_for_log("task", "ready")
    (instance,) = bench.compute.instances("pool")
    assert instance.task_ids == ("task",)
    bench.compute.interrupt(instance.instance_id, notice_seconds=30)
    ended = bench.wait("task")
    assert (ended.state, ended.reason, ended.exit_code) == (TaskState.LOST, "spot interruption", 0)
    assert "checkpoint" in bench.log("task")
    bench.run(bench.spec("next", "/bin/true"))
    assert bench.wait("next").instance_id != instance.instance_id


def test_spot_interruption_ends_a_deaf_task_with_the_notice(bench: Bench) -> None:
    bench.pool()
    source = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    bench.submit(bench.script("task", source))
    bench.wait_for_log("task", "ready")
    bench.compute.interrupt(bench.compute.instances()[0].instance_id, notice_seconds=0.2)
    assert (bench.wait("task").state, bench.wait("task").reason) == (TaskState.LOST, "spot interruption")


def test_interrupting_what_does_not_run_is_refused(bench: Bench) -> None:
    with pytest.raises(LookupError, match="no running instance i-0"):
        bench.compute.interrupt("i-0")


def test_idle_instances_end(bench: Bench) -> None:
    bench.pool(idle_seconds=0.1)
    bench.run(bench.spec("task", "/bin/true"))
    until(lambda: not bench.compute.instances(), "the end of the instance")


def test_deleting_a_pool_ends_its_tasks(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "import time; print('ready', flush=True); time.sleep(60)"))
    bench.wait_for_log("task", "ready")
    bench.compute.delete_pool("pool")
    assert (bench.wait("task").state, bench.wait("task").reason) == (TaskState.LOST, "instance terminated")


def test_usage_of_a_running_task(bench: Bench) -> None:
    bench.pool()
    bench.submit(bench.script("task", "while True: pass"))
    bench.wait("task", {TaskState.RUNNING})
    samples = until(bench.compute.usage, "a sample")
    assert samples[0].task_id == "task"
    assert samples[0].memory_percent > 0
    assert 0 < samples[0].disk_percent <= 100
    bench.compute.stop(["task"], grace_seconds=0)
    bench.wait("task")
    assert not bench.compute.usage()


def test_many_short_tasks_on_a_shared_pool_each_run_once(bench: Bench) -> None:
    bench.pool("shared", ("m5.large",), exclusive=False, max_vcpus=4)
    log = bench.home / "all"
    log.touch()
    source = "echo $N >> /opt/ml/all"
    ml_root = bench.ml_root("many")
    tasks = [
        bench.spec(f"t{n}", "/bin/sh", "-c", source, pool_id="shared", env={"N": str(n)}, ml_root=ml_root)
        for n in range(150)
    ]
    bench.submit(*tasks)
    assert {bench.wait(task.task_id).exit_code for task in tasks} == {0}
    assert sorted(map(int, (ml_root / "all").read_text().split())) == list(range(150))
    assert all(bench.states(task.task_id) == [TaskState.PLACED, TaskState.RUNNING, TaskState.EXITED] for task in tasks)


def test_fits_asks_whether_any_allowed_type_could_ever_hold_the_task(bench: Bench) -> None:
    pool = PoolSpec("p", ("m5.large", "g5.xlarge"), max_vcpus=2)
    most = schedulable_memory_mib(instance_type("m5.large"))
    assert bench.compute.fits(pool, 2, most, 0)
    assert not bench.compute.fits(pool, 2, most + 1, 0)
    assert bench.compute.fits(replace(pool, exclusive=True), 2, 8192, 0), "a job that has its host has all of it"
    assert bench.compute.fits(PoolSpec("f", ("fargate.1-8192",)), 1, 8192, 0)
    assert not bench.compute.fits(pool, 1, 512, 1), "g5.xlarge has four vCPUs and the pool never has more than two"


def test_interpreter_of_a_virtual_environment_in_a_hidden_place(sandboxed: Bench) -> None:
    environment = sandboxed.home / "images" / "one"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", environment], check=True)
    sandboxed.pool()
    task = sandboxed.spec("task", str(environment / "bin" / "python"), "-c", "import sys; print(sys.prefix)")
    assert sandboxed.run(task).exit_code == 0, sandboxed.log("task")
    assert sandboxed.log("task").strip() == str(environment)


def test_a_task_larger_than_the_machine_runs_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    bench = Bench(tmp_path_factory.mktemp("small"), machine=Machine(2, 1024))
    try:
        bench.pool("shared", ("m5.24xlarge",), exclusive=False)
        tasks = [bench.spec(f"t{n}", "/bin/true", pool_id="shared", vcpus=48, memory_mib=9000) for n in range(3)]
        bench.submit(*tasks)
        assert [bench.wait(task.task_id).exit_code for task in tasks] == [0, 0, 0]
    finally:
        bench.close()


def test_full_disk_is_named(tmp_path: Path) -> None:
    """The job's folder is a small file system of its own, which only root can mount here."""
    ml_root = tmp_path / "home" / "jobs" / "task" / "ml"
    ml_root.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(ml_root)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    try:
        bench = Bench(tmp_path / "home")
        try:
            bench.pool()
            ended = bench.run(bench.script("task", "open('/opt/ml/model', 'wb').write(bytes(4 << 20))"))
        finally:
            bench.close()
    finally:
        subprocess.run(["umount", "-l", ml_root], check=True)
    assert (ended.exit_code, ended.reason) == (1, "disk full")
    assert "No space left on device" in bench.log("task")
