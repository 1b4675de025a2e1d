"""The tagging API's filter by resource type, for the types whose ARNs do not name them: `s3:bucket` and so on."""

from __future__ import annotations

from typing import Any

from trainworks.aws.arn import parts_of_arn

_NAMED_BY_SERVICE = {"s3": "s3:bucket", "sqs": "sqs:queue", "sns": "sns:topic"}


def install(tagging: Any) -> None:
    """ministack's tagging API was loaded: stock takes the name in such an ARN for the type."""
    stock = tagging._matches_type_filters

    def matches_type_filters(arn: str, type_filters: list[str]) -> bool:
        named = _NAMED_BY_SERVICE.get(parts_of_arn(arn).service)
        return named in type_filters or bool(stock(arn, type_filters))

    tagging._matches_type_filters = matches_type_filters
