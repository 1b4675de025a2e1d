"""The change of the monthly cost from one set of templates to another."""

from __future__ import annotations

from typing import Any

from tests.unit.cost.counted import idle
from trainworks.cost.changes import compare

Body = tuple[str, dict[str, Any]]
KEY: Body = ("AWS::KMS::Key", {})
DASHBOARD: Body = ("AWS::CloudWatch::Dashboard", {})
NAT: Body = ("AWS::EC2::NatGateway", {})
UNKNOWN: Body = ("AWS::Deadline::Farm", {})
BUCKET: Body = ("AWS::S3::Bucket", {})


def test_what_is_added_and_removed_changes_the_total() -> None:
    changes = compare(idle({"A": KEY, "B": DASHBOARD}), idle({"A": KEY, "C": NAT, "D": BUCKET}))
    differences = {change.place: str(change.difference) for change in changes.changes}
    assert differences == {"B": "-$3.00", "C": "$32.85"}
    assert str(changes.difference) == "$29.85"
    assert (str(changes.before), str(changes.after)) == ("$4.00", "$33.85")


def test_everything_is_new_where_nothing_is_deployed() -> None:
    changes = compare(None, idle({"A": KEY, "B": BUCKET}))
    assert changes.before.is_zero
    assert [change.place for change in changes.changes] == ["A"]


def test_a_resource_that_changes_in_place_has_its_difference() -> None:
    one_zone = ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a"]})
    two_zones = ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]})
    change = compare(idle({"E": one_zone}), idle({"E": two_zones})).at("E")
    assert change is not None
    assert str(change.difference) == "$7.30"


def test_what_becomes_unknown_is_a_change_and_what_stays_so_is_none() -> None:
    changes = compare(idle({"A": UNKNOWN}), idle({"A": UNKNOWN, "B": UNKNOWN}))
    assert [(change.place, change.is_known) for change in changes.changes] == [("B", False)]
    assert changes.unknown_after == 2


def test_the_same_costs_the_same() -> None:
    changes = compare(idle({"A": KEY}), idle({"A": KEY}))
    assert changes.changes == ()
    assert changes.difference.is_zero
    assert changes.at("A") is None
