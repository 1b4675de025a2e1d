"""Prices from AWS itself: `pricing:GetProducts`, read into a price file of the user's.

    QUERIES --> GetProducts, page by page --> the first tier that costs --> unit checked, converted --> TOML

What the Price List does not have keeps the figure that it had; what it has in another unit, or twice with different
figures, is told and not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from trainworks.aws.instance_types import UnknownInstanceTypeError, instance_type
from trainworks.cost.keys import unit_of
from trainworks.cost.money import Money
from trainworks.cost.price_list import QUERIES, TYPED_UNITS, Query, WantedPrice
from trainworks.cost.prices import Price, PriceSource, PriceTable
from trainworks.errors import RequestError, TrainworksError

TITLE = "AWS Price List API"
API_REGION = "us-east-1"
"""The Price List API answers here for all regions."""
_STORE_TYPE = re.compile(r"^(db|cache)\.[a-z0-9-]+\.[a-z0-9]+$")
_CREDENTIALS = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException"})


class PricingClient(Protocol):
    """A boto3 client of the service `pricing`."""

    def get_paginator(self, operation_name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of asking: prices, keys that have none there, answers that were not used, usage types nobody knows."""

    table: PriceTable
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    unknown_usage_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Figure:
    usage_type: str
    unit: str
    figure: Decimal


def refresh(client: PricingClient, region: str, today: date) -> Refreshed:
    """Ask for all prices of `region`. Raises `TrainworksError` if AWS cannot be asked, and says why."""
    found: dict[str, set[Decimal]] = {}
    refused: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for query in QUERIES:
        for figure in _figures(client, query, region):
            wanted = _wanted(query, figure.usage_type)
            if wanted is None:
                unknown[f"{query.service_code} {figure.usage_type}"] = None
            elif figure.unit not in wanted.units:
                expected = " or ".join(sorted(wanted.units))
                refused[f"{wanted.key}: {figure.usage_type} is for one {figure.unit!r}; expected {expected}"] = None
            else:
                found.setdefault(wanted.key, set()).add(figure.figure * wanted.times)
    for key, figures in found.items():
        if len(figures) > 1:
            refused[f"{key}: the Price List has {' and '.join(f'{each:f}' for each in sorted(figures))}"] = None
    prices = dict(_prices(found, PriceSource(TITLE, today, False)))
    asked = [wanted.key for query in QUERIES for wanted in query.exact.values()]
    missing = tuple(key for key in asked if key not in prices)
    return Refreshed(PriceTable(region, prices), missing, tuple(refused), tuple(unknown))


def _prices(found: Mapping[str, set[Decimal]], source: PriceSource) -> Iterator[tuple[str, Price]]:
    """A price for each key that has exactly one figure."""
    for key, figures in found.items():
        unit = unit_of(key)
        if unit is not None and len(figures) == 1:
            (figure,) = figures
            yield key, Price(key, Money.exactly(figure.normalize()), unit, source)


def _wanted(query: Query, usage_type: str) -> WantedPrice | None:
    for end, wanted in query.exact.items():
        if usage_type == end or usage_type.endswith(f"-{end}"):
            return wanted
    for start, prefix in query.typed.items():
        before, found, name = usage_type.partition(start)
        if found and (not before or before.endswith("-")) and _is_known_type(name):
            return WantedPrice(prefix + name, TYPED_UNITS)
    return None


def _is_known_type(name: str) -> bool:
    """A type of EC2 or SageMaker that the catalogue has, or one of a database or cache, which it does not list."""
    if _STORE_TYPE.match(name):
        return True
    try:
        instance_type(name)
    except UnknownInstanceTypeError:
        return False
    return True


def _figures(client: PricingClient, query: Query, region: str) -> Iterator[_Figure]:
    filters = dict(query.filters) | ({} if query.is_global else {"regionCode": region})
    for text in _products(client, query.service_code, filters):
        product = _parsed(text)
        usage_type = str(product["product"]["attributes"].get("usagetype", ""))
        found = _first_tier_that_costs(product.get("terms", {}).get("OnDemand", {}))
        if found is not None:
            yield _Figure(usage_type, *found)


def _products(client: PricingClient, service_code: str, filters: Mapping[str, str]) -> Iterator[str]:
    terms: Any = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()]
    try:
        pages = client.get_paginator("get_products").paginate(
            ServiceCode=service_code, Filters=terms, FormatVersion="aws_v1"
        )
        for page in pages:
            yield from page["PriceList"]
    except (ClientError, BotoCoreError) as error:
        raise _explained(error) from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        product = json.loads(text)
        _ = product["product"]["attributes"]
    except (ValueError, KeyError, TypeError) as error:
        raise TrainworksError(
            f"the Price List API answered with something that is not a product: {text[:80]!r}", fix="try again later"
        ) from error
    return dict(product)


def _first_tier_that_costs(terms: Mapping[str, Any]) -> tuple[str, Decimal] | None:
    """(unit, US dollars) of the lowest tier with a price: free tiers are not part of a list price."""
    tiers = []
    for term in terms.values():
        for dimension in term.get("priceDimensions", {}).values():
            figure = _decimal(dimension.get("pricePerUnit", {}).get("USD"))
            if figure:
                tiers.append((_decimal(dimension.get("beginRange")) or Decimal(0), dimension.get("unit", ""), figure))
    if not tiers:
        return None
    _, unit, figure = min(tiers)
    return str(unit), figure


def _decimal(value: object) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _explained(error: ClientError | BotoCoreError) -> TrainworksError:
    if isinstance(error, NoCredentialsError):
        return RequestError(
            "the Price List API wants credentials of an AWS account, and there are none",
            fix="aws configure, or --aws-profile NAME",
        )
    if isinstance(error, EndpointConnectionError):
        return TrainworksError(f"the Price List API cannot be reached: {error}", fix="check the network")
    if not isinstance(error, ClientError):
        return TrainworksError(f"the Price List API could not be asked: {error}", fix="try again")
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    if code == "AccessDeniedException":
        return RequestError(
            f"the Price List API refused: {message}", fix="let the user call pricing:GetProducts (it has no resources)"
        )
    if code in _CREDENTIALS:
        return RequestError(f"the Price List API does not know these credentials: {message}", fix="renew them")
    return TrainworksError(f"the Price List API failed: {code}: {message}", fix="try again later")
