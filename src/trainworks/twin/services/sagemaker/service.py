"""The SageMaker service of a twin: one endpoint over all kinds of its resources, each in a room of its own."""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.service import Kept, Locator, Service
from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker import notebooks
from trainworks.twin.services.sagemaker.hosting.service import HostingService
from trainworks.twin.services.sagemaker.kinds import RecordedKind
from trainworks.twin.services.sagemaker.tagging import Exists, Tagging
from trainworks.twin.services.sagemaker.training.service import TrainingService
from trainworks.twin.wire import Endpoint, Operation

_RECORDED = (*notebooks.KINDS,)
"""The kinds that are recorded."""


class SageMakerService(Service):
    """`metrics_interval_seconds` is how often what training jobs use is measured."""

    def __init__(self, parts: Parts, *, metrics_interval_seconds: float = 60.0) -> None:
        self._training = TrainingService(parts, metrics_interval_seconds)
        self._hosting = HostingService(parts)
        operations: dict[str, Operation] = {**self._training.operations(), **self._hosting.operations()}
        owners: dict[str, Exists] = {"training-job": self._training.exists, **self._hosting.owners()}
        for kind in _RECORDED:
            recorded = RecordedKind(kind, parts.recorded, parts.control_plane)
            operations |= recorded.operations()
            owners[kind.arn_type] = recorded.exists
        operations |= Tagging(parts.recorded, parts.control_plane, owners).operations()
        self.endpoint = Endpoint("sagemaker", operations)

    def start(self) -> None:
        self.endpoint.warm()
        self._training.start()
        self._hosting.start()

    def stop(self) -> None:
        self._hosting.stop()
        self._training.stop()

    def locators(self) -> Mapping[str, Locator]:
        return {"training_job_name": self._training.instance_ids}

    def kept(self) -> Mapping[str, Kept]:
        return {"training_jobs": self._training}
