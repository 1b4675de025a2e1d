"""Every member of a priced type is read, declared neutral, or told: none changes a price in silence."""

from __future__ import annotations

import pytest

from tests.unit.cost.counted import amount, by_use, one
from trainworks.assembly.schemas import schema
from trainworks.cost.families import FAMILIES
from trainworks.cost.families.members import READ, UNREAD, neutral_members

NEUTRAL = neutral_members()


@pytest.mark.parametrize("type_", sorted(FAMILIES))
def test_every_member_of_a_priced_type_is_declared_once(type_: str) -> None:
    found = schema(type_)
    assert found is not None
    set_by_aws = {path[0] for path in found.read_only if len(path) == 1}
    declared = [*READ.get(type_, "").split(), *UNREAD.get(type_, ()), *NEUTRAL[type_]]
    assert sorted(declared) == sorted(set(found.properties) - set_by_aws)


def test_only_priced_types_are_declared() -> None:
    assert {*READ, *UNREAD, *NEUTRAL} == set(FAMILIES)


def test_a_member_that_changes_the_price_and_is_not_read_is_unknown_by_name() -> None:
    database = {"Engine": "mysql", "DBInstanceClass": "db.t3.large", "AllocatedStorage": 20}
    assert amount(one("AWS::RDS::DBInstance", database)).quantize(1) == 102
    larger = one("AWS::RDS::DBInstance", {**database, "DedicatedLogVolume": True})
    assert larger.unknown == ("a dedicated volume for logs (DedicatedLogVolume)",)
    assert one("AWS::RDS::DBInstance", {**database, "DedicatedLogVolume": False}).is_known


def test_a_member_that_costs_by_use_is_told_and_leaves_the_amount_known() -> None:
    table = one("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", "StreamSpecification": {"A": "B"}})
    assert table.is_known
    assert "reads of its stream" in [charge.what for charge in by_use(table)]
