"""What was changed behind CloudFormation's back: resources that are not as their templates say.

CloudFormation looks at one stack at a time and leaves nested ones out, so every stack is asked, all at once. It looks
only at properties that a template sets, and only at types that it knows how to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainworks.assembly.places import Places, StackPath
from trainworks.deploy.clients import Clients
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.faults import explained
from trainworks.deploy.follow import StackMonitor
from trainworks.deploy.nested import walk
from trainworks.deploy.stacks import describe_stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackResourceDriftTypeDef

_DETECTABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"})
_SECONDS_AT_MOST = 900.0


@dataclass(frozen=True, slots=True)
class PropertyDrift:
    """One property: `kind` is ADD, REMOVE or NOT_EQUAL, values are texts as CloudFormation gives them."""

    path: str
    kind: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """A resource whose `status` is MODIFIED or DELETED, or UNKNOWN where it could not be read (`reason`)."""

    place: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    differences: tuple[PropertyDrift, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All stacks of a platform: what drifted, how many resources were compared, and which types cannot be."""

    drifted: tuple[ResourceDrift, ...]
    checked: int
    unchecked_types: tuple[str, ...]
    failures: tuple[str, ...] = ()
    """Stacks that could not be looked at, with the reason."""


def detect_drift(stack_name: str, clients: Clients, monitor: StackMonitor, places: Places) -> DriftReport | None:
    """Compare everything that is deployed with its templates; None if the stack is not there or not at rest.

    Raises `RequestError` or `DeployError` if the calls are not allowed or the endpoint is not there.
    """
    client = clients.cloudformation
    with explained(f"detecting drift of {stack_name}"):
        state = describe_stack(client, stack_name)
        if state is None or state.status not in _DETECTABLE:
            return None
        stacks = tuple(walk(client, state.stack_id))
        detections = {
            stack.stack_path: client.detect_stack_drift(StackName=stack.stack_id)["StackDriftDetectionId"]
            for stack in stacks
        }
        failures = _completed(client, detections, monitor, places)
        drifts = [(stack.stack_path, drift) for stack in stacks for drift in _drifts(client, stack.stack_id)]
        checked = {(stack_path, drift["LogicalResourceId"]) for stack_path, drift in drifts}
        unchecked = {
            resource.resource_type
            for stack in stacks
            for resource in stack.resources
            if resource.resource_type != STACK_TYPE and (stack.stack_path, resource.logical_id) not in checked
        }
    records = [
        _record(places, stack_path, drift)
        for stack_path, drift in drifts
        if drift["StackResourceDriftStatus"] != "IN_SYNC"
    ]
    return DriftReport(
        tuple(sorted(records, key=lambda drift: drift.place)), len(checked), tuple(sorted(unchecked)), tuple(failures)
    )


def _completed(
    client: CloudFormationClient, detections: dict[StackPath, str], monitor: StackMonitor, places: Places
) -> list[str]:
    """Wait until each detection is over; why one failed, where it did."""
    failures = []
    waited, pause = 0.0, monitor.pacing.first_seconds
    for stack_path, detection_id in detections.items():
        while True:
            detection = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection_id)
            status = detection["DetectionStatus"]
            if status != "DETECTION_IN_PROGRESS" or waited > _SECONDS_AT_MOST:
                break
            monitor.sleep(pause)
            waited, pause = waited + pause, monitor.pacing.longer(pause)
        if status != "DETECTION_COMPLETE":
            reason = detection.get("DetectionStatusReason", f"still {status} after {waited:.0f} s")
            failures.append(f"{places.stack(stack_path)}: {reason}")
    return failures


def _drifts(client: CloudFormationClient, stack_id: str) -> Iterator[StackResourceDriftTypeDef]:
    """Every resource that was compared."""
    token: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(StackName=stack_id, **token)  # type: ignore[arg-type]
        for drift in page["StackResourceDrifts"]:
            if drift["StackResourceDriftStatus"] != "NOT_CHECKED":
                yield drift
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _record(places: Places, stack_path: StackPath, drift: StackResourceDriftTypeDef) -> ResourceDrift:
    logical_id = drift["LogicalResourceId"]
    return ResourceDrift(
        place=places.resource(stack_path, logical_id),
        logical_id=logical_id,
        physical_id=drift.get("PhysicalResourceId", ""),
        resource_type=drift["ResourceType"],
        status=drift["StackResourceDriftStatus"],
        differences=tuple(
            PropertyDrift(each["PropertyPath"], each["DifferenceType"], each["ExpectedValue"], each["ActualValue"])
            for each in drift.get("PropertyDifferences", [])
        ),
        reason=str(drift.get("DriftStatusReason", "")),
    )
