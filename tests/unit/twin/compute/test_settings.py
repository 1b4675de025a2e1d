from __future__ import annotations

import pytest

from trainworks.twin.compute.scheduler import ComputeSettings


@pytest.mark.parametrize(("value", "sandbox"), [("off", "off"), ("OFF", "off"), ("", "auto")])
def test_the_sandbox_is_switched_off_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, sandbox: str
) -> None:
    monkeypatch.setenv("TRAINWORKS_SANDBOX", value)
    assert ComputeSettings.from_environment().sandbox == sandbox


def test_the_machine_carries_at_least_four_vcpus() -> None:
    settings = ComputeSettings.from_environment()
    assert settings.machine.vcpus >= 4
    assert settings.machine.memory_mib > 256
