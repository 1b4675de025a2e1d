"""Who gets which GPU: real tasks on devices that are doubles, through ends, kills and restarts."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.compute.harness import Bench
from tests.unit.twin.compute.nvml_double import Device, Nvml
from trainworks.twin.compute.gpus import find_gpus
from trainworks.twin.ports import TaskState

_SAYS_WHAT_IT_HAS = """
import json, os, sys, time
begun = time.time()
time.sleep(float(sys.argv[1]))
devices = sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))
print(json.dumps({"begun": begun, "ended": time.time(), "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
                  "nvidia": os.environ.get("NVIDIA_VISIBLE_DEVICES"), "devices": devices,
                  "folder": os.path.isdir("/dev/nvidia-caps-imex-channels")}))
"""
DEVICES = [Device(f"GPU-{number}", number, gpu=10 * number, used=8 << 30) for number in range(3)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    dev = tmp_path / "dev"
    (dev / "nvidia-caps").mkdir(parents=True)
    (dev / "nvidia-caps-imex-channels").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (dev / name).touch()
    running = Bench(tmp_path / "home", gpus=find_gpus(dev, Nvml(*DEVICES)))
    if running.compute.sandbox_mode() == "off":
        running.close()
        pytest.skip(running.compute.sandbox_warning())
    running.pool("shared", ("g4dn.12xlarge", "p3.16xlarge"), exclusive=False)
    try:
        yield running
    finally:
        running.close()


def test_a_task_sees_its_own_devices_and_nobody_elses(bench: Bench) -> None:
    for task_id, gpus in (("one", 1), ("three", 3), ("none", 0)):
        ended = bench.run(bench.script(task_id, _SAYS_WHAT_IT_HAS, "0", pool_id="shared", gpus=gpus))
        assert ended.exit_code == 0, bench.log(task_id)
    one, three, none = (json.loads(bench.log(task_id)) for task_id in ("one", "three", "none"))
    assert one["cuda"] == one["nvidia"] == "GPU-0"
    assert one["devices"] == ["nvidia-caps-imex-channels", "nvidia-uvm", "nvidia0", "nvidiactl"]
    assert one["folder"]
    assert three["cuda"] == "GPU-0,GPU-1,GPU-2"
    assert none["devices"] == []
    assert (none["cuda"], none["nvidia"]) == ("", "void")


def test_no_device_is_ever_given_to_two(bench: Bench) -> None:
    """Tasks of shared and exclusive pools, gangs among them, that take random times; more than the machine has."""
    rng = random.Random(7)
    bench.pool("alone", ("ml.g5.xlarge", "ml.p4d.24xlarge"))
    tasks, gang = [], 0
    for number in range(24):
        pool = rng.choice(["shared", "alone"])
        options = {"pool_id": pool, "gpus": rng.choice([0, 1, 1, 2, 8])}
        tasks.append(bench.script(f"t{number}", _SAYS_WHAT_IT_HAS, str(rng.random() / 5), **options))
    for number in range(2):
        name = f"gang-{gang}"
        options = {"pool_id": "alone", "gpus": 1, "gang_id": name, "gang_size": 2, "gang_index": number}
        tasks.append(bench.script(f"{name}-{number}", _SAYS_WHAT_IT_HAS, "0.1", **options))
    rng.shuffle(tasks)
    bench.submit(*tasks)
    spans: dict[str, list[tuple[float, float]]] = {}
    for task in tasks:
        assert bench.wait(task.task_id, timeout_seconds=60).exit_code == 0, bench.log(task.task_id)
        said = json.loads(bench.log(task.task_id))
        own = [name for name in said["cuda"].split(",") if name]
        assert len(own) == min(task.gpus, 3)
        for name in own:
            spans.setdefault(name, []).append((said["begun"], said["ended"]))
    assert set(spans) == {"GPU-0", "GPU-1", "GPU-2"}
    for used in spans.values():
        used.sort()
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(used)), used


def test_devices_are_free_again_after_kills(bench: Bench) -> None:
    """The agents are killed while the server is away; a job that holds a device keeps it over a restart."""
    bench.pool("alone", ("ml.g5.xlarge",))
    for number in range(3):
        bench.submit(bench.script(f"held-{number}", "import time; time.sleep(600)", pool_id="alone", gpus=1))
    for number in range(3):
        bench.wait(f"held-{number}", {TaskState.RUNNING})
    pids = {task: info.pid for info in bench.compute.instances() for task in info.task_ids}
    bench.compute.close()
    for number in (0, 1):
        os.kill(pids[f"held-{number}"], signal.SIGKILL)
    bench.restart_after_close()
    for number in (0, 1):
        assert bench.wait(f"held-{number}").state is TaskState.LOST
    said = []
    for task_id in ("next", "after"):
        ended = bench.run(bench.script(task_id, _SAYS_WHAT_IT_HAS, "0", pool_id="shared", gpus=1))
        assert ended.exit_code == 0, bench.log(task_id)
        said.append(json.loads(bench.log(task_id))["cuda"])
    assert set(said) <= {"GPU-0", "GPU-1"}, "the third one is still held"


def test_use_of_gpus_is_the_tasks_own(bench: Bench) -> None:
    bench.submit(bench.script("busy", "import time; time.sleep(600)", pool_id="shared", gpus=2))
    bench.submit(bench.script("plain", "import time; time.sleep(600)", pool_id="shared"))
    for task_id in ("busy", "plain"):
        bench.wait(task_id, {TaskState.RUNNING})
    seen = {}
    for _ in range(400):
        seen = {each.task_id: each for each in bench.compute.usage()}
        if len(seen) == 2:
            break
        time.sleep(0.02)
    assert (seen["busy"].gpu_percent, seen["busy"].gpu_memory_percent) == (10.0, 20.0)
    assert (seen["plain"].gpu_percent, seen["plain"].gpu_memory_percent) == (None, None)
