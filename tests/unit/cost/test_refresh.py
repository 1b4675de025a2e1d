"""Prices asked of AWS's Price List API, here of a local one that answers in its shape."""

from __future__ import annotations

import socket
from datetime import date
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.unit.cost.price_list import price_list, product
from trainworks.cost.money import Money
from trainworks.cost.price_files import parse_prices
from trainworks.cost.price_writing import price_file
from trainworks.cost.refresh import Refreshed, refresh
from trainworks.errors import RequestError, TrainworksError

TODAY = date(2026, 11, 22)
REGION = "eu-west-1"


def vpc(usage_type: str, unit: str, *tiers: tuple[str, str]) -> dict[str, Any]:
    return product("AmazonVPC", usage_type, unit, *tiers, regionCode=REGION)


def asked_for(*products: dict[str, Any]) -> Refreshed:
    with price_list(*products) as server:
        return refresh(server.client(), REGION, TODAY)


def test_figures_are_read_with_unit_source_and_date() -> None:
    refreshed = asked_for(vpc("EU-VpcEndpoint-Hours", "Hrs", ("0", "0.0110000000")))
    price = refreshed.table.find("vpc.interface_endpoint")
    assert price is not None
    assert price.figure == Money.exactly("0.011")
    assert str(price.source) == "AWS Price List API, retrieved 2026-11-22"


def test_all_pages_are_read_and_the_region_is_asked_for() -> None:
    products = [
        vpc("EU-VpcEndpoint-Hours", "Hrs", ("0", "0.011")),
        vpc("EU-VpcEndpoint-Bytes", "GB", ("0", "0.01")),
        vpc("EU-PublicIPv4:InUseAddress", "Hrs", ("0", "0.005")),
        product("AmazonVPC", "VpcEndpoint-Hours", "Hrs", ("0", "0.01"), regionCode="us-east-1"),
    ]
    with price_list(*products) as server:
        refreshed = refresh(server.client(), REGION, TODAY)
        vpc_calls = [request for request in server.asked if request["ServiceCode"] == "AmazonVPC"]
    assert len(vpc_calls) == 2
    assert {"Type": "TERM_MATCH", "Field": "regionCode", "Value": REGION} in vpc_calls[0]["Filters"]
    assert set(refreshed.table.prices) == {"vpc.interface_endpoint", "vpc.interface_endpoint.data", "vpc.public_ipv4"}


def test_a_price_for_one_request_becomes_that_of_our_unit() -> None:
    refreshed = asked_for(
        product("AWSQueueService", "EU-Requests-Tier1", "Requests", ("0", "0.0000004000"), regionCode=REGION)
    )
    price = refreshed.table.find("sqs.standard")
    assert price is not None
    assert price.figure == Money.exactly("0.4")


def test_free_tiers_are_no_list_price_and_the_first_that_costs_is() -> None:
    tiers = (("0", "0.0000000000"), ("25", "0.2830000000"), ("1000", "0.1000000000"))
    refreshed = asked_for(product("AmazonDynamoDB", "EU-TimedStorage-ByteHrs", "GB-Mo", *tiers, regionCode=REGION))
    price = refreshed.table.find("dynamodb.storage")
    assert price is not None
    assert price.figure.low == Decimal("0.283")


def test_instances_are_known_by_the_end_of_their_usage_type() -> None:
    refreshed = asked_for(
        product("AmazonSageMaker", "EU-Notebk:ml.t3.medium", "Hrs", ("0", "0.054"), regionCode=REGION),
        product("AmazonSageMaker", "EU-Train:ml.m5.large", "Hrs", ("0", "0.128"), regionCode=REGION),
        product("AmazonSageMaker", "EU-TrainingPlanUpfrontFee:ml.p4d.24xlarge", "Hrs", ("0", "13"), regionCode=REGION),
    )
    assert set(refreshed.table.prices) == {"sagemaker.notebook.ml.t3.medium", "sagemaker.training.ml.m5.large"}
    assert refreshed.unknown_usage_types == ("AmazonSageMaker EU-TrainingPlanUpfrontFee:ml.p4d.24xlarge",)


def test_databases_are_told_apart_by_engine_and_zones() -> None:
    def database(engine: str, usage_type: str, figure: str) -> dict[str, Any]:
        facts = {"databaseEngine": engine, "licenseModel": "No license required", "productFamily": "Database Instance"}
        return product("AmazonRDS", usage_type, "Hrs", ("0", figure), regionCode=REGION, **facts)

    refreshed = asked_for(
        database("MySQL", "EU-InstanceUsage:db.t3.large", "0.152"),
        database("MySQL", "EU-Multi-AZUsage:db.t3.large", "0.304"),
        database("PostgreSQL", "EU-InstanceUsage:db.t3.large", "0.158"),
        database("Aurora PostgreSQL", "EU-InstanceUsage:db.r6g.large", "0.287"),
    )
    assert {key: price.figure.low for key, price in refreshed.table.prices.items()} == {
        "rds.mysql.single_az.db.t3.large": Decimal("0.152"),
        "rds.mysql.multi_az.db.t3.large": Decimal("0.304"),
        "rds.postgres.single_az.db.t3.large": Decimal("0.158"),
        "rds.aurora-postgresql.db.r6g.large": Decimal("0.287"),
    }


