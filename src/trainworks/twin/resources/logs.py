"""`AWS::Logs::*` and the CDK's `Custom::LogRetention`, by the operations of our own Logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import ApiError
from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.properties import changed, reject_unknown, tag_changes, tags_of, to_request
from trainworks.twin.wire import Endpoint

_GONE = ("ResourceNotFoundException",)
_GROUP_PROPERTIES = (
    "LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags", "DeletionProtectionEnabled",
    "ResourcePolicyDocument",
)  # fmt: skip


class _Logs:
    """What the types share."""

    def __init__(self, logs: Endpoint) -> None:
        self._logs = logs

    def _call(self, operation: str, request: ResourceRequest, **params: Any) -> Mapping[str, Any]:
        return self._logs.invoke(operation, params, request.caller)

    def _call_if_there(self, operation: str, request: ResourceRequest, **params: Any) -> Mapping[str, Any]:
        """For deletions: what is gone is gone."""
        try:
            return self._call(operation, request, **params)
        except ApiError as error:
            if error.code not in _GONE:
                raise
            return {}


class LogGroup(_Logs):
    """Ref is the name; `Arn` ends with `:*`."""

    compared = ("LogGroupName", "RetentionInDays", "LogGroupClass", "KmsKeyId", "Tags")

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        reject_unknown(properties, _GROUP_PROPERTIES)
        name = str(properties.get("LogGroupName") or physical_name(request, 512))
        params: dict[str, Any] = {"logGroupName": name}
        if tags := tags_of(properties):
            params["tags"] = tags
        for member, property_name in (("kmsKeyId", "KmsKeyId"), ("logGroupClass", "LogGroupClass")):
            if properties.get(property_name):
                params[member] = properties[property_name]
        self._call("CreateLogGroup", request, **params)
        self._apply(request, name)
        return self._resource(request, name)

    def update(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, _GROUP_PROPERTIES)
        name, old, new = request.physical_id, request.previous_properties, request.properties
        if "LogGroupName" in changed(old, new) and new.get("LogGroupName") != name:
            return self.create(request)
        self._apply(request, name)
        if new.get("KmsKeyId"):
            self._call("AssociateKmsKey", request, logGroupName=name, kmsKeyId=new["KmsKeyId"])
        elif old.get("KmsKeyId"):
            self._call("DisassociateKmsKey", request, logGroupName=name)
        gone, added = tag_changes(old, new)
        if gone:
            self._call("UntagLogGroup", request, logGroupName=name, tags=gone)
        if added:
            self._call("TagLogGroup", request, logGroupName=name, tags=added)
        return self._resource(request, name)

    def delete(self, request: ResourceRequest) -> None:
        self._call_if_there("DeleteLogGroup", request, logGroupName=request.physical_id)

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        found = self._described(request, request.physical_id)
        if found is None:
            return None
        tags = self._call("ListTagsLogGroup", request, logGroupName=request.physical_id)["tags"]
        names = {"LogGroupName": "logGroupName", "RetentionInDays": "retentionInDays", "KmsKeyId": "kmsKeyId"}
        shown = {name: found[member] for name, member in names.items() if member in found}
        return shown | {
            "LogGroupClass": found["logGroupClass"],
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def _apply(self, request: ResourceRequest, name: str) -> None:
        """What has an operation of its own: retention, protection, the group's policy."""
        old, new = request.previous_properties, request.properties
        if new.get("RetentionInDays"):
            self._call("PutRetentionPolicy", request, logGroupName=name, retentionInDays=int(new["RetentionInDays"]))
        elif old.get("RetentionInDays"):
            self._call("DeleteRetentionPolicy", request, logGroupName=name)
        if "DeletionProtectionEnabled" in {*old, *new}:
            is_on = str(new.get("DeletionProtectionEnabled", False)).lower() == "true"
            self._call(
                "PutLogGroupDeletionProtection", request, logGroupIdentifier=name, deletionProtectionEnabled=is_on
            )
        arn = f"arn:aws:logs:{request.caller.region}:{request.caller.account_id}:log-group:{name}"
        document = new.get("ResourcePolicyDocument")
        if document is not None:
            text = document if isinstance(document, str) else json.dumps(document)
            self._call("PutResourcePolicy", request, resourceArn=arn, policyDocument=text)
        elif old.get("ResourcePolicyDocument") is not None:
            self._call_if_there("DeleteResourcePolicy", request, resourceArn=arn)

    def _described(self, request: ResourceRequest, name: str) -> Mapping[str, Any] | None:
        groups = self._call("DescribeLogGroups", request, logGroupNamePrefix=name, limit=1)["logGroups"]
        return groups[0] if groups and groups[0]["logGroupName"] == name else None

    def _resource(self, request: ResourceRequest, name: str) -> Resource:
        found = self._described(request, name)
        if found is None:
            raise ResourceError(f"The log group {name} does not exist.")
        return Resource(name, {"Arn": found["arn"]})


class LogStream(_Logs):
    """Ref is the name of the stream."""

    compared = ()

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("LogGroupName", "LogStreamName"))
        name = str(request.properties.get("LogStreamName") or physical_name(request, 512))
        self._call("CreateLogStream", request, logGroupName=request.properties["LogGroupName"], logStreamName=name)
        return Resource(name)

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties):
            return self.create(request)
        return Resource(request.physical_id)

    def delete(self, request: ResourceRequest) -> None:
        group = request.properties.get("LogGroupName", "")
        self._call_if_there("DeleteLogStream", request, logGroupName=group, logStreamName=request.physical_id)


