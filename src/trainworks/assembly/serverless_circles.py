"""Circles that the transform of a serverless template makes: a bucket that notifies a function which mentions it.

The transform writes the notification into the bucket, so that the bucket needs the function; a function that names the
bucket in its environment or policies needs the bucket. CloudFormation refuses that as any other circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.cycles import mentioned

_FUNCTION = "AWS::Serverless::Function"
_APART = frozenset(
    {
        "AutoPublishAlias",
        "DeploymentPreference",
        "EventInvokeConfig",
        "Events",
        "FunctionUrlConfig",
        "ProvisionedConcurrencyConfig",
    }
)
"""What becomes resources of their own, which nothing needs."""


def serverless_circles(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(bucket, function) of each circle, as logical ids."""
    for logical_id, body in resources.items():
        properties = body.get("Properties") if isinstance(body, Mapping) and body.get("Type") == _FUNCTION else None
        if isinstance(properties, Mapping):
            needs = set(_needs(body, properties))
            for bucket in dict.fromkeys(_notifying(properties.get("Events"))):
                if bucket in needs and bucket in resources:
                    yield bucket, logical_id


def _needs(body: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[str]:
    # A function with a role of its own takes no policies.
    left_out = _APART | {"Policies"} if "Role" in properties else _APART
    yield from mentioned({name: value for name, value in properties.items() if name not in left_out})
    depends_on = body.get("DependsOn", [])
    yield from (
        each for each in (depends_on if isinstance(depends_on, list) else [depends_on]) if isinstance(each, str)
    )


def _notifying(events: Any) -> Iterator[str]:
    for event in events.values() if isinstance(events, Mapping) else ():
        properties = event.get("Properties") if isinstance(event, Mapping) and event.get("Type") == "S3" else None
        bucket = properties.get("Bucket") if isinstance(properties, Mapping) else None
        if isinstance(bucket, Mapping) and isinstance(bucket.get("Ref"), str):
            yield bucket["Ref"]
