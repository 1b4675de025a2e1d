from __future__ import annotations

from collections.abc import Callable

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
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


def test_a_resource_that_waits_for_nothing() -> None:
    draft = draft_of({"A": {"Type": "AWS::SNS::Topic"}})
    draft.body("A")["DependsOn"] = ["Nothing"]
    (found,) = only(draft, RULE)
    assert (found.place, found.resource_type, found.is_error) == ("A", "AWS::SNS::Topic", True)
    assert "'Nothing'" in found.message


def test_a_slip_in_a_type() -> None:
    draft = draft_of({})
    draft.add("Bucket", "AWS::S3::Buckett", {})
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.fix == "write AWS::S3::Bucket"


def test_a_type_that_may_be_new() -> None:
    draft = draft_of({})
    draft.add("Thing", "AWS::Quantum::Entanglement", {})
    (found,) = only(draft, RULE)
    assert not found.is_error


def test_types_of_others_are_theirs() -> None:
    draft = draft_of({})
    draft.add("Own", "Custom::Anything", {"ServiceToken": "arn:aws:lambda:eu-west-1:111111111111:function:f"})
    draft.add("Third", "Datadog::Monitors::Monitor", {})
    nothing(draft)