class _Filter(_Logs):
    """A filter of a group: Ref is its name; another group or name is another filter."""

    kind = ""
    without: tuple[str, ...] = ()

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties.get("FilterName") or physical_name(request, 512))
        self._put(request, name)
        return Resource(name)

    def update(self, request: ResourceRequest) -> Resource:
        differing = changed(request.previous_properties, request.properties)
        name = request.physical_id
        if "FilterName" in differing:
            return self.create(request)
        self._put(request, name)
        if "LogGroupName" in differing:
            # The same name in another group: CloudFormation sees one physical id, so the old filter goes here.
            self._delete(request, str(request.previous_properties["LogGroupName"]))
        return Resource(name)

    def delete(self, request: ResourceRequest) -> None:
        self._delete(request, str(request.properties.get("LogGroupName", "")))

    def _delete(self, request: ResourceRequest, group: str) -> None:
        self._call_if_there(f"Delete{self.kind}", request, logGroupName=group, filterName=request.physical_id)

    def _put(self, request: ResourceRequest, name: str) -> None:
        params = to_request("logs", f"Put{self.kind}", self._properties(request.properties))
        params["filterName"] = name
        self._logs.invoke(f"Put{self.kind}", params, request.caller)

    def _properties(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        return properties


class MetricFilter(_Filter):
    kind = "MetricFilter"

    def _properties(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """Templates have the dimensions as a list of Key and Value."""
        transformations = []
        for each in properties.get("MetricTransformations") or []:
            copy = dict(each)
            if isinstance(copy.get("Dimensions"), list):
                copy["Dimensions"] = {pair["Key"]: pair["Value"] for pair in copy["Dimensions"]}
            transformations.append(copy)
        return {**properties, "MetricTransformations": transformations}


class SubscriptionFilter(_Filter):
    kind = "SubscriptionFilter"


class ResourcePolicy(_Logs):
    """Ref is the policy's name."""

    compared = ()

    def create(self, request: ResourceRequest) -> Resource:
        reject_unknown(request.properties, ("PolicyName", "PolicyDocument"))
        document = request.properties["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        name = str(request.properties["PolicyName"])
        self._call("PutResourcePolicy", request, policyName=name, policyDocument=text)
        return Resource(name)

    def update(self, request: ResourceRequest) -> Resource:
        return self.create(request)

    def delete(self, request: ResourceRequest) -> None:
        self._call_if_there("DeleteResourcePolicy", request, policyName=request.physical_id)


class Destination(_Logs):
    """Ref is the name; `Arn`. Recorded."""

    compared = ()

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        reject_unknown(properties, ("DestinationName", "TargetArn", "RoleArn", "DestinationPolicy"))
        name = str(properties["DestinationName"])
        made = self._call(
            "PutDestination",
            request,
            destinationName=name,
            targetArn=properties["TargetArn"],
            roleArn=properties["RoleArn"],
        )
        if properties.get("DestinationPolicy"):
            policy = properties["DestinationPolicy"]
            self._call("PutDestinationPolicy", request, destinationName=name, accessPolicy=policy)
        return Resource(name, {"Arn": made["destination"]["arn"]})

    def update(self, request: ResourceRequest) -> Resource:
        return self.create(request)

    def delete(self, request: ResourceRequest) -> None:
        self._call_if_there("DeleteDestination", request, destinationName=request.physical_id)


class QueryDefinition(_Logs):
    """Ref is the id. Recorded."""

    compared = ()

    def create(self, request: ResourceRequest) -> Resource:
        return self._put(request, {})

    def update(self, request: ResourceRequest) -> Resource:
        return self._put(request, {"queryDefinitionId": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        self._call_if_there("DeleteQueryDefinition", request, queryDefinitionId=request.physical_id)

    def _put(self, request: ResourceRequest, more: Mapping[str, Any]) -> Resource:
        params = to_request("logs", "PutQueryDefinition", request.properties) | dict(more)
        made = str(self._logs.invoke("PutQueryDefinition", params, request.caller)["queryDefinitionId"])
        return Resource(made, {"QueryDefinitionId": made})


class LogRetention(_Logs):
    """The CDK's `Custom::LogRetention`: makes the log group where absent and sets its retention."""

    compared = ()

    def create(self, request: ResourceRequest) -> Resource:
        name, days = str(request.properties["LogGroupName"]), request.properties.get("RetentionInDays")
        try:
            self._call("CreateLogGroup", request, logGroupName=name)
        except ApiError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        if days is None:
            self._call("DeleteRetentionPolicy", request, logGroupName=name)
        else:
            self._call("PutRetentionPolicy", request, logGroupName=name, retentionInDays=int(days))
        return Resource(name, {"LogGroupName": name})

    def update(self, request: ResourceRequest) -> Resource:
        return self.create(request)

    def delete(self, request: ResourceRequest) -> None:
        if request.properties.get("RemovalPolicy") == "destroy":
            self._call_if_there("DeleteLogGroup", request, logGroupName=str(request.properties["LogGroupName"]))
