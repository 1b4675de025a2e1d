from __future__ import annotations

from collections.abc import Callable

from tests.unit.preflight.draft import Draft, draft_of, only
from trainworks.preflight.rules.template_problem import RULE


def test_a_reference_to_nothing(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Storage/ModelBucket")["Tags"] = [{"Key": "of", "Value": {"Ref": "Nothing"}}]
    (found,) = only(draft, RULE)
    assert found.is_error
    assert "Nothing" in found.message


def test_a_circle() -> None:
    draft = draft_of({"A": {"Type": "AWS::SNS::Topic"}, "B": {"Type": "AWS::SNS::Topic", "DependsOn": "A"}})
    draft.body("A")["DependsOn"] = "B"
    (found,) = only(draft, RULE)
    assert "A -> B -> A" in found.message
