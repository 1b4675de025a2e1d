from __future__ import annotations

from collections.abc import Callable

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.deletable_data import RULE
from trainworks.preflight.settings import CheckSettings


def test_a_bucket_that_goes_with_its_stack(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod")
    draft.body("Storage/ModelBucket")["DeletionPolicy"] = "Delete"
    (found,) = only(draft, RULE)
    assert found.place == "Storage/ModelBucket"
    assert found.is_error


def test_a_key_that_a_replacement_loses(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod")
    draft.body("Storage/DataKey")["UpdateReplacePolicy"] = "Delete"
    (found,) = only(draft, RULE)
    assert found.value == "UpdateReplacePolicy Delete"


def test_outside_of_production_data_may_go() -> None:
    draft = draft_of({"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}})
    draft.body("Bucket")["DeletionPolicy"] = "Delete"
    nothing(draft)


def test_a_database_has_a_snapshot_by_default() -> None:
    draft = draft_of({}, CheckSettings(production=True))
    draft.add("Database", "AWS::RDS::DBInstance", {})
    nothing(draft)
    draft.body("Database")["DeletionPolicy"] = "Delete"
    only(draft, RULE)


def test_automatic_emptying_in_production() -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    draft = draft_of({"Bucket": {"Type": "AWS::S3::Bucket", **kept}}, CheckSettings(production=True))
    draft.add("Emptying", "Custom::S3AutoDeleteObjects", {"BucketName": {"Ref": "Bucket"}})
    (found,) = only(draft, RULE)
    assert found.logical_id == "Emptying"


def test_a_stack_that_one_call_deletes(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod").without_termination_protection()
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING


def test_a_repository_that_blocks_the_deletion(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Storage/TrainingRepository")["EmptyOnDelete"] = False
    (found,) = only(draft, RULE)
    assert "EmptyOnDelete: true" in found.fix


def test_a_repository_that_a_custom_resource_empties(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Storage/TrainingRepository")["EmptyOnDelete"] = False
    name = {"Ref": draft.logical_id("Storage/TrainingRepository")}
    draft.add("Emptying", "Custom::ECRAutoDeleteImages", {"RepositoryName": name}, stack="Storage")
    nothing(draft)
