"""What a resource goes on costing when the stack that made it is gone and its removal policy kept it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainworks.cost.money import HOURS_PER_MONTH, dollars, unit_price

if TYPE_CHECKING:
    from trainworks.cost.prices import PriceTable

_BY_SIZE = {
    "AWS::DynamoDB::Table": "dynamodb.storage",
    "AWS::ECR::Repository": "ecr.storage",
    "AWS::Logs::LogGroup": "logs.storage",
    "AWS::S3::Bucket": "s3.standard",
}
_BY_THE_HOUR = {
    "AWS::EC2::EIP": "vpc.public_ipv4",
    "AWS::EC2::NatGateway": "vpc.nat_gateway",
}
_NO_PRICE = "its price is unknown"


def cost_while_retained(resource_type: str, prices: PriceTable) -> str:
    """One phrase, with the list price of the table's region; empty for what costs nothing by itself."""
    if key := _BY_SIZE.get(resource_type):
        price = prices.find(key)
        rate = _NO_PRICE if price is None else f"{unit_price(price.figure.low)} per GB and month"
        return f"what is stored: {rate}"
    if key := _BY_THE_HOUR.get(resource_type):
        price = prices.find(key)
        return _NO_PRICE if price is None else f"{dollars(price.figure.low * HOURS_PER_MONTH)} a month"
    if resource_type == "AWS::EC2::VPCEndpoint":
        price = prices.find("vpc.interface_endpoint")
        rate = _NO_PRICE if price is None else f"{dollars(price.figure.low * HOURS_PER_MONTH)} a month and zone"
        return f"an interface endpoint: {rate}"
    if resource_type == "AWS::KMS::Key":
        price = prices.find("kms.key")
        rate = _NO_PRICE if price is None else f"{dollars(price.figure.low)} a month"
        return f"{rate}; without it, what it encrypts is lost"
    return ""
