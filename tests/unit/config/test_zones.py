"""How many zones or which, in words of the region."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainworks.config.environment import FILE_NAME, load_environment
from trainworks.config.profile import PROFILES, Egress, NetworkProfile, ProfileName
from trainworks.config.zones import checked_zones, zone_letters
from trainworks.errors import ConfigurationError


@pytest.mark.parametrize(
    ("region", "count", "letters"),
    [
        ("eu-west-1", 2, "ab"),
        ("eu-west-1", 3, "abc"),
        ("ca-central-1", 2, "ab"),
        ("ca-central-1", 3, "abd"),
        ("ap-northeast-1", 2, "ac"),
        ("ap-northeast-1", 3, "acd"),
        ("us-west-1", 2, "ab"),
        ("us-east-1", 6, "abcdef"),
        ("ap-northeast-2", 4, "abcd"),
    ],
)
def test_the_first_zones_are_those_that_the_region_has(region: str, count: int, letters: str) -> None:
    assert zone_letters(count, region) == tuple(letters)


@pytest.mark.parametrize(
    ("region", "zones", "message"),
    [
        ("ca-central-1", ("a", "c"), "network.availability_zones a, c: ca-central-1 has no zone c; allowed: a, b, d"),
        ("us-east-1", ("a", "z"), "us-east-1 has no zone z; allowed: a, b, c, d, e, f"),
        ("us-west-1", 3, "network.availability_zones 3: us-west-1 .* 2 zones, not 3; allowed: 2 at most\n"),
        ("us-west-1", ("a", "b", "c"), "a, b, c: us-west-1 .* 2 zones, not 3; allowed: 2 at most\n"),
        ("ap-northeast-1", 4, "ap-northeast-1 .* 3 zones, not 4; allowed: 3 at most\n"),
        ("eu-west-1", 4, "eu-west-1 .* 3 zones, not 4; allowed: 3 at most, or letters that you know of\n"),
    ],
)
def test_what_a_region_does_not_have_is_refused(region: str, zones: int | tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        zone_letters(zones, region)


def test_letters_of_some_accounts_and_of_regions_nobody_listed_can_be_named() -> None:
    assert zone_letters(("b", "c"), "ap-northeast-1") == ("b", "c")
    assert zone_letters(("c", "a"), "us-west-1") == ("c", "a")
    assert zone_letters(("a", "q"), "xx-new-1") == ("a", "q")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["eu-central-1a", "eu-central-1b"], "holds 'eu-central-1a'; allowed: letters only, such as a"),
        (["eu-central-1a"], "holds 'eu-central-1a'; allowed: letters only, such as a"),
        (["A", "B"], "holds 'A'; allowed: letters only"),
        (["a", 1], "holds 1; allowed: letters only"),
        (["a"], r"is \['a'\]; allowed: at least 2 values"),
        (["a", "b", "a"], "a, b, a names a zone twice; allowed: each letter once"),
        (1, "is 1; allowed: 2 to 6 zones"),
        (7, "is 7; allowed: 2 to 6 zones"),
        (True, "is True; allowed: how many zones, or a list of their letters"),
        ("ab", "is 'ab'; allowed: how many zones, or a list of their letters"),
    ],
)
def test_what_names_no_zones_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_zones(value)


def test_a_record_that_is_made_in_python_is_checked_too() -> None:
    with pytest.raises(ValueError, match=r"network.availability_zones holds 'eu-west-1a'; allowed: letters only"):
        NetworkProfile(egress=Egress.NAT_GATEWAY, availability_zones=("eu-west-1a", "eu-west-1b"))


def test_every_shipped_profile_has_zones_where_the_letters_differ() -> None:
    for profile in PROFILES.values():
        for region in ("ca-central-1", "ap-northeast-1", "eu-central-1", "us-east-1"):
            assert len(profile.network.zone_letters(region)) == profile.network.availability_zones


def test_letters_far_apart_need_room() -> None:
    network = replace(PROFILES[ProfileName.DEV].network, cidr_block="10.0.0.0/20", subnet_cidr_mask=23)
    assert network.zone_letters("ca-central-1") == ("a", "b")
    with pytest.raises(ValueError, match="holds 8 subnets of subnet_cidr_mask /23, and 9 are needed"):
        replace(network, availability_zones=3)
    with pytest.raises(ConfigurationError, match=r"holds 8 .*, and 9 are needed.* from a to c, the zones of ap-north"):
        network.zone_letters("ap-northeast-1")


def test_a_file_with_a_zone_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    text = '[environments.x]\nregion = "ca-central-1"\n[environments.x.network]\navailability_zones = ["b", "c"]\n'
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load_environment("x", tmp_path, environ={})
    assert f"{tmp_path / FILE_NAME}:4: environments.x.network.availability_zones: " in raised.value.message
    assert raised.value.message.endswith("b, c: ca-central-1 has no zone c; allowed: a, b, d")


def test_a_profile_that_a_region_has_no_zones_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[environments.x]\nprofile = "prod"\nregion = "us-west-1"\n')
    with pytest.raises(ConfigurationError, match=r"us-west-1 .* 2 zones, not 3; allowed: 2 at most"):
        load_environment("x", tmp_path, environ={})
