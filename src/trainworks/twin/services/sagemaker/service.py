"""The SageMaker service of a twin: one endpoint over all kinds of its resources, each in a room of its own."""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.service import Kept, Locator, Service
from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker.notebooks import Notebooks
from trainworks.twin.services.sagemaker.training.service import TrainingService
from trainworks.twin.wire import Endpoint


class SageMakerService(Service):
    """`metrics_interval_seconds` is how often what training jobs use is measured."""

    def __init__(self, parts: Parts, *, metrics_interval_seconds: float = 60.0) -> None:
        self._training = TrainingService(parts, metrics_interval_seconds)
        notebooks = Notebooks(parts.database, parts.control_plane)
        self.endpoint = Endpoint("sagemaker", {**self._training.operations(), **notebooks.operations()})

    def start(self) -> None:
        self.endpoint.warm()
        self._training.start()

    def stop(self) -> None:
        self._training.stop()

    def locators(self) -> Mapping[str, Locator]:
        return {"training_job_name": self._training.instance_ids}

    def kept(self) -> Mapping[str, Kept]:
        return {"training_jobs": self._training}