def test_load_balancers_share_usage_types_and_differ_by_family() -> None:
    refreshed = asked_for(
        *(
            product("AWSELB", "EU-LoadBalancerUsage", "Hrs", ("0", figure), regionCode=REGION, productFamily=family)
            for family, figure in (("Load Balancer", "0.028"), ("Load Balancer-Network", "0.0252"))
        )
    )
    assert {price.key: price.figure.low for price in refreshed.table} == {
        "elb.classic": Decimal("0.028"),
        "elb.network": Decimal("0.0252"),
    }


def test_machines_of_clusters_and_of_studio_are_found_and_reserved_ones_are_not() -> None:
    refreshed = asked_for(
        *(
            product("AmazonSageMaker", f"EU-{usage}ml.g5.8xlarge", "Hrs", ("0", figure), regionCode=REGION)
            for usage, figure in (("Cluster:", "3.4"), ("Studio:JupyterLab-", "3.5"), ("ReservedCluster:", "1"))
        )
    )
    assert {price.key: price.figure.low for price in refreshed.table} == {
        "sagemaker.cluster.ml.g5.8xlarge": Decimal("3.4"),
        "sagemaker.jupyter_lab.ml.g5.8xlarge": Decimal("3.5"),
    }


def test_another_product_whose_name_ends_alike_is_not_taken() -> None:
    nat = {"productFamily": "NAT Gateway", "regionCode": REGION}
    refreshed = asked_for(
        product("AmazonEC2", "EU-NatGateway-Hours", "Hrs", ("0", "0.048"), **nat),
        product("AmazonEC2", "EU-RegionalNatGateway-Hours", "Hrs", ("0", "0.09"), **nat),
    )
    price = refreshed.table.find("vpc.nat_gateway")
    assert price is not None
    assert price.figure.low == Decimal("0.048")


def test_a_figure_in_another_unit_is_told_and_not_used() -> None:
    refreshed = asked_for(vpc("EU-VpcEndpoint-Hours", "Fortnights", ("0", "0.011")))
    assert refreshed.table.find("vpc.interface_endpoint") is None
    assert refreshed.refused[0].startswith("vpc.interface_endpoint: EU-VpcEndpoint-Hours is for one 'Fortnights'")


def test_two_figures_for_one_thing_are_told_and_not_used() -> None:
    refreshed = asked_for(
        vpc("EU-VpcEndpoint-Hours", "Hrs", ("0", "0.011")), vpc("EUX-VpcEndpoint-Hours", "Hrs", ("0", "0.02"))
    )
    assert refreshed.table.find("vpc.interface_endpoint") is None
    assert refreshed.refused == ("vpc.interface_endpoint: the Price List has 0.011 and 0.02",)


def test_what_the_list_does_not_have_is_missing_by_name() -> None:
    assert "kms.key" in asked_for().missing


def test_a_global_price_is_found_without_a_region() -> None:
    refreshed = asked_for(
        product(
            "AmazonCloudWatch", "DashboardsUsageHour", "Dashboards", ("3", "3.0000000000"), productFamily="Dashboard"
        )
    )
    price = refreshed.table.find("cloudwatch.dashboard")
    assert price is not None
    assert price.figure.low == 3


def test_what_was_refreshed_is_written_as_a_price_file() -> None:
    table = asked_for(vpc("EU-VpcEndpoint-Hours", "Hrs", ("0", "0.011"))).table
    assert dict(parse_prices(price_file(table), "refreshed.toml", REGION).prices) == dict(table.prices)


@pytest.mark.parametrize(
    ("status", "code", "kind", "message", "fix"),
    [
        (400, "AccessDeniedException", RequestError, "refused: no", "pricing:GetProducts"),
        (400, "UnrecognizedClientException", RequestError, "does not know these credentials", "renew"),
        (400, "InvalidParameterException", TrainworksError, "InvalidParameterException", "later"),
    ],
)
def test_a_refusal_is_named_with_its_fix(
    status: int, code: str, kind: type[TrainworksError], message: str, fix: str
) -> None:
    with price_list(error=(status, code)) as server, pytest.raises(kind, match=message) as raised:
        refresh(server.client(), REGION, TODAY)
    assert fix in raised.value.fix


def test_no_answer_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        client = boto3.client(
            "pricing",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{taken.getsockname()[1]}",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(TrainworksError, match="cannot be reached"):
            refresh(client, REGION, TODAY)


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.Session().client("pricing", region_name="us-east-1")
    with pytest.raises(RequestError, match="credentials") as raised:
        refresh(client, REGION, TODAY)
    assert "aws configure" in raised.value.fix


class _Garbled:
    """A client that answers with what is not a product."""

    def get_paginator(self, operation_name: str, /) -> _Garbled:
        assert operation_name == "get_products"
        return self

    def paginate(self, **_: object) -> list[dict[str, list[str]]]:
        return [{"PriceList": ["<html>"]}]


def test_an_answer_that_is_no_product_is_named() -> None:
    with pytest.raises(TrainworksError, match="is not a product: '<html>'"):
        refresh(_Garbled(), REGION, TODAY)
