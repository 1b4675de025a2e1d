"""Notebook instances and their lifecycle configurations, recorded: stored and described, nothing runs.

An instance is therefore `Stopped` from its creation on. Starting and stopping it changes the status, at once; no
lifecycle script runs and there is no Jupyter behind it. Source: the notebook operations of the SageMaker API reference.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import Caller, ControlPlane
from trainworks.twin.recorded import Record, Rows
from trainworks.twin.services.sagemaker.kinds import Kind, Status, StatusOperation
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.wire import Call

_NOTE = "Stored and described; no instance runs."
_STATUS_NOTE = "The status changes at once; no instance runs, and no lifecycle script."


def _check_network(call: Call, control_plane: ControlPlane) -> None:
    params = call.params
    subnet = params.get("SubnetId")
    if subnet is None and params.get("DirectInternetAccess") == "Disabled":
        raise invalid("DirectInternetAccess can be Disabled only with a SubnetId")
    if subnet is not None and not control_plane.subnet_exists(subnet):
        raise invalid(f"The subnet ID '{subnet}' does not exist")
    for group in params.get("SecurityGroupIds", []):
        if not control_plane.security_group_exists(group):
            raise invalid(f"The security group '{group}' does not exist")


def _check_scripts(call: Call, _: ControlPlane) -> None:
    for member in ("OnCreate", "OnStart"):
        for script in call.params.get(member, []):
            try:
                base64.b64decode(script.get("Content", ""), validate=True)
            except ValueError:
                raise invalid(f"The content of {member} is not valid base64") from None


def _check_lifecycle_config(rows: Rows, caller: Caller, spec: Mapping[str, Any]) -> None:
    if "LifecycleConfigName" in spec:
        LIFECYCLE_CONFIG.found(rows, LIFECYCLE_CONFIG.arn(caller, spec["LifecycleConfigName"]))


def _named_in(member: str, record: Record, value: str) -> bool:
    return value.lower() in str(record.spec.get(member, "")).lower()


LIFECYCLE_CONFIG = Kind(
    "NotebookInstanceLifecycleConfig",
    "notebook-instance-lifecycle-config",
    _NOTE,
    has_update=True,
    check=_check_scripts,
)

INSTANCE = Kind(
    "NotebookInstance",
    "notebook-instance",
    _NOTE,
    has_update=True,
    role="RoleArn",
    defaults={"DirectInternetAccess": "Enabled", "RootAccess": "Enabled", "VolumeSizeInGB": 5},
    shown={"SecurityGroupIds": "SecurityGroups", "LifecycleConfigName": "NotebookInstanceLifecycleConfigName"},
    removed={
        "DisassociateLifecycleConfig": "LifecycleConfigName",
        "DisassociateAcceleratorTypes": "AcceleratorTypes",
        "DisassociateDefaultCodeRepository": "DefaultCodeRepository",
        "DisassociateAdditionalCodeRepositories": "AdditionalCodeRepositories",
    },
    status=Status(
        "NotebookInstanceStatus",
        first="Stopped",
        settled="Stopped",
        moves={
            "StartNotebookInstance": StatusOperation("Stopped", "InService", _STATUS_NOTE),
            "StopNotebookInstance": StatusOperation("InService", "Stopped", _STATUS_NOTE),
        },
    ),
    sort_by="Name",
    order="Ascending",
    filters={
        "NotebookInstanceLifecycleConfigNameContains": lambda record, value: _named_in(
            "LifecycleConfigName", record, value
        ),
        "DefaultCodeRepositoryContains": lambda record, value: _named_in("DefaultCodeRepository", record, value),
        "AdditionalCodeRepositoryEquals": lambda record, value: (
            value in record.spec.get("AdditionalCodeRepositories", [])
        ),
    },
    check=_check_network,
    admit=_check_lifecycle_config,
)

KINDS = (INSTANCE, LIFECYCLE_CONFIG)
