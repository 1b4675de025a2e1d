"""`AWS::SageMaker::NotebookInstance` and `NotebookInstanceLifecycleConfig`, by the operations of our own SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import ApiError
from trainworks.twin.resource_types import Resource, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.properties import changed, tag_changes, to_request
from trainworks.twin.wire import Endpoint

_MAX_NAME = 63
_INSTANCE_CREATE_ONLY = frozenset(
    {"DirectInternetAccess", "KmsKeyId", "NotebookInstanceName", "PlatformIdentifier", "SecurityGroupIds", "SubnetId"}
)
_DISASSOCIATIONS = {
    "LifecycleConfigName": "DisassociateLifecycleConfig",
    "AcceleratorTypes": "DisassociateAcceleratorTypes",
    "DefaultCodeRepository": "DisassociateDefaultCodeRepository",
    "AdditionalCodeRepositories": "DisassociateAdditionalCodeRepositories",
}


class NotebookInstance:
    """Ref is the ARN; `NotebookInstanceName`, `NotebookInstanceArn`."""

    compared = ("InstanceType", "RoleArn", "SubnetId", "DirectInternetAccess", "RootAccess", "VolumeSizeInGB")

    def __init__(self, sagemaker: Endpoint) -> None:
        self._sagemaker = sagemaker

    def create(self, request: ResourceRequest) -> Resource:
        params = to_request("sagemaker", "CreateNotebookInstance", request.properties)
        params.setdefault("NotebookInstanceName", physical_name(request, _MAX_NAME))
        answer = self._sagemaker.invoke("CreateNotebookInstance", params, request.caller)
        return _instance(str(answer["NotebookInstanceArn"]), params["NotebookInstanceName"])

    def update(self, request: ResourceRequest) -> Resource:
        differing = changed(request.previous_properties, request.properties)
        if differing & _INSTANCE_CREATE_ONLY:
            return self.create(request)
        name = self._name(request)
        if "Tags" in differing:
            _retag(self._sagemaker, request)
        if differing - {"Tags"}:
            self._change(request, name, differing - {"Tags"})
        return _instance(request.physical_id, name)

    def delete(self, request: ResourceRequest) -> None:
        if self.read(request) is not None:
            self._stop(request)
        _delete(
            self._sagemaker,
            "DeleteNotebookInstance",
            {"NotebookInstanceName": _last_part(request.physical_id)},
            request,
        )

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        try:
            return self._described(request)
        except ApiError as error:
            if "RecordNotFound" in error.message:
                return None
            raise

    def _change(self, request: ResourceRequest, name: str, differing: set[str]) -> None:
        kept = {member: value for member, value in request.properties.items() if member in differing}
        params = to_request("sagemaker", "UpdateNotebookInstance", kept)
        params |= {switch: True for member, switch in _DISASSOCIATIONS.items() if member in differing - kept.keys()}
        params["NotebookInstanceName"] = name
        was_running = self._stop(request)
        self._sagemaker.invoke("UpdateNotebookInstance", params, request.caller)
        if was_running:
            self._to("StartNotebookInstance", request)

    def _stop(self, request: ResourceRequest) -> bool:
        """CloudFormation stops an instance before it changes or deletes it; whether it was running."""
        running = self._described(request)["NotebookInstanceStatus"] == "InService"
        if running:
            self._to("StopNotebookInstance", request)
        return bool(running)

    def _to(self, operation: str, request: ResourceRequest) -> None:
        params: dict[str, Any] = {"NotebookInstanceName": _last_part(request.physical_id)}
        self._sagemaker.invoke(operation, params, request.caller)

    def _described(self, request: ResourceRequest) -> Mapping[str, Any]:
        params: dict[str, Any] = {"NotebookInstanceName": _last_part(request.physical_id)}
        return self._sagemaker.invoke("DescribeNotebookInstance", params, request.caller)

    def _name(self, request: ResourceRequest) -> str:
        return str(self._described(request)["NotebookInstanceName"])


class LifecycleConfig:
    """Ref is the ARN; `NotebookInstanceLifecycleConfigName`, `NotebookInstanceLifecycleConfigArn`."""

    def __init__(self, sagemaker: Endpoint) -> None:
        self._sagemaker = sagemaker

    def create(self, request: ResourceRequest) -> Resource:
        params = to_request("sagemaker", "CreateNotebookInstanceLifecycleConfig", request.properties)
        params.setdefault("NotebookInstanceLifecycleConfigName", physical_name(request, _MAX_NAME))
        answer = self._sagemaker.invoke("CreateNotebookInstanceLifecycleConfig", params, request.caller)
        return _config(str(answer["NotebookInstanceLifecycleConfigArn"]), params["NotebookInstanceLifecycleConfigName"])

    def update(self, request: ResourceRequest) -> Resource:
        if "NotebookInstanceLifecycleConfigName" in changed(request.previous_properties, request.properties):
            return self.create(request)
        if "Tags" in changed(request.previous_properties, request.properties):
            _retag(self._sagemaker, request)
        name = _last_part(request.physical_id)
        shown = self._sagemaker.invoke(
            "DescribeNotebookInstanceLifecycleConfig", {"NotebookInstanceLifecycleConfigName": name}, request.caller
        )
        params = {"OnCreate": [], "OnStart": []} | to_request(
            "sagemaker", "UpdateNotebookInstanceLifecycleConfig", request.properties, without=("Tags",)
        )
        params["NotebookInstanceLifecycleConfigName"] = str(shown["NotebookInstanceLifecycleConfigName"])
        self._sagemaker.invoke("UpdateNotebookInstanceLifecycleConfig", params, request.caller)
        return _config(request.physical_id, str(shown["NotebookInstanceLifecycleConfigName"]))

    def delete(self, request: ResourceRequest) -> None:
        params = {"NotebookInstanceLifecycleConfigName": _last_part(request.physical_id)}
        _delete(self._sagemaker, "DeleteNotebookInstanceLifecycleConfig", params, request)


def _instance(arn: str, name: str) -> Resource:
    return Resource(arn, {"NotebookInstanceName": name, "NotebookInstanceArn": arn})


def _config(arn: str, name: str) -> Resource:
    return Resource(arn, {"NotebookInstanceLifecycleConfigName": name, "NotebookInstanceLifecycleConfigArn": arn})


def _last_part(arn: str) -> str:
    return arn.rpartition("/")[2]


def _retag(sagemaker: Endpoint, request: ResourceRequest) -> None:
    """Give a resource the tags that its template and its stack have now."""
    gone, added = tag_changes(request.previous_properties, request.properties)
    if gone:
        sagemaker.invoke("DeleteTags", {"ResourceArn": request.physical_id, "TagKeys": gone}, request.caller)
    if added:
        tags = [{"Key": key, "Value": value} for key, value in added.items()]
        sagemaker.invoke("AddTags", {"ResourceArn": request.physical_id, "Tags": tags}, request.caller)


def _delete(sagemaker: Endpoint, operation: str, params: dict[str, Any], request: ResourceRequest) -> None:
    try:
        sagemaker.invoke(operation, params, request.caller)
    except ApiError as error:
        if "RecordNotFound" not in error.message:
            raise
