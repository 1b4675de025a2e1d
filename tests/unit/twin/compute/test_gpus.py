"""GPUs as they are found, counted and measured, on a /dev and an NVML that are doubles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.twin.compute.nvml_double import Device, Nvml
from trainworks.twin.compute.gpus import GpuUse, devices_needed, environment_of, find_gpus, truth


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A machine with two GPUs and all that NVIDIA's driver puts beside them, folders included."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "null"):
        (tmp_path / name).touch()
    for name in ("nvidia-caps", "nvidia-caps-imex-channels", "dri"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_each_gpu_has_its_own_file_and_those_of_the_driver(dev: Path) -> None:
    gpus = find_gpus(dev, Nvml(Device("GPU-a", 0, gpu=40, used=20 << 30), Device("GPU-b", 1, gpu=70, used=40 << 30)))
    assert list(gpus.devices) == ["GPU-a", "GPU-b"]
    first = gpus.devices["GPU-a"]
    assert [target for _, target in first.nodes] == [
        f"/dev/{name}"
        for name in (
            *("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"),
            "nvidia-caps-imex-channels",
        )
    ]
    assert environment_of([first]) == {"CUDA_VISIBLE_DEVICES": "GPU-a", "NVIDIA_VISIBLE_DEVICES": "GPU-a"}
    assert environment_of([]) == {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
    assert gpus.use(["GPU-a", "GPU-b"]) == GpuUse(110.0, 75.0), "summed over the devices, as SageMaker does"
    assert gpus.use([]) == gpus.use(["GPU-gone"]) == GpuUse(None, None)


def test_a_divided_gpu_counts_as_its_instances(dev: Path) -> None:
    parts = [Device(f"MIG-{number}", used=10 << 30, total=40 << 30, is_instance=True) for number in range(2)]
    gpus = find_gpus(dev, Nvml(Device("GPU-a", 0, instances=parts), Device("GPU-b", 1, can_be_divided=False)))
    assert list(gpus.devices) == ["MIG-0", "MIG-1", "GPU-b"]
    assert ("/dev/nvidia-caps" in dict(map(reversed, gpus.devices["MIG-0"].nodes))) is True  # type: ignore[arg-type]
    assert ("/dev/nvidia-caps" in dict(map(reversed, gpus.devices["GPU-b"].nodes))) is False  # type: ignore[arg-type]
    assert gpus.use(["MIG-0"]) == GpuUse(None, 25.0), "the driver tells no utilization of an instance"


def test_without_the_library_devices_are_known_by_their_files(dev: Path) -> None:
    gpus = find_gpus(dev, Nvml(library=False))
    assert list(gpus.devices) == ["nvidia0", "nvidia1"]
    assert gpus.why_no_metrics == "NVML: NVML Shared Library Not Found"
    assert gpus.use(["nvidia0"]) == GpuUse(None, None)


def test_a_gpu_whose_file_is_not_here_is_not_counted(dev: Path) -> None:
    (dev / "nvidia1").unlink()
    assert list(find_gpus(dev, Nvml(Device("GPU-a", 0), Device("GPU-b", 1))).devices) == ["GPU-a"]


def test_a_machine_without_gpus_and_one_with_amds(tmp_path: Path) -> None:
    assert not find_gpus(tmp_path)
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    assert not find_gpus(tmp_path), "graphics without the driver for computing"
    (tmp_path / "kfd").touch()
    assert [node for _, node in find_gpus(tmp_path).devices["renderD128"].nodes] == ["/dev/kfd", "/dev/dri/renderD128"]


@pytest.mark.parametrize(
    ("asked", "instances", "total", "said"),
    [
        (8, 1, 8, ""),
        (0, 1, 0, ""),
        (8, 1, 1, "ml.x has 8 GPUs on AWS; this machine has 1 GPU: it runs with 1 GPU"),
        (1, 1, 0, "ml.x has 1 GPU on AWS; this machine has no GPU: it runs with no GPU"),
        (4, 2, 3, "ml.x has 4 GPUs on AWS; this machine has 3 GPUs for 2 instances: it runs with 1 GPU"),
    ],
)
def test_the_truth_is_one_line(asked: int, instances: int, total: int, said: str) -> None:
    assert truth("ml.x has", asked, instances, total) == said


@given(st.integers(0, 16), st.integers(1, 8), st.integers(0, 16))
def test_what_a_gang_gets_is_there_and_no_more_than_it_asked_for(asked: int, size: int, total: int) -> None:
    given_each = devices_needed(asked, size, total)
    assert given_each * size <= total
    assert given_each <= asked
    assert given_each == asked or (given_each + 1) * size > total
