from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.rules.bucket_lifecycle import RULE


def lifecycle(draft: Draft, bucket: str = "Storage/ModelBucket") -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = draft.properties(bucket)["LifecycleConfiguration"]["Rules"]
    return rules


def test_versions_kept_for_ever(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    for rule in lifecycle(draft):
        rule.pop("NoncurrentVersionExpiration", None)
    (found,) = only(draft, RULE)
    assert "NoncurrentVersionExpiration" in found.fix
    assert not found.is_error


def test_parts_kept_for_ever(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    for rule in lifecycle(draft):
        rule.pop("AbortIncompleteMultipartUpload", None)
    (found,) = only(draft, RULE)
    assert "AbortIncompleteMultipartUpload" in found.fix


def test_a_disabled_rule_does_nothing(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    for rule in lifecycle(draft):
        rule["Status"] = "Disabled"
    assert len(only(draft, RULE)) == 2


@pytest.mark.parametrize("prefix", ["output/", "output/old/", ""])
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_models_where_nothing_can_read_them(platform: Callable[[str], Draft], prefix: str, storage_class: str) -> None:
    draft = platform("dev")
    transition = {"StorageClass": storage_class, "TransitionInDays": 180}
    lifecycle(draft).append({"Id": "archive", "Status": "Enabled", "Prefix": prefix, "Transitions": [transition]})
    (found,) = only(draft, RULE)
    assert found.is_error
    assert "archive" in found.value


def test_an_archive_beside_the_models(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    transition = {"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 180}
    lifecycle(draft).append({"Status": "Enabled", "Prefix": "old-reports/", "Transitions": [transition]})
    nothing(draft)


def test_an_archive_that_is_read_at_once(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    transition = {"StorageClass": "GLACIER_IR", "TransitionInDays": 90}
    lifecycle(draft).append({"Status": "Enabled", "Prefix": "output/", "Transitions": [transition]})
    nothing(draft)


def test_a_bucket_without_versions() -> None:
    draft = draft_of({})
    draft.add("Bucket", "AWS::S3::Bucket", {})
    nothing(draft)
