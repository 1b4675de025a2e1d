"""Sessions of the roles that SageMaker works as: how they are taken, and how they are kept in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trainworks.twin.ports import Caller, ControlPlane, Credentials, Interfaces

SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"
_SESSION_NAME = "SageMaker"


def assume_role(
    control_plane: ControlPlane,
    role_arn: str,
    seconds: int,
    source_arn: str,
    interfaces: Interfaces | None = None,
) -> Credentials:
    """A session of a role for the resource `source_arn`. Raises `ApiError`; `ControlPlane.assume_for_service` says
    which."""
    return control_plane.assume_for_service(role_arn, SERVICE_PRINCIPAL, _SESSION_NAME, seconds, source_arn, interfaces)


def stored(credentials: Credentials) -> dict[str, Any]:
    """What JSON can hold."""
    return asdict(credentials)


def restored(fields: Mapping[str, Any]) -> Credentials:
    """From `stored`."""
    return Credentials(**{**fields, "caller": Caller(**fields["caller"])})
