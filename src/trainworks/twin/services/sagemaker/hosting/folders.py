"""Where an endpoint's files are.

<jobs>/endpoint-<id>/fleet-<n>/variant-<place>/model/      unpacked once for all containers, shown as an overlay
<jobs>/endpoint-<id>/fleet-<n>/variant-<place>/code/       the archive that SAGEMAKER_SUBMIT_DIRECTORY names
<jobs>/endpoint-<id>/fleet-<n>/<task id>/ml/               /opt/ml of one container
<jobs>/endpoint-<id>/fleet-<n>/<task id>/door/port         the way to its port
<jobs>/endpoint-<id>/fleet-<n>/<task id>/log
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.services.sagemaker.hosting.records import Container, Endpoint, Variant


@dataclass(frozen=True, slots=True)
class EndpointFolder:
    """The folder of one endpoint."""

    path: Path

    def fleet(self, number: int) -> Path:
        return self.path / f"fleet-{number}"

    def variant(self, variant: Variant) -> Path:
        return self.fleet(variant.fleet) / f"variant-{variant.place}"

    def container(self, fleet: int, task_id: str) -> ContainerFolder:
        return ContainerFolder(self.fleet(fleet) / task_id)

    def of(self, container: Container) -> ContainerFolder:
        return self.container(container.fleet, container.task_id)


@dataclass(frozen=True, slots=True)
class ContainerFolder:
    """The folder of one container."""

    path: Path

    @property
    def ml_root(self) -> Path:
        return self.path / "ml"

    @property
    def door(self) -> Path:
        return self.path / "door" / "port"

    @property
    def log(self) -> Path:
        return self.path / "log"


def endpoint_folder(jobs_dir: Path, endpoint: Endpoint) -> EndpointFolder:
    return EndpointFolder(jobs_dir / f"endpoint-{endpoint.endpoint_id}")
