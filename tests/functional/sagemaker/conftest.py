"""A SageMaker service over the real compute plane; the rest of the twin is doubled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.twin.services.fakes import FakeControlPlane, FakeLogs
from tests.unit.twin.services.sagemaker.doubles import archive, request
from tests.unit.twin.services.sagemaker.harness import Harness, make
from trainworks.twin.compute.gpus import Gpus
from trainworks.twin.compute.scheduler import ComputeSettings, LocalCompute


class Service:
    """A harness that can be restarted, with short cuts for jobs in script mode."""

    def __init__(self, home: Path, sandbox: str = "auto") -> None:
        self.home = home
        self.settings = replace(ComputeSettings.from_environment(), sandbox=sandbox, gpus=Gpus())
        self.harness = self._make()

    def _make(self, control_plane: FakeControlPlane | None = None, logs: FakeLogs | None = None) -> Harness:
        return make(
            self.home,
            lambda database: LocalCompute(database, self.home, self.settings),
            control_plane=control_plane,
            logs=logs,
        ).start()

    def restart(self) -> None:
        """What a new server finds: the same folder, and a control plane and logs that kept what they were told."""
        before = self.harness
        before.stop()
        self.harness = self._make(before.control_plane, before.logs)
        self.harness.objects.denied = before.objects.denied

    def train(
        self, script: str, name: str = "job-1", files: dict[str, str | bytes] | None = None, **members: object
    ) -> None:
        """Create a job that runs `script`."""
        key = f"code/{name}/sourcedir.tar.gz"
        self.harness.objects.put("models", key, archive({"train.py": script, **(files or {})}))
        given = request(name, **members)
        given["HyperParameters"] = {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"s3://models/{key}"',
            **given["HyperParameters"],
            **{"sagemaker_submit_directory": f'"s3://models/{key}"'},
        }
        self.harness.call("CreateTrainingJob", **given)

    def close(self) -> None:
        self.harness.compute.end_all()
        self.harness.stop()


@pytest.fixture
def service() -> Iterator[Service]:
    root = Path(tempfile.mkdtemp(prefix="tw-sm-"))  # short: Unix sockets lie below it
    running = Service(root)
    try:
        yield running
    finally:
        running.close()
        shutil.rmtree(root)


@pytest.fixture
def harness(service: Service) -> Harness:
    return service.harness


Train = Callable[..., None]


@pytest.fixture
def train(service: Service) -> Train:
    return service.train
