"""Regions in which CloudFormation lacks the types of budgets and cost anomaly monitors.

Source: the resource schemas by region that cfn-lint 1.58.0 carries, which come from each region's CloudFormation
registry. Regions without schemas of their own (isolated ones) are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping

_WITHOUT_EITHER = frozenset(
    {
        "ap-east-2",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)

REGIONS_WITHOUT: Mapping[str, frozenset[str]] = {
    "AWS::Budgets::Budget": _WITHOUT_EITHER
    | {
        "af-south-1",
        "ap-east-1",
        "ap-northeast-3",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ca-west-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
    },
    "AWS::CE::AnomalyMonitor": _WITHOUT_EITHER,
    "AWS::CE::AnomalySubscription": _WITHOUT_EITHER,
}
"""Regions by the resource type that they lack."""


def missing_types(region: str) -> tuple[str, ...]:
    """The types that a platform's cost settings need and the region lacks."""
    return tuple(type_ for type_, regions in REGIONS_WITHOUT.items() if region in regions)
