"""What stands for an image, and what is refused."""

import importlib.metadata
import json
import shutil
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from trainworks.aws.framework_images import resolve_image
from trainworks.config.runtime_image import CONFIG, Blob, write_manifest
from trainworks.jobs.source import package_folder
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.images import Images
from trainworks.twin.ports import ApiError, Caller, ImageBeingMadeError, Runtime

CALLER = Caller("arn:aws:sts::000000000000:assumed-role/r/s", "000000000000", "us-east-1", "ASIA1")
OWN = "000000000000.dkr.ecr.us-east-1.amazonaws.com/images:v1"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Registry:
    """The part of the control plane that keeps images; `denied` is what it answers to a caller without permission."""

    def __init__(
        self, manifest: bytes | None = None, layers: dict[str, bytes] | None = None, denied: bool = False
    ) -> None:
        self.manifest, self.layers, self.denied = manifest, layers or {}, denied
        self.fetched = 0

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        if self.denied:
            raise ApiError("AccessDeniedException", "not authorized to perform: ecr:BatchGetImage")
        return self.manifest

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        self.fetched += 1
        return self.layers[digest]


def resolver(folder: Path, registry: Registry | None = None, frameworks: str = "in-use") -> Images:
    control_plane: Any = registry or Registry()
    return Images(control_plane, folder / "images", Builder(folder), frameworks=frameworks)


def made(images: Images, uri: str, waiter: str = "job", seconds: float = PATIENCE_SECONDS) -> Runtime:
    """What runs for an image, once its environment is made."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return images.resolve(uri, CALLER, waiter)
        except ImageBeingMadeError as making:
            assert time.monotonic() < deadline, making.lines
            time.sleep(0.02)


def pushed(folder: Path) -> Registry:
    import hashlib

    layer = package_folder(folder)
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    manifest = write_manifest(Blob("sha256:" + "0" * 64, len(CONFIG)), Blob(digest, len(layer)))
    return Registry(manifest.encode(), {digest: layer})


def refusal(images: Images, uri: str) -> str:
    with pytest.raises(ApiError) as caught:
        made(images, uri)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def test_an_own_image_is_its_environment_and_folder_built_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("# nothing\n")
    (source / "train").write_text("#!/usr/bin/env python\n")
    (source / "train").chmod(0o755)
    registry = pushed(source)
    images = resolver(tmp_path, registry)
    first = made(images, OWN)
    assert first.made[0].startswith("making the environment of ")
    assert images.resolve(OWN, CALLER, "another") == replace(first, made=())  # who did not wait is told nothing of it
    assert registry.fetched == 1
    assert first.root is not None and (first.root / "train").stat().st_mode & 0o111
    assert first.python.exists() and first.python != Path(sys.executable)
    assert first.env["PATH"].split(":")[:2] == [str(first.python.parent), str(first.root)]


def test_the_callers_permission_is_asked_every_time(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="BatchGetImage"):
        made(resolver(tmp_path, Registry(denied=True)), OWN)


def test_an_own_image_that_is_not_there_is_refused_with_the_fix(tmp_path: Path) -> None:
    assert "trainworks image build" in refusal(resolver(tmp_path), OWN)


def test_a_container_image_is_refused(tmp_path: Path) -> None:
    manifest = {"config": {"mediaType": "application/vnd.docker.container.image.v1+json"}, "layers": []}
    assert "no container engine" in refusal(resolver(tmp_path, Registry(json.dumps(manifest).encode())), OWN)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_framework_in_use_stands_for_awss_image(tmp_path: Path, region: str) -> None:
    runtime = made(resolver(tmp_path), resolve_image("scikit-learn", region, "ml.m5.large"))
    assert runtime.python == Path(sys.executable)
    assert "scikit-learn" in runtime.note and "sagemaker-scikit-learn:1.4-2-cpu-py3" in runtime.note


def test_a_framework_that_cannot_be_imported_is_refused_and_nothing_is_to_be_installed_into_the_twin(
    tmp_path: Path,
) -> None:
    message = refusal(resolver(tmp_path), resolve_image("tensorflow", "us-east-1", "ml.m5.large"))
    assert "trainworks image build" in message
    assert "pip install" not in message


@pytest.mark.parametrize(("version", "warned"), [("3.0.1", False), ("1.9.0", True)])
def test_a_framework_of_another_name_and_version_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, warned: bool
) -> None:
    site = tmp_path / "site"
    facts = site / f"xgboost_cpu-{version}.dist-info"
    facts.mkdir(parents=True)
    (site / "xgboost.py").write_text("")
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xgboost-cpu\nVersion: {version}\n")
    (facts / "top_level.txt").write_text("xgboost\n")
    monkeypatch.syspath_prepend(str(site))
    runtime = made(resolver(tmp_path), resolve_image("xgboost", "us-east-1", "ml.m5.large"))
    assert runtime.note.startswith(f"xgboost-cpu {version} of ")
    assert ("warning: the image has version" in runtime.note) is warned


def test_what_is_installed_is_looked_up_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    whole = importlib.metadata.packages_distributions
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: looks.append(None) or whole())
    monkeypatch.syspath_prepend(str(tmp_path))
    uri = resolve_image("xgboost", "us-east-1", "ml.m5.large")
    (tmp_path / "xgboost.py").write_text("")
    for version in ("1.9.0", "3.0.1"):
        facts = tmp_path / f"xgboost_cpu-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xgboost-cpu\nVersion: {version}\n")
        (facts / "top_level.txt").write_text("xgboost\n")
        notes = [made(resolver(tmp_path), uri).note for _ in range(3)]
        assert all(note.startswith(f"xgboost-cpu {version} of ") for note in notes)
        shutil.rmtree(facts)
    assert len(looks) == 2


@pytest.mark.parametrize(
    "uri",
    [
        f"python:{VERSION}",
        f"public.ecr.aws/docker/library/python:{VERSION}-slim",
        f"docker.io/library/python:{VERSION}",
    ],
)
def test_a_python_image_of_this_version_is_the_interpreter_in_use(tmp_path: Path, uri: str) -> None:
    assert made(resolver(tmp_path), uri).python == Path(sys.executable)


@pytest.mark.parametrize(
    "uri",
    [
        "python:2.7",
        "python:latest",
        "busybox",
        "evil.example/library/python:3.11",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3",
        "",
    ],
)
def test_what_nothing_can_stand_for_is_refused_with_the_fix(tmp_path: Path, uri: str) -> None:
    assert "Fix: " in refusal(resolver(tmp_path), uri)


def test_an_index_that_nobody_reaches_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # and nobody listens
        index = f"http://127.0.0.1:{refusing.getsockname()[1]}/simple"
        for name, value in (("INDEX_URL", index), ("EXTRA_INDEX_URL", index), ("FIND_LINKS", str(tmp_path))):
            monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        image = resolve_image("scikit-learn:1.2-1", "us-east-1", "ml.m5.large")
        message = refusal(resolver(tmp_path, frameworks="made"), image)
    first, fix, *_ = message.splitlines()
    assert first == "The image cannot be prepared: pip cannot reach a package index (Connection refused)."
    assert fix.startswith("Fix: make it once while there is a network") and index not in message
    [log] = (tmp_path / "images").glob("scikit-learn-1.2-*.pip.log")
    assert f"All that pip said: {log}" in message and "Retrying" in log.read_text()
