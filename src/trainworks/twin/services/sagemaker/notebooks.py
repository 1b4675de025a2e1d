"""Notebook instances and their lifecycle configurations, recorded: stored and described, nothing runs.

An instance is therefore `Stopped` from its creation on. Starting and stopping it changes the status, at once; no
lifecycle script runs and there is no Jupyter behind it. Source: the notebook operations of the SageMaker API reference.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, page, recorded

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sagemaker_notebook (
    arn TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    modified_at REAL NOT NULL,
    spec TEXT NOT NULL
) WITHOUT ROWID;
"""
_INSERT = "INSERT INTO sagemaker_notebook (arn, kind, name, created_at, modified_at, spec) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE sagemaker_notebook SET spec = ?, modified_at = ? WHERE arn = ?"
_BY_ARN = "SELECT * FROM sagemaker_notebook WHERE arn = ?"
_ALL = "SELECT * FROM sagemaker_notebook WHERE kind = ? AND arn LIKE ? ORDER BY created_at DESC, arn DESC"
_DELETE = "DELETE FROM sagemaker_notebook WHERE arn = ?"

_INSTANCE = "notebook-instance"
_CONFIG = "notebook-instance-lifecycle-config"
_CONFIG_NAME = "NotebookInstanceLifecycleConfigName"
_MAX_CONTENT = 16_384
_PAGE_SIZE = 10
_DISASSOCIATED = {
    "DisassociateLifecycleConfig": "LifecycleConfigName",
    "DisassociateAcceleratorTypes": "AcceleratorTypes",
    "DisassociateDefaultCodeRepository": "DefaultCodeRepository",
    "DisassociateAdditionalCodeRepositories": "AdditionalCodeRepositories",
}
_LIST_FILTERS = (
    "SortBy", "SortOrder", "CreationTimeBefore", "CreationTimeAfter", "LastModifiedTimeBefore",
    "LastModifiedTimeAfter",
)  # fmt: skip
_INSTANCE_FILTERS = (
    "NotebookInstanceLifecycleConfigNameContains", "DefaultCodeRepositoryContains", "AdditionalCodeRepositoryEquals",
)  # fmt: skip
_STATUS = "NotebookInstanceStatus"
_STOPPED, _IN_SERVICE = "Stopped", "InService"
_NOTE = "Stored and described; no instance runs."
_STATUS_NOTE = "The status changes at once; no instance runs, and no lifecycle script."


