"""Which builds of a framework a machine with GPUs gets, by devices that are doubles and an index of wheels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.sagemaker.test_image_making import wheel
from tests.unit.twin.compute.nvml_double import Device, Nvml
from trainworks.aws.framework_contents import contents
from trainworks.aws.framework_images import resolve_image
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.gpus import find_gpus
from trainworks.twin.compute.images import Images
from trainworks.twin.ports import Caller, ImageBeingMadeError, Runtime

CALLER = Caller("arn:aws:iam::000000000000:root", "000000000000", "us-east-1", "AKIA1")
NOTHING: Any = None


def made(images: Images, instance_type: str) -> Runtime:
    uri = resolve_image("pytorch:2.6.0", "us-east-1", instance_type)
    deadline = time.monotonic() + 300
    while True:
        try:
            return images.resolve(uri, CALLER, "job")
        except ImageBeingMadeError as making:
            assert time.monotonic() < deadline, making.lines
            time.sleep(0.05)


def test_a_machine_with_gpus_gets_the_usual_builds_and_one_without_gets_those_for_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in contents()["pytorch"].packages:
        wheel(wheels, name, "1.0")
    for name, version in (("torch", "2.6.0"), ("torchvision", "0.21.0"), ("torchaudio", "2.6.0")):
        wheel(wheels, name, version)
        if name != "torchaudio":
            wheel(wheels, name, f"{version}+cpu")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    dev = tmp_path / "dev"
    dev.mkdir()
    (dev / "nvidia0").touch()
    gpus = find_gpus(dev, Nvml(Device("GPU-0")))

    def images_with(count: int) -> Images:
        return Images(NOTHING, tmp_path / "images", Builder(tmp_path), frameworks="made", has_gpus=count > 0)

    usual = made(images_with(len(gpus)), "ml.g5.xlarge")
    assert "torch 2.6.0 of" in usual.note and "for CPUs" not in usual.note
    assert not {"torchvision", "torchaudio"} & lacking(usual)

    for_cpus = made(images_with(len(gpus)), "ml.m5.large")  # its tag says that it is for CPUs
    assert for_cpus.python != usual.python and "torch 2.6.0+cpu of" in for_cpus.note
    assert lacking(for_cpus) >= {"torchaudio"} and "torchvision" not in lacking(for_cpus)
    assert "torchaudio is left out: the index has no build of it for 2.6.0+cpu" in for_cpus.note
    without = made(images_with(0), "ml.g5.xlarge")  # no GPU here: the same environment, and the log says so
    assert (
        without.python == for_cpus.python
        and "the image is for GPUs; this environment has the builds for CPUs" in without.note
    )
    [both] = [each for each in images_with(0).made("") if each["name"] == without.folders[0].name]
    assert both["stands_for"] == ["pytorch:2.6.0"]


def lacking(runtime: Runtime) -> set[str]:
    """What the head of the log says that an environment lacks."""
    told = "the image also has these, which this environment lacks: "
    return {
        name for line in runtime.note.splitlines() if line.startswith(told) for name in line[len(told) :].split(", ")
    }
