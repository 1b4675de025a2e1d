"""The states of an endpoint and which may follow which.

Source: `DescribeEndpoint` in the SageMaker API reference (botocore shape `EndpointStatus`). Those that are not here
(OutOfService, SystemUpdating, RollingBack, UpdateRollbackFailed) are never entered by the twin.
"""

from enum import StrEnum


class EndpointStatus(StrEnum):
    CREATING = "Creating"
    UPDATING = "Updating"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    DELETING = "Deleting"


_S = EndpointStatus

NEXT: dict[EndpointStatus, frozenset[EndpointStatus]] = {
    _S.CREATING: frozenset({_S.IN_SERVICE, _S.FAILED}),
    _S.UPDATING: frozenset({_S.IN_SERVICE}),
    _S.IN_SERVICE: frozenset({_S.UPDATING, _S.DELETING}),
    _S.FAILED: frozenset({_S.DELETING}),
}
"""Which status may follow which; a deleted endpoint is gone. An update that fails leaves the endpoint in service."""


def may_follow(current: EndpointStatus, following: EndpointStatus) -> bool:
    """Whether an endpoint in `current` may go to `following`."""
    return following in NEXT.get(current, frozenset())
