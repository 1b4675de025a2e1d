"""What a request to S3 says beside its document: used, recorded or refused by name, for objects and buckets alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, allow, code, message, new, user

from trainworks.testing import TestTwin
from trainworks.twin import fidelity, s3_headers
from trainworks.twin.wire.models import service_model


@pytest.fixture(scope="module")
def bucket(twin: TestTwin) -> str:
    name = new("members")
    twin.client("s3").create_bucket(Bucket=name)
    twin.client("s3").put_object(Bucket=name, Key="k", Body=b"body")
    return name


def owned() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation on a bucket without a document that takes ExpectedBucketOwner, with its least parameters."""
    model = service_model("s3")
    for entry in fidelity.table():
        if entry.service != "s3" or "Bucket" not in entry.operation or "ExpectedBucketOwner" not in entry.members:
            continue
        shape: Any = model.operation_model(entry.operation).input_shape
        if set(shape.required_members) <= {"Bucket", "Id"}:
            yield entry.operation, {name: "x" for name in shape.required_members if name != "Bucket"}


def test_a_bucket_of_somebody_else_is_left_alone(twin: TestTwin, bucket: str) -> None:
    """Who names the owner that he expects must not change another one's bucket."""
    s3, seen = twin.client("s3"), []
    for operation, more in owned():
        params = {"Bucket": bucket, "ExpectedBucketOwner": "999999999999", **more}
        found = code(s3._make_api_call, operation_name=operation, api_params=params)
        seen.append(operation)
        assert found in ("AccessDenied", "403"), operation
    assert len(seen) > 25
    assert code(s3.get_bucket_location, Bucket=bucket, ExpectedBucketOwner=ACCOUNT) == "OK"
    versioning = {"Status": "Enabled"}
    given = {"Bucket": bucket, "VersioningConfiguration": versioning, "ExpectedBucketOwner": "999999999999"}
    assert code(s3.put_bucket_versioning, **given) == "AccessDenied"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_what_is_not_done_is_refused_by_name(twin: TestTwin, bucket: str) -> None:
    """A condition that is not looked at would delete what was to stay."""
    _, session = user(twin, allow("s3:*"))
    s3 = twin.client("s3", session)
    given: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    assert "x-amz-if-match-size" in message(s3.delete_object, **given, IfMatchSize=1)
    assert "Object Lock" in message(s3.put_object, **given, ObjectLockMode="GOVERNANCE")
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
    for call in (s3.get_object, s3.head_object, s3.put_object):
        assert code(call, **given, **key) in ("NotImplemented", "501")
    assert s3.get_object(**given, RequestPayer="requester")["Body"].read() == b"body"


def test_each_member_is_told(twin: TestTwin) -> None:
    """The table names what botocore has, and every header that is set apart is one of an operation that is served."""
    del twin
    wires = set()
    for entry in fidelity.table():
        if entry.service == "s3" and entry.fidelity != "refused":
            shape: Any = service_model("s3").operation_model(entry.operation).input_shape
            placed = {
                name: str(member.serialization.get("name", name)).lower()
                for name, member in (shape.members if shape else {}).items()
                if member.serialization.get("location") in ("header", "headers", "querystring")
            }
            assert set(entry.members) == set(placed), entry.operation
            wires |= set(placed.values())
    assert {*s3_headers.REFUSED, *s3_headers.RECORDED} - wires == set()
