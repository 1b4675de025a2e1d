"""Hosting, put together: models, endpoint configurations, endpoints, and the worker that runs these."""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker.hosting.configs import config_kind
from trainworks.twin.services.sagemaker.hosting.endpoints import EndpointApi, Kinds
from trainworks.twin.services.sagemaker.hosting.metrics import EndpointMetrics
from trainworks.twin.services.sagemaker.hosting.models import ModelChecks, model_kind
from trainworks.twin.services.sagemaker.hosting.prepare import Preparer
from trainworks.twin.services.sagemaker.hosting.store import Endpoints
from trainworks.twin.services.sagemaker.hosting.worker import Settings, Worker
from trainworks.twin.services.sagemaker.kinds import RecordedKind
from trainworks.twin.services.sagemaker.tagging import Exists
from trainworks.twin.wire import Operation


class HostingService:
    """`start` after the compute plane's tables exist and before its events flow."""

    def __init__(self, parts: Parts) -> None:
        preparer = Preparer(
            parts.objects, parts.images, parts.packages, parts.compute, parts.jobs_dir, parts.endpoint_url
        )
        endpoints = Endpoints(parts.database, parts.recorded)
        self._worker = Worker(
            endpoints, Settings(preparer, parts.compute, parts.gateway, parts.shipper, parts.control_plane)
        )
        self._metrics = EndpointMetrics(parts.gateway, parts.control_plane)
        parts.images.on_made(self._worker.on_image_made)
        parts.packages.on_made(self._worker.on_image_made)
        model = model_kind(ModelChecks(parts.images, parts.objects))
        config = config_kind(model)
        self._kinds = (
            RecordedKind(model, parts.recorded, parts.control_plane),
            RecordedKind(config, parts.recorded, parts.control_plane),
            EndpointApi(
                Kinds(model, config), parts.recorded, parts.control_plane, endpoints, self._worker, parts.compute
            ),
        )

    def operations(self) -> Mapping[str, Operation]:
        return {name: operation for each in self._kinds for name, operation in each.operations().items()}

    def owners(self) -> Mapping[str, Exists]:
        """For `Tagging`."""
        return {each.kind.arn_type: each.exists for each in self._kinds}

    def start(self) -> None:
        """Continue with all endpoints that an earlier run left."""
        self._metrics.start()
        self._worker.start()

    def stop(self) -> None:
        """Stop threads; containers go on in their instances."""
        self._worker.stop()
        self._metrics.stop()
