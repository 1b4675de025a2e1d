from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only, quiet
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.global_name import RULE


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("models", "the account and the region"),
        ("models-${AWS::AccountId}", "the region"),
        ("models-${AWS::Region}", "the account"),
    ],
)
def test_a_bucket_name(platform: Callable[[str], Draft], name: str, missing: str) -> None:
    draft = platform("staging")
    draft.properties("Storage/LogBucket")["BucketName"] = {"Fn::Sub": name}
    (found,) = only(draft, RULE)
    assert f"lacks {missing}:" in found.message
    assert found.is_error is ("the account" in missing)


def test_a_bucket_name_that_says_both(platform: Callable[[str], Draft]) -> None:
    draft = platform("staging")
    draft.properties("Storage/LogBucket")["BucketName"] = {"Fn::Sub": "m-${AWS::AccountId}-${AWS::Region}"}
    nothing(draft)


def test_a_bucket_in_the_accounts_own_namespace() -> None:
    draft = draft_of({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNamespace": "account-regional"}}})
    draft.properties("Bucket")["BucketNamePrefix"] = "models"
    nothing(draft)


def test_a_role_name_without_the_region() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}
    draft = draft_of({"Role": role})
    draft.properties("Role")["RoleName"] = "training"
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING


STACK_ID_PART = {
    "Fn::Select": [4, {"Fn::Split": ["-", {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]}]
}


@pytest.mark.parametrize("unique", [STACK_ID_PART, {"Ref": "Key"}])
def test_a_part_that_no_other_stack_has(unique: dict[str, Any]) -> None:
    draft = draft_of({"Key": {"Type": "AWS::KMS::Key"}, "Bucket": {"Type": "AWS::S3::Bucket"}})
    draft.properties("Bucket")["BucketName"] = {"Fn::Join": ["-", ["models", unique]]}
    quiet(draft, RULE)


@pytest.mark.parametrize(("name", "is_error"), [("models-1a2b3c4d5e", False), ("models-archive", True)])
def test_an_ending_that_may_be_made_of_both(name: str, is_error: bool) -> None:
    draft = draft_of({"Bucket": {"Type": "AWS::S3::Bucket"}})
    draft.properties("Bucket")["BucketName"] = name
    (found,) = only(draft, RULE)
    assert found.is_error is is_error


def test_a_name_that_nobody_knows() -> None:
    template = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}}},
    }
    draft = draft_of(template)
    draft.properties("Bucket")["BucketName"] = {"Ref": "Name"}
    nothing(draft)