class Notebooks:
    """The operations; `operations` is what the SageMaker endpoint takes over."""

    def __init__(self, database: Database, control_plane: ControlPlane, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._control_plane = control_plane
        self._clock = clock
        database.apply(_SCHEMA)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateNotebookInstance": recorded(self.create_notebook_instance, _NOTE),
            "DescribeNotebookInstance": recorded(self.describe_notebook_instance, _NOTE),
            "UpdateNotebookInstance": recorded(self.update_notebook_instance, _NOTE),
            "ListNotebookInstances": recorded(
                self.list_notebook_instances, _NOTE, refused_members=_LIST_FILTERS + _INSTANCE_FILTERS
            ),
            "StartNotebookInstance": recorded(self.start_notebook_instance, _STATUS_NOTE),
            "StopNotebookInstance": recorded(self.stop_notebook_instance, _STATUS_NOTE),
            "DeleteNotebookInstance": recorded(self.delete_notebook_instance, _NOTE),
            "CreateNotebookInstanceLifecycleConfig": recorded(self.create_lifecycle_config, _NOTE),
            "DescribeNotebookInstanceLifecycleConfig": recorded(self.describe_lifecycle_config, _NOTE),
            "UpdateNotebookInstanceLifecycleConfig": recorded(self.update_lifecycle_config, _NOTE),
            "ListNotebookInstanceLifecycleConfigs": recorded(
                self.list_lifecycle_configs, _NOTE, refused_members=_LIST_FILTERS
            ),
            "DeleteNotebookInstanceLifecycleConfig": recorded(self.delete_lifecycle_config, _NOTE),
        }

    def create_notebook_instance(self, call: Call) -> dict[str, Any]:
        params = call.params
        arn = self._authorized(call, "CreateNotebookInstance", _INSTANCE, params["NotebookInstanceName"])
        self._control_plane.pass_role(call.caller, params["RoleArn"], "sagemaker.amazonaws.com")
        self._check_network(params)
        if "LifecycleConfigName" in params:
            self._existing(arn_of(call.caller, _CONFIG, params["LifecycleConfigName"]))
        self._insert(arn, _INSTANCE, params["NotebookInstanceName"], params)
        return {"NotebookInstanceArn": arn}

    def describe_notebook_instance(self, call: Call) -> dict[str, Any]:
        name = call.params["NotebookInstanceName"]
        row = self._existing(self._authorized(call, "DescribeNotebookInstance", _INSTANCE, name))
        spec = json.loads(row["spec"])
        spec.pop("Tags", None)
        groups = spec.pop("SecurityGroupIds", None)
        lifecycle = spec.pop("LifecycleConfigName", None)
        detail = {
            "DirectInternetAccess": "Enabled",
            "RootAccess": "Enabled",
            "VolumeSizeInGB": 5,
            **spec,
            "NotebookInstanceArn": row["arn"],
            _STATUS: spec.get(_STATUS, _STOPPED),
            "SecurityGroups": groups,
            "NotebookInstanceLifecycleConfigName": lifecycle,
            **_times(row),
        }
        return {member: value for member, value in detail.items() if value is not None}

    def update_notebook_instance(self, call: Call) -> dict[str, Any]:
        params = dict(call.params)
        row = self._existing(
            self._authorized(call, "UpdateNotebookInstance", _INSTANCE, params["NotebookInstanceName"])
        )
        spec = _in_status(row, _STOPPED, "Updating")
        if "RoleArn" in params:
            self._control_plane.pass_role(call.caller, params["RoleArn"], "sagemaker.amazonaws.com")
        for switch, member in _DISASSOCIATED.items():
            if params.pop(switch, False):
                spec.pop(member, None)
        self._update(row["arn"], spec | params)
        return {}

    def list_notebook_instances(self, call: Call) -> dict[str, Any]:
        self._control_plane.authorize(call.caller, "sagemaker:ListNotebookInstances", "*")
        rows, token = self._page(call, _INSTANCE, status=call.params.get("StatusEquals"))
        return {"NotebookInstances": [_instance_summary(row) for row in rows], **_next(token)}

    def start_notebook_instance(self, call: Call) -> dict[str, Any]:
        return self._change_status(call, "StartNotebookInstance", _STOPPED, _IN_SERVICE)

    def stop_notebook_instance(self, call: Call) -> dict[str, Any]:
        return self._change_status(call, "StopNotebookInstance", _IN_SERVICE, _STOPPED)

    def delete_notebook_instance(self, call: Call) -> dict[str, Any]:
        name = call.params["NotebookInstanceName"]
        _in_status(
            self._existing(self._authorized(call, "DeleteNotebookInstance", _INSTANCE, name)), _STOPPED, "Deleting"
        )
        self._delete(call, "DeleteNotebookInstance", _INSTANCE, name)
        return {}

    def _change_status(self, call: Call, action: str, before: str, after: str) -> dict[str, Any]:
        row = self._existing(self._authorized(call, action, _INSTANCE, call.params["NotebookInstanceName"]))
        self._update(row["arn"], _in_status(row, before, after) | {_STATUS: after})
        return {}

    def create_lifecycle_config(self, call: Call) -> dict[str, Any]:
        params = call.params
        arn = self._authorized(call, "CreateNotebookInstanceLifecycleConfig", _CONFIG, params[_CONFIG_NAME])
        _check_scripts(params)
        self._insert(arn, _CONFIG, params[_CONFIG_NAME], params)
        return {"NotebookInstanceLifecycleConfigArn": arn}

    def describe_lifecycle_config(self, call: Call) -> dict[str, Any]:
        action = "DescribeNotebookInstanceLifecycleConfig"
        row = self._existing(self._authorized(call, action, _CONFIG, call.params[_CONFIG_NAME]))
        spec = json.loads(row["spec"])
        spec.pop("Tags", None)
        return {**spec, "NotebookInstanceLifecycleConfigArn": row["arn"], **_times(row)}

    def update_lifecycle_config(self, call: Call) -> dict[str, Any]:
        action = "UpdateNotebookInstanceLifecycleConfig"
        row = self._existing(self._authorized(call, action, _CONFIG, call.params[_CONFIG_NAME]))
        _check_scripts(call.params)
        self._update(row["arn"], json.loads(row["spec"]) | call.params)
        return {}

    def list_lifecycle_configs(self, call: Call) -> dict[str, Any]:
        self._control_plane.authorize(call.caller, "sagemaker:ListNotebookInstanceLifecycleConfigs", "*")
        rows, token = self._page(call, _CONFIG)
        configs = [
            {_CONFIG_NAME: row["name"], "NotebookInstanceLifecycleConfigArn": row["arn"], **_times(row)} for row in rows
        ]
        return {"NotebookInstanceLifecycleConfigs": configs, **_next(token)}

    def delete_lifecycle_config(self, call: Call) -> dict[str, Any]:
        self._delete(call, "DeleteNotebookInstanceLifecycleConfig", _CONFIG, call.params[_CONFIG_NAME])
        return {}

    def _authorized(self, call: Call, action: str, kind: str, name: str) -> str:
        arn = arn_of(call.caller, kind, name)
        self._control_plane.authorize(call.caller, f"sagemaker:{action}", arn)
        return arn

    def _check_network(self, params: Mapping[str, Any]) -> None:
        subnet = params.get("SubnetId")
        if subnet is None and params.get("DirectInternetAccess") == "Disabled":
            raise ApiError("ValidationException", "DirectInternetAccess can be Disabled only with a SubnetId")
        if subnet is not None and not self._control_plane.subnet_exists(subnet):
            raise ApiError("ValidationException", f"The subnet ID '{subnet}' does not exist")
        for group in params.get("SecurityGroupIds", []):
            if not self._control_plane.security_group_exists(group):
                raise ApiError("ValidationException", f"The security group '{group}' does not exist")

    def _insert(self, arn: str, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        now = self._clock()
        with self._database.transaction() as tx:
            if tx.execute(_BY_ARN, (arn,)).fetchone():
                raise ApiError("ValidationException", f"Cannot create an already existing resource: {arn}")
            tx.execute(_INSERT, (arn, kind, name, now, now, json.dumps(spec)))

    def _update(self, arn: str, spec: Mapping[str, Any]) -> None:
        with self._database.transaction() as tx:
            tx.execute(_UPDATE, (json.dumps(spec), self._clock(), arn))

    def _delete(self, call: Call, action: str, kind: str, name: str) -> None:
        row = self._existing(self._authorized(call, action, kind, name))
        with self._database.transaction() as tx:
            tx.execute(_DELETE, (row["arn"],))

    def _existing(self, arn: str) -> Row:
        row = self._database.read_one(_BY_ARN, (arn,))
        if row is None:
            raise ApiError("ValidationException", f"RecordNotFound: {arn}")
        return row

    def _page(self, call: Call, kind: str, *, status: str | None = None) -> tuple[list[Row], str | None]:
        rows: Sequence[Row] = self._database.read(_ALL, (kind, arn_of(call.caller, kind, "%")))
        contains = call.params.get("NameContains", "").lower()
        if status is not None:
            rows = [row for row in rows if json.loads(row["spec"]).get(_STATUS, _STOPPED) == status]
        return page(
            [row for row in rows if contains in row["name"].lower()],
            key=lambda row: [row["created_at"], row["arn"]],
            limit=call.params.get("MaxResults", _PAGE_SIZE),
            token=call.params.get("NextToken"),
            request=call.params,
            descending=True,
        )


def arn_of(caller: Caller, kind: str, name: str) -> str:
    """SageMaker writes names in ARNs in lower case."""
    return f"arn:aws:sagemaker:{caller.region}:{caller.account_id}:{kind}/{name.lower()}"


def _in_status(row: Row, wanted: str, after: str) -> dict[str, Any]:
    """The instance's spec. Raises `ValidationException` unless it is in the status that the operation needs."""
    spec: dict[str, Any] = json.loads(row["spec"])
    status = spec.get(_STATUS, _STOPPED)
    if status != wanted:
        raise ApiError(
            "ValidationException",
            f"Status ({status}) not in ([{wanted}]). Unable to transition to ({after}) for Notebook Instance "
            f"({row['arn']})",
        )
    return spec


def _check_scripts(params: Mapping[str, Any]) -> None:
    for member in ("OnCreate", "OnStart"):
        for script in params.get(member, []):
            content = script.get("Content", "")
            try:
                base64.b64decode(content, validate=True)
            except binascii.Error:
                raise ApiError("ValidationException", f"The content of {member} is not valid base64") from None
            if len(content) > _MAX_CONTENT:
                raise ApiError("ValidationException", f"The content of {member} exceeds {_MAX_CONTENT} characters")


def _times(row: Row) -> dict[str, datetime]:
    return {
        "CreationTime": datetime.fromtimestamp(row["created_at"], UTC),
        "LastModifiedTime": datetime.fromtimestamp(row["modified_at"], UTC),
    }


def _instance_summary(row: Row) -> dict[str, Any]:
    spec = json.loads(row["spec"])
    summary = {
        "NotebookInstanceName": row["name"],
        "NotebookInstanceArn": row["arn"],
        _STATUS: spec.get(_STATUS, _STOPPED),
        "InstanceType": spec["InstanceType"],
        "NotebookInstanceLifecycleConfigName": spec.get("LifecycleConfigName"),
        "DefaultCodeRepository": spec.get("DefaultCodeRepository"),
        "AdditionalCodeRepositories": spec.get("AdditionalCodeRepositories"),
        **_times(row),
    }
    return {member: value for member, value in summary.items() if value is not None}


def _next(token: str | None) -> dict[str, str]:
    return {"NextToken": token} if token else {}
