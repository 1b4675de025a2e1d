"""A double of the module `pynvml`: devices with UUIDs, some divided, whose use a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace


class NVMLError(Exception):
    """As pynvml raises it."""


@dataclass
class Device:
    """One GPU or MIG instance. A MIG instance tells no utilization, as NVIDIA's driver does not."""

    uuid: str
    minor: int = 0
    gpu: int = 0
    used: int = 0
    total: int = 80 << 30
    instances: list[Device] = field(default_factory=list)
    is_instance: bool = False
    can_be_divided: bool = True


class Nvml:
    """What this project calls of pynvml."""

    NVMLError = NVMLError

    def __init__(self, *devices: Device, library: bool = True) -> None:
        self._devices = devices
        self._library = library

    def nvmlInit(self) -> None:
        if not self._library:
            raise NVMLError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:
        return len(self._devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:
        return self._devices[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Device:
        for device in self._devices:
            for each in (device, *device.instances):
                if each.uuid == uuid:
                    return each
        raise NVMLError("Not Found")

    def nvmlDeviceGetMinorNumber(self, device: Device) -> int:
        return device.minor

    def nvmlDeviceGetUUID(self, device: Device) -> str:
        return device.uuid

    def nvmlDeviceGetName(self, device: Device) -> bytes:
        del device
        return b"NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetMigMode(self, device: Device) -> tuple[int, int]:
        if not device.can_be_divided:
            raise NVMLError("Not Supported")
        return (1, 1) if device.instances else (0, 0)

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Device) -> int:
        del device
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Device, index: int) -> Device:
        if index >= len(device.instances):
            raise NVMLError("Not Found")
        return device.instances[index]

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> SimpleNamespace:
        return SimpleNamespace(used=device.used, total=device.total)

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> SimpleNamespace:
        if device.is_instance:
            raise NVMLError("Not Supported")
        return SimpleNamespace(gpu=device.gpu, memory=0)
