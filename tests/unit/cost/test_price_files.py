"""Price files: what ships is complete and honest, and what is wrong in a file is named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cost.counted import REGION, SHIPPED, SOURCE
from trainworks.aws.instance_types import expand_instance_types
from trainworks.config.profile import PROFILES
from trainworks.cost.keys import UNITS, unit_of
from trainworks.cost.money import Money
from trainworks.cost.price_files import (
    load_prices,
    parse_prices,
    read_price_file,
    refreshed_file,
    shipped_prices,
    user_file,
)
from trainworks.cost.price_writing import price_file
from trainworks.cost.prices import Price, PriceTable
from trainworks.errors import ConfigurationError

GOOD = """\
region = "us-east-1"
currency = "USD"

[sources.page]
title = "A page"
published = 2026-10-03

[[prices]]
prefix = "vpc."
unit = "hour"
source = "page"
[prices.figures]
nat_gateway = "0.045"
public_ipv4 = "0.005"

[[prices]]
unit = "hour"
source = "page"
[prices.figures]
"ec2.spot.m5.large" = { low = "0.03", high = "0.05" }

[[disagreements]]
key = "vpc.nat_gateway"
figure = "0.048"
source = "page"
why = "older"
"""


def test_a_file_is_read_with_the_source_of_each_figure() -> None:
    table = parse_prices(GOOD, "prices.toml", REGION)
    nat = table.find("vpc.nat_gateway")
    assert nat is not None
    assert (nat.figure, nat.unit.value) == (Money.exactly("0.045"), "hour")
    assert str(nat.source) == "A page, published 2026-10-03"
    assert [each.figure for each in nat.disagreements] == [Decimal("0.048")]
    assert table.range_of(("ec2.spot.m5.large",)) == Money(Decimal("0.03"), Decimal("0.05"))
    assert table.find("kms.key") is None


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ('unit = "hour"', 'unit = "GB"', "has the unit 'GB'; its unit is 'hour'", "convert"),
        ('unit = "hour"', 'unit = "hours"', "is 'hours'; allowed: hour,", "did you mean 'hour'?"),
        ('"0.045"', "0.045", "nat_gateway: is 0.045; allowed: a decimal number as text", '"0.045"'),
        ('"0.045"', '"-1"', "is '-1'; allowed: a decimal number", ""),
        ('"0.045"', '"NaN"', "is 'NaN'", ""),
        ('"0.045"', '"cheap"', "is 'cheap'", ""),
        ("nat_gateway", "nat_gatway", "vpc.nat_gatway: is not something that has a price here", "vpc.nat_gateway"),
        ('currency = "USD"', 'currency = "EUR"', "currency: is 'EUR'; allowed here: 'USD'", ""),
        ('region = "us-east-1"', 'region = "eu-west-1"', "region: is 'eu-west-1'; allowed here: 'us-east-1'", ""),
        ("2026-10-03", '"last week"', "published: is 'last week'; allowed: a date", "2026-10-03"),
        ("published = 2026-10-03\n", "", "has 0 of the two dates", "published or retrieved"),
        ('title = "A page"', 'title = ""', "sources.page.title: is missing", ""),
        ('source = "page"\n[prices', 'source = "book"\n[prices', "is 'book'; defined: page", "[sources]"),
        ('public_ipv4 = "0.005"', '"nat_gateway.data" = "1"', "has the unit 'hour'; its unit is 'GB'", ""),
        ('low = "0.03"', 'low = "0.09"', "goes from 0.09 down to 0.05", "exchange"),
        (', high = "0.05"', "", "a range has low and high", ""),
        ('key = "vpc.nat_gateway"', 'key = "kms.key"', "which has no figure here", ""),
        ('prefix = "vpc."', "prefix = 7", "prefix: is 7; allowed: text", ""),
        ("[sources.page]", "[source.page]", "source: unknown key; allowed: region", ""),
        ('currency = "USD"', "currency = ", "not valid TOML", ""),
    ],
)
def test_what_is_wrong_in_a_file_is_named(old: str, new: str, message: str, fix: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as raised:
        parse_prices(GOOD.replace(old, new, 1), "prices.toml", REGION)
    assert raised.value.message.startswith("prices.toml")
    assert message in raised.value.message
    assert fix in raised.value.fix
    assert raised.value.fix


def test_the_line_of_a_wrong_figure_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"^prices\.toml:13: vpc\.nat_gateway: is 0\.045"):
        parse_prices(GOOD.replace('"0.045"', "0.045"), "prices.toml", REGION)


def test_two_figures_for_one_key_are_refused() -> None:
    twice = GOOD.replace('"ec2.spot.m5.large"', '"vpc.public_ipv4"')
    with pytest.raises(ConfigurationError, match=r"vpc\.public_ipv4: has two figures"):
        parse_prices(twice, "prices.toml", REGION)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
        read_price_file(tmp_path / "nowhere.toml", REGION)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary\.toml: is not UTF-8"):
        read_price_file(tmp_path / "binary.toml", REGION)


def test_the_users_files_go_before_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert _nat(load_prices(REGION)) == "0.045"
    for path, figure in ((refreshed_file(REGION), "0.05"), (user_file(REGION), "0.06")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD.replace('"0.045"', f'"{figure}"'))
        assert _nat(load_prices(REGION)) == figure
    named = tmp_path / "mine.toml"
    named.write_text(GOOD.replace('"0.045"', '"0.07"'))
    assert _nat(load_prices(REGION, named)) == "0.07"
    assert load_prices(REGION, named).find("kms.key") == shipped_prices(REGION).find("kms.key")


def _nat(table: PriceTable) -> str:
    price = table.find("vpc.nat_gateway")
    assert price is not None
    return str(price.figure.low)


def test_a_region_without_a_file_has_what_costs_the_same_in_all_commercial_regions() -> None:
    assert shipped_prices("sa-east-1").prices == shipped_prices("ap-south-2").prices
    assert shipped_prices("sa-east-1").find("cloudwatch.dashboard")
    assert not shipped_prices("sa-east-1").find("vpc.nat_gateway")
    assert not shipped_prices("cn-north-1").prices
    assert shipped_prices("cn-north-1").oldest_and_newest is None


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1"])
def test_what_ships_has_a_title_and_a_date_for_each_figure(region: str) -> None:
    for price in shipped_prices(region):
        assert price.source.title
        assert price.source.day.year >= 2026
        assert all(other.why for other in price.disagreements)


WITHOUT_SOURCE = {
    *("elb.gateway", "elb.gateway.capacity", "opensearch.gp3", "sagemaker.studio_volume"),
    *("fsx.windows.single_az.hdd", "fsx.windows.single_az.ssd", "fsx.windows.single_az.throughput"),
    *("fargate.spot_memory", "fargate.spot_vcpu"),
}
"""What no public source was found for: unknown until AWS is asked."""


def test_what_ships_has_all_that_the_profiles_can_use_in_us_east_1() -> None:
    keys = {key for key in UNITS if not key.endswith(".")}
    assert keys - set(SHIPPED.prices) == WITHOUT_SOURCE
    types = [name for profile in PROFILES.values() if profile.batch for name in profile.batch.instance_types]
    for name in expand_instance_types(types):
        assert SHIPPED.find(f"ec2.on_demand.{name}"), name
        assert SHIPPED.find(f"ec2.spot.{name}"), name
    assert SHIPPED.find("sagemaker.training.ml.m5.large")


def test_spot_is_below_on_demand() -> None:
    for price in SHIPPED:
        if price.key.startswith("ec2.spot."):
            on_demand = SHIPPED.find(price.key.replace("spot", "on_demand"))
            assert on_demand is not None
            assert price.figure.high < on_demand.figure.low


def test_a_key_that_is_only_a_prefix_has_no_unit() -> None:
    assert unit_of("ec2.on_demand.") is None
    assert unit_of("ec2.on_demand.m5.large") is not None


FIGURES = st.decimals("0", "1000", allow_nan=False, allow_infinity=False, places=10)
KEYS = st.sampled_from(
    [*(key for key in UNITS if not key.endswith(".")), "ec2.spot.m5.large", "sagemaker.hosting.ml.x"]
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.tuples(FIGURES, FIGURES), min_size=1))
def test_what_is_written_is_read_back(figures: dict[str, tuple[Decimal, Decimal]]) -> None:
    prices = {}
    for key, (one, other) in figures.items():
        unit = unit_of(key)
        assert unit is not None
        prices[key] = Price(key, Money(min(one, other), max(one, other)), unit, SOURCE)
    table = PriceTable(REGION, prices)
    read = parse_prices(price_file(table), "written.toml", REGION)
    assert dict(read.prices) == prices
