"""`AWS::Batch::ComputeEnvironment`, `JobQueue` and `JobDefinition`, by the operations of our own Batch.

What is updated in place and what is replaced follows the CloudFormation template reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.properties import changed, tag_changes, to_request
from trainworks.twin.wire import Endpoint

_MAX_NAME = 128
_SCALING = frozenset({"MinvCpus", "MaxvCpus", "DesiredvCpus"})
_NETWORK = frozenset({"Subnets", "SecurityGroupIds"})
_ENVIRONMENT_CREATE_ONLY = frozenset({"ComputeEnvironmentName", "Tags", "Type"})
_QUEUE_CREATE_ONLY = frozenset({"JobQueueName", "JobQueueType"})


class ComputeEnvironment:
    """Ref and `ComputeEnvironmentArn` are the ARN."""

    compared = ("Type", "State", "ComputeResources")

    def __init__(self, batch: Endpoint) -> None:
        self._batch = batch

    def create(self, request: ResourceRequest) -> Resource:
        properties = dict(request.properties)
        resources = dict(properties.get("ComputeResources", {}))
        resources.pop("UpdateToLatestImageVersion", None)
        given = properties | ({"ComputeResources": resources} if resources else {})
        params = to_request(
            "batch", "CreateComputeEnvironment", given, without=("ReplaceComputeEnvironment", "UpdatePolicy")
        )
        params.setdefault("computeEnvironmentName", physical_name(request, _MAX_NAME))
        arn = str(self._batch.invoke("CreateComputeEnvironment", params, request.caller)["computeEnvironmentArn"])
        if "UpdatePolicy" in properties:
            policy = to_request("batch", "UpdateComputeEnvironment", {"UpdatePolicy": properties["UpdatePolicy"]})
            self._batch.invoke("UpdateComputeEnvironment", {"computeEnvironment": arn, **policy}, request.caller)
        invalid = self._invalid_reason(request, arn)
        if invalid:
            self._remove(request, arn)
            raise ResourceError(f"The compute environment is INVALID: {invalid}")
        return Resource(arn, {"ComputeEnvironmentArn": arn})

    def update(self, request: ResourceRequest) -> Resource:
        if _environment_is_replaced(request):
            if "ComputeEnvironmentName" in request.properties and (
                request.properties["ComputeEnvironmentName"]
                == request.previous_properties.get("ComputeEnvironmentName")
            ):
                raise ResourceError(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                    f"{request.properties['ComputeEnvironmentName']} and update the stack again."
                )
            return self.create(request)
        given = {
            name: value
            for name, value in request.properties.items()
            if name not in ("ComputeEnvironmentName", "ReplaceComputeEnvironment", "Tags", "Type")
        }
        resources = given.get("ComputeResources", {})
        previous = request.previous_properties.get("ComputeResources", {})
        differing = changed(previous, resources)
        given["ComputeResources"] = {name: value for name, value in resources.items() if name in differing}
        if not given["ComputeResources"]:
            del given["ComputeResources"]
        params = to_request("batch", "UpdateComputeEnvironment", given)
        params["computeEnvironment"] = request.physical_id
        self._batch.invoke("UpdateComputeEnvironment", params, request.caller)
        invalid = self._invalid_reason(request, request.physical_id)
        if invalid:
            raise ResourceError(f"The compute environment is INVALID: {invalid}")
        return Resource(request.physical_id, {"ComputeEnvironmentArn": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        if self._described(request, request.physical_id):
            self._remove(request, request.physical_id)

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        shown = dict(self._described(request, request.physical_id))
        if not shown:
            return None
        # Whether an update takes the newest image is a wish of the template, which no description gives back.
        wish = request.properties.get("ComputeResources", {}).get("UpdateToLatestImageVersion")
        return {**shown, "computeResources": {**shown["computeResources"], "updateToLatestImageVersion": wish}}

    def _remove(self, request: ResourceRequest, arn: str) -> None:
        params: dict[str, Any] = {"computeEnvironment": arn}
        self._batch.invoke("UpdateComputeEnvironment", {**params, "state": "DISABLED"}, request.caller)
        self._batch.invoke("DeleteComputeEnvironment", params, request.caller)

    def _invalid_reason(self, request: ResourceRequest, arn: str) -> str:
        shown = self._described(request, arn)
        return str(shown.get("statusReason", "")) if shown.get("status") == "INVALID" else ""

    def _described(self, request: ResourceRequest, arn: str) -> Mapping[str, Any]:
        params: dict[str, Any] = {"computeEnvironments": [arn]}
        answer: Any = self._batch.invoke("DescribeComputeEnvironments", params, request.caller)
        return next(iter(answer["computeEnvironments"]), {})


def _environment_is_replaced(request: ResourceRequest) -> bool:
    """`ReplaceComputeEnvironment` (true unless given) lets all but scaling, state and role replace the environment."""
    differing = changed(request.previous_properties, request.properties)
    if differing & _ENVIRONMENT_CREATE_ONLY:
        return True
    resources = request.properties.get("ComputeResources", {})
    differing_resources = changed(request.previous_properties.get("ComputeResources", {}), resources)
    if "SpotIamFleetRole" in differing_resources:
        return True
    if str(request.properties.get("ReplaceComputeEnvironment", True)).lower() == "false":
        return False
    in_place = _SCALING | _NETWORK if str(resources.get("Type", "")).startswith("FARGATE") else _SCALING
    return bool(differing_resources - in_place - {"UpdateToLatestImageVersion"})


class JobQueue:
    """Ref and `JobQueueArn` are the ARN."""

    compared = ("State", "Priority", "ComputeEnvironmentOrder", "JobStateTimeLimitActions")

    def __init__(self, batch: Endpoint) -> None:
        self._batch = batch

    def create(self, request: ResourceRequest) -> Resource:
        params = to_request("batch", "CreateJobQueue", request.properties)
        params.setdefault("jobQueueName", physical_name(request, _MAX_NAME))
        arn = str(self._batch.invoke("CreateJobQueue", params, request.caller)["jobQueueArn"])
        return Resource(arn, {"JobQueueArn": arn})

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) & _QUEUE_CREATE_ONLY:
            return self.create(request)
        params = to_request(
            "batch", "UpdateJobQueue", request.properties, without=("JobQueueName", "JobQueueType", "Tags")
        )
        params["jobQueue"] = request.physical_id
        self._batch.invoke("UpdateJobQueue", params, request.caller)
        _update_tags(self._batch, request)
        return Resource(request.physical_id, {"JobQueueArn": request.physical_id})

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        params: dict[str, Any] = {"jobQueues": [request.physical_id]}
        answer: Any = self._batch.invoke("DescribeJobQueues", params, request.caller)
        return next(iter(answer["jobQueues"]), None)

    def delete(self, request: ResourceRequest) -> None:
        if self.read(request):
            queue: dict[str, Any] = {"jobQueue": request.physical_id}
            self._batch.invoke("UpdateJobQueue", {**queue, "state": "DISABLED"}, request.caller)
            self._batch.invoke("DeleteJobQueue", queue, request.caller)


class JobDefinition:
    """Ref and `JobDefinitionArn` are the ARN with its revision; each update registers the next one.

    The previous revision is deregistered, unless `ResourceRetentionPolicy.SkipDeregisterOnUpdate` is true.
    """

    def __init__(self, batch: Endpoint) -> None:
        self._batch = batch

    def create(self, request: ResourceRequest) -> Resource:
        return self._register(request, physical_name(request, _MAX_NAME))

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) == {"Tags"}:
            _update_tags(self._batch, request)
            return Resource(request.physical_id, {"JobDefinitionArn": request.physical_id})
        name = request.physical_id.rpartition("/")[2].partition(":")[0]
        return self._register(request, name)

    def delete(self, request: ResourceRequest) -> None:
        policy = request.properties.get("ResourceRetentionPolicy", {})
        if str(policy.get("SkipDeregisterOnUpdate", False)).lower() == "true" and self._has_newer(request):
            return
        self._batch.invoke("DeregisterJobDefinition", {"jobDefinition": request.physical_id}, request.caller)

    def _register(self, request: ResourceRequest, generated_name: str) -> Resource:
        params = to_request("batch", "RegisterJobDefinition", request.properties, without=("ResourceRetentionPolicy",))
        params.setdefault("jobDefinitionName", generated_name)
        arn = str(self._batch.invoke("RegisterJobDefinition", params, request.caller)["jobDefinitionArn"])
        return Resource(arn, {"JobDefinitionArn": arn})

    def _has_newer(self, request: ResourceRequest) -> bool:
        """Whether an update made a later revision, so that this deletion is its clean-up."""
        name, _, revision = request.physical_id.rpartition("/")[2].partition(":")
        params: dict[str, Any] = {"jobDefinitionName": name, "status": "ACTIVE"}
        answer: Any = self._batch.invoke("DescribeJobDefinitions", params, request.caller)
        return any(each["revision"] > int(revision) for each in answer["jobDefinitions"])


def _update_tags(batch: Endpoint, request: ResourceRequest) -> None:
    gone, added = tag_changes(request.previous_properties, request.properties)
    if gone:
        batch.invoke("UntagResource", {"resourceArn": request.physical_id, "tagKeys": gone}, request.caller)
    if added:
        batch.invoke("TagResource", {"resourceArn": request.physical_id, "tags": added}, request.caller)
