"""`Globals` of a serverless template: what its resources have without saying it.

Source: AWS SAM Developer Guide, "Globals section": a resource's own value overrides the global one, maps are merged,
lists are joined with the global items first; `IgnoreGlobals` names what a resource does not take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "AWS::Serverless::"


def with_globals(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """The template in which each serverless resource has what it takes from `Globals`."""
    shared, resources = template.get("Globals"), template.get("Resources")
    if not isinstance(shared, Mapping) or not isinstance(resources, Mapping):
        return template
    return {**template, "Resources": {name: _with(body, shared) for name, body in resources.items()}}


def _with(body: Any, shared: Mapping[str, Any]) -> Any:
    kind = body.get("Type") if isinstance(body, Mapping) else None
    if not isinstance(kind, str) or not kind.startswith(_PREFIX):
        return body
    given, own = shared.get(kind.removeprefix(_PREFIX)), body.get("Properties", {})
    if not isinstance(given, Mapping) or not isinstance(own, Mapping) or _is_intrinsic(own):
        return body
    ignored = body.get("IgnoreGlobals", [])
    if ignored == "*":
        return body
    names = ignored if isinstance(ignored, list) else []
    return {**body, "Properties": _merged({name: each for name, each in given.items() if name not in names}, own)}


def _merged(given: Any, own: Any) -> Any:
    if isinstance(given, Mapping) and isinstance(own, Mapping) and not _is_intrinsic(given) and not _is_intrinsic(own):
        rest = {name: value for name, value in own.items() if name not in given}
        return {name: _merged(value, own[name]) if name in own else value for name, value in given.items()} | rest
    if isinstance(given, list) and isinstance(own, list):
        return [*given, *own]
    return own


def _is_intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and (next(iter(value)) in ("Ref", "Condition") or str(next(iter(value))).startswith("Fn::"))
