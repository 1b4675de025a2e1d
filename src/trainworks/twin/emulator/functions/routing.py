"""Weighted aliases: a share of the invocations of an alias goes to its second version.

Stock stores the weights and ignores them, and lets an alias name versions that do not exist. After "Implement
Lambda canary deployments using a weighted alias" and `CreateAlias` in the API reference of Lambda.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LATEST = "$LATEST"


def install(lambda_svc: Any) -> None:
    """Lambda was loaded: aliases are checked when they are made and changed."""
    stock_create, stock_update = lambda_svc._create_alias, lambda_svc._update_alias

    def refused(name: str, data: Mapping[str, Any], before: Mapping[str, Any]) -> Any:
        function = lambda_svc._functions.get(name)
        if function is None:
            return None
        version = str(data.get("FunctionVersion") or before.get("FunctionVersion") or _LATEST)
        routing = data["RoutingConfig"] if "RoutingConfig" in data else before.get("RoutingConfig")
        weights = (routing or {}).get("AdditionalVersionWeights") or {}
        for each in (version, *weights):
            if each not in (_LATEST, *function["versions"]):
                message = f"Function not found: {lambda_svc._func_arn(name)}:{each}"
                return lambda_svc.error_response_json("ResourceNotFoundException", message, 404)
        problem = _problem(version, weights)
        return lambda_svc.error_response_json("InvalidParameterValueException", problem, 400) if problem else None

    def create_alias(name: str, data: dict[str, Any]) -> Any:
        return refused(name, data, {}) or stock_create(name, data)

    def update_alias(name: str, alias: str, data: dict[str, Any]) -> Any:
        before = (lambda_svc._functions.get(name) or {}).get("aliases", {}).get(alias)
        return (refused(name, data, before) if before else None) or stock_update(name, alias, data)

    lambda_svc._create_alias, lambda_svc._update_alias = create_alias, update_alias


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
