"""The GPUs that this machine really has: found, told apart, handed out one to one task, and measured.

    NVIDIA    through NVML, if its library is there; else by the device files alone, without names and metrics.
              A GPU that is divided (MIG) counts as its instances.
    AMD       by the device files, /dev/dri/renderD*

AWS's instance types say how many GPUs a job asks for. The machine says how many there are: a job is given what it asks
for, or what there is if that is less, and is told the number that it got.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_DEV = Path("/dev")
_CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps-imex-channels")
_MIG_CAPABILITIES = "nvidia-caps"
_AMD_CONTROL = ("kfd",)
_NVIDIA = re.compile(r"nvidia(\d+)")
_AMD = re.compile(r"renderD(\d+)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device that one task can have. `nodes` are `(path here, path in the task)` of files and folders in /dev.

    `device_id` is NVML's UUID if it is known, else the name of the device file. `cuda_name` is what
    CUDA_VISIBLE_DEVICES is told; "" where hiding the other device files suffices.
    """

    device_id: str
    nodes: tuple[tuple[str, str], ...]
    cuda_name: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What devices do now, in per cent, summed over them as SageMaker does. None if nobody can tell."""

    gpu_percent: float | None
    memory_percent: float | None


class Gpus:
    """The devices of a machine. `nvml` is the module `pynvml`, initialized, or None."""

    def __init__(self, devices: Sequence[Gpu] = (), nvml: Any = None, why_no_metrics: str = "") -> None:
        self.devices: Mapping[str, Gpu] = {gpu.device_id: gpu for gpu in devices}
        self.why_no_metrics = why_no_metrics
        self._nvml = nvml

    def __len__(self) -> int:
        return len(self.devices)

    def use(self, device_ids: Sequence[str]) -> GpuUse:
        """The sum over some devices; a device that does not tell (as a MIG instance) makes it None."""
        if self._nvml is None or not device_ids:
            return GpuUse(None, None)
        try:
            handles = [self._nvml.nvmlDeviceGetHandleByUUID(device_id) for device_id in device_ids]
            memory = [self._nvml.nvmlDeviceGetMemoryInfo(handle) for handle in handles]
            memory_percent = sum(100 * each.used / each.total for each in memory if each.total)
        except self._nvml.NVMLError:
            return GpuUse(None, None)
        try:
            rates = [float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu) for handle in handles]
        except self._nvml.NVMLError:
            return GpuUse(None, memory_percent)
        return GpuUse(sum(rates), memory_percent)


def find_gpus(dev: Path = _DEV, nvml: Any = None) -> Gpus:
    """Look for devices. `nvml` is the module `pynvml` or a double of it; None for the one that is installed."""
    if not _numbers(dev, _NVIDIA):
        return Gpus(list(_amd(dev)), why_no_metrics="only NVIDIA GPUs are measured")
    module, why_not = _initialized(nvml)
    if module is None:
        _LOG.warning("GPUs are handed out by their device files and not measured: %s", why_not)
        return Gpus([_nvidia(dev, number) for number in _numbers(dev, _NVIDIA)], why_no_metrics=why_not)
    return Gpus(list(_by_nvml(dev, module)), module)


def devices_needed(asked: int, gang_size: int, total: int) -> int:
    """How many devices a task gets of `total`. The tasks of a gang run at the same time and get equally many."""
    return min(asked, total // max(1, gang_size))


def truth(what: str, asked: int, gang_size: int, total: int) -> str:
    """One line for the log if a task gets fewer devices than AWS would give it; "" if it gets all.

    `what` begins it: "ml.p5.48xlarge has", "the job asks for".
    """
    given = devices_needed(asked, gang_size, total)
    if given == asked:
        return ""
    instances = f" for {gang_size} instances" if gang_size > 1 and total else ""
    here = f"{_counted(total)}{instances}"
    return f"{what} {_counted(asked)} on AWS; this machine has {here}: it runs with {_counted(given)}"


def _counted(number: int) -> str:
    return {0: "no GPU", 1: "1 GPU"}.get(number, f"{number} GPUs")


def environment_of(gpus: Sequence[Gpu]) -> dict[str, str]:
    """What tells libraries of the task's own devices, none included."""
    names = [gpu.cuda_name for gpu in gpus if gpu.cuda_name]
    if gpus and not names:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(names), "NVIDIA_VISIBLE_DEVICES": ",".join(names) or "void"}


def _initialized(nvml: Any) -> tuple[Any, str]:
    """(module, "") or (None, why not)."""
    module = nvml
    if module is None:
        try:
            module = importlib.import_module("pynvml")  # here, because it is needed only if there is a GPU
        except ImportError as error:
            return None, str(error)
    try:
        module.nvmlInit()
    except module.NVMLError as error:
        return None, f"NVML: {error}"
    return module, ""


def _by_nvml(dev: Path, nvml: Any) -> Iterator[Gpu]:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        minor = int(nvml.nvmlDeviceGetMinorNumber(handle))
        if not (dev / f"nvidia{minor}").exists():
            continue  # the driver has it, and this container was not given it
        model = _text(nvml.nvmlDeviceGetName(handle))
        instances = list(_mig_instances(nvml, handle))
        for uuid in instances:
            yield Gpu(uuid, _nodes(dev, minor, _MIG_CAPABILITIES), uuid, model)
        if not instances:
            uuid = _text(nvml.nvmlDeviceGetUUID(handle))
            yield Gpu(uuid, _nodes(dev, minor), uuid, model)


def _mig_instances(nvml: Any, handle: Any) -> Iterator[str]:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except nvml.NVMLError:  # a GPU that cannot be divided
        return
    for number in range(most):
        with suppress(nvml.NVMLError):  # no instance has this number
            yield _text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)))


def _nvidia(dev: Path, minor: int) -> Gpu:
    # The task sees this device file alone, so that CUDA, which counts from 0, finds it as the first.
    return Gpu(f"nvidia{minor}", _nodes(dev, minor))


def _nodes(dev: Path, minor: int, *more: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(dev / name), f"/dev/{name}") for name in (f"nvidia{minor}", *_CONTROL, *more) if (dev / name).exists()
    )


def _amd(dev: Path) -> Iterator[Gpu]:
    if not all((dev / name).exists() for name in _AMD_CONTROL):
        return
    for number in _numbers(dev / "dri", _AMD):
        names = (*_AMD_CONTROL, f"dri/renderD{number}")
        yield Gpu(f"renderD{number}", tuple((str(dev / name), f"/dev/{name}") for name in names))


def _numbers(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    if not folder.is_dir():
        return []
    matches = [pattern.fullmatch(path.name) for path in folder.iterdir()]
    return sorted(int(match[1]) for match in matches if match)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
