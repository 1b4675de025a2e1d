"""Weighted aliases: a share of the invocations of an alias goes to its second version.

Stock stores the weights and ignores them, and lets an alias name versions that do not exist. After "Implement
Lambda canary deployments using a weighted alias" and `CreateAlias` in the API reference of Lambda.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.emulator import engine

_LATEST = "$LATEST"


def install(lambda_svc: Any) -> None:
    """Lambda was loaded: aliases are checked when they are made and changed."""
    stock_create, stock_update = lambda_svc._create_alias, lambda_svc._update_alias

    def answered(name: str, data: Mapping[str, Any], before: Mapping[str, Any]) -> Any:
        refused = _refused(lambda_svc, name, data, before)
        return None if refused is None else lambda_svc.error_response_json(*refused)

    def create_alias(name: str, data: dict[str, Any]) -> Any:
        return answered(name, data, {}) or stock_create(name, data)

    def update_alias(name: str, alias: str, data: dict[str, Any]) -> Any:
        before = (lambda_svc._functions.get(name) or {}).get("aliases", {}).get(alias)
        return (answered(name, data, before) if before else None) or stock_update(name, alias, data)

    lambda_svc._create_alias, lambda_svc._update_alias = create_alias, update_alias


def install_types(provisioners: Any) -> None:
    """CloudFormation was loaded: a stack makes an alias as `CreateAlias` does. Its updates go through `UpdateAlias`."""
    stock = provisioners._lambda_alias_create

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        lambda_svc = engine.service("lambda_svc")
        function, name, *_ = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))
        if function is None:
            raise ValueError(f"Function not found: {lambda_svc._func_arn(name)}")
        data = {
            "FunctionVersion": properties.get("FunctionVersion"),
            "RoutingConfig": provisioners._lambda_alias_routing_config(properties),
        }
        refused = _refused(lambda_svc, name, data, {})
        if refused is not None:
            raise ValueError(f"{refused[1]} ({refused[0]})")
        return stock(logical_id, properties, stack_name)

    # A replacement calls it by its name.
    provisioners._lambda_alias_create = create
    table = provisioners._RESOURCE_HANDLERS
    table["AWS::Lambda::Alias"] = {**table["AWS::Lambda::Alias"], "create": create}


def _refused(
    lambda_svc: Any, name: str, data: Mapping[str, Any], before: Mapping[str, Any]
) -> tuple[str, str, int] | None:
    """The code, message and status that refuse an alias, or None. `before` is the alias that `data` changes."""
    function = lambda_svc._functions.get(name)
    if function is None:
        return None
    version = str(data.get("FunctionVersion") or before.get("FunctionVersion") or _LATEST)
    routing = data["RoutingConfig"] if "RoutingConfig" in data else before.get("RoutingConfig")
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    for each in (version, *weights):
        if each not in (_LATEST, *function["versions"]):
            return "ResourceNotFoundException", f"Function not found: {lambda_svc._func_arn(name)}:{each}", 404
    problem = _problem(version, weights)
    return ("InvalidParameterValueException", problem, 400) if problem else None


def _problem(version: str, weights: Mapping[str, float]) -> str:
    if not weights:
        return ""
    if len(weights) > 1:
        return "Number of items in AdditionalVersionWeights cannot be greater than 1"
    if _LATEST in (version, *weights):
        return "$LATEST is not supported for an alias pointing to more than 1 version"
    if version in weights:
        return "Invalid function version in AdditionalVersionWeights. Function version is used as the primary version"
    return ""


def drawn(function: Mapping[str, Any] | None, qualifier: str, draw: float) -> Mapping[str, Any] | None:
    """The record of the alias's second version if `draw`, from 0 up to 1, is below its weight, else None."""
    alias = (function or {}).get("aliases", {}).get(qualifier)
    if function is None or alias is None:
        return None
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    for version, weight in weights.items():
        if draw < weight:
            found: Mapping[str, Any] | None = function["versions"].get(version)
            return found
        draw -= weight
    return None
