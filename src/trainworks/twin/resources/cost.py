"""`AWS::Budgets::Budget`, `AWS::CE::AnomalyMonitor` and `AWS::CE::AnomalySubscription`, recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from trainworks.twin.ports import ApiError
from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.properties import changed, to_request
from trainworks.twin.wire import Endpoint


class BudgetsApi(Protocol):
    """The Budgets API in process: operation and parameters in, the answer out. Raises `ApiError`."""

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]: ...


class Budget:
    """Ref is the name."""

    compared = ()

    def __init__(self, budgets: BudgetsApi) -> None:
        self._budgets = budgets

    def create(self, request: ResourceRequest) -> Resource:
        return self._create(request, None)

    def update(self, request: ResourceRequest) -> Resource:
        """The same budget with what is declared now; another name is another budget."""
        name = request.properties["Budget"].get("BudgetName", request.physical_id)
        if name == request.physical_id:
            self.delete(request)
        return self._create(request, name)

    def delete(self, request: ResourceRequest) -> None:
        try:
            self._budgets("DeleteBudget", {"AccountId": request.caller.account_id, "BudgetName": request.physical_id})
        except ApiError as error:
            if error.code != "NotFoundException":
                raise

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        params = {"AccountId": request.caller.account_id, "BudgetName": request.physical_id}
        try:
            found: Mapping[str, Any] = self._budgets("DescribeBudget", params)["Budget"]
        except ApiError as error:
            if error.code == "NotFoundException":
                return None
            raise
        return found

    def _create(self, request: ResourceRequest, name: str | None) -> Resource:
        params = to_request("budgets", "CreateBudget", request.properties)
        params["AccountId"] = request.caller.account_id
        params["Budget"].setdefault("BudgetName", name or physical_name(request, 100))
        self._budgets("CreateBudget", params)
        return Resource(str(params["Budget"]["BudgetName"]))


class AnomalyMonitor:
    """Ref and `MonitorArn` are the ARN."""

    compared = ("MonitorName", "MonitorType", "MonitorDimension")

    def __init__(self, cost_explorer: Endpoint) -> None:
        self._cost_explorer = cost_explorer

    def create(self, request: ResourceRequest) -> Resource:
        properties = _parsed(request.properties, "MonitorSpecification")
        tags = {"ResourceTags": properties.pop("ResourceTags")} if "ResourceTags" in properties else {}
        params = to_request("ce", "CreateAnomalyMonitor", {"AnomalyMonitor": properties, **tags})
        arn = str(self._cost_explorer.invoke("CreateAnomalyMonitor", params, request.caller)["MonitorArn"])
        return Resource(arn, {"MonitorArn": arn})

    def update(self, request: ResourceRequest) -> Resource:
        if changed(request.previous_properties, request.properties) - {"MonitorName"}:
            return self.create(request)
        params = {"MonitorArn": request.physical_id, "MonitorName": request.properties["MonitorName"]}
        self._cost_explorer.invoke("UpdateAnomalyMonitor", params, request.caller)
        return Resource(request.physical_id, {"MonitorArn": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        _delete(self._cost_explorer, "DeleteAnomalyMonitor", {"MonitorArn": request.physical_id}, request)

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        params = {"MonitorArnList": [request.physical_id]}
        return _read(self._cost_explorer, "GetAnomalyMonitors", params, request, "AnomalyMonitors")


class AnomalySubscription:
    """Ref and `SubscriptionArn` are the ARN."""

    compared = ("SubscriptionName", "Frequency")

    def __init__(self, cost_explorer: Endpoint) -> None:
        self._cost_explorer = cost_explorer

    def create(self, request: ResourceRequest) -> Resource:
        properties = _parsed(request.properties, "ThresholdExpression")
        tags = {"ResourceTags": properties.pop("ResourceTags")} if "ResourceTags" in properties else {}
        params = to_request("ce", "CreateAnomalySubscription", {"AnomalySubscription": properties, **tags})
        arn = str(self._cost_explorer.invoke("CreateAnomalySubscription", params, request.caller)["SubscriptionArn"])
        return Resource(arn, {"SubscriptionArn": arn})

    def update(self, request: ResourceRequest) -> Resource:
        if "ResourceTags" in changed(request.previous_properties, request.properties):
            return self.create(request)
        properties = _parsed(request.properties, "ThresholdExpression")
        params = to_request("ce", "UpdateAnomalySubscription", properties, without=("ResourceTags",))
        params["SubscriptionArn"] = request.physical_id
        self._cost_explorer.invoke("UpdateAnomalySubscription", params, request.caller)
        return Resource(request.physical_id, {"SubscriptionArn": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        _delete(self._cost_explorer, "DeleteAnomalySubscription", {"SubscriptionArn": request.physical_id}, request)

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        params = {"SubscriptionArnList": [request.physical_id]}
        return _read(self._cost_explorer, "GetAnomalySubscriptions", params, request, "AnomalySubscriptions")


def _parsed(properties: Mapping[str, Any], member: str) -> dict[str, Any]:
    """The properties with an expression, which templates have as text, as what the API takes."""
    copy = dict(properties)
    if isinstance(copy.get(member), str):
        try:
            copy[member] = json.loads(copy[member])
        except ValueError as error:
            raise ResourceError(f"Property {member} is not JSON: {error}") from error
    return copy


def _read(
    endpoint: Endpoint, operation: str, params: dict[str, Any], request: ResourceRequest, member: str
) -> Mapping[str, Any] | None:
    try:
        answer: Mapping[str, Any] = endpoint.invoke(operation, params, request.caller)
    except ApiError as error:
        if error.code.startswith("Unknown"):
            return None
        raise
    found: Mapping[str, Any] = answer[member][0]
    return found


def _delete(endpoint: Endpoint, operation: str, params: dict[str, Any], request: ResourceRequest) -> None:
    try:
        endpoint.invoke(operation, params, request.caller)
    except ApiError as error:
        if not error.code.startswith("Unknown"):
            raise
