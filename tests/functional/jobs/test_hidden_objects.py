"""S3 as somebody sees it who may not list a bucket: whether an object is there is not said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.functional.jobs.conftest import allow, policy
from trainworks.errors import RequestError
from trainworks.jobs.artifacts import Artifact, download, present
from trainworks.jobs.source import put_once
from trainworks.s3 import object_size
from trainworks.testing import TestTwin

BUCKET = "hidden-objects"


@pytest.fixture(scope="module")
def reader(twin: TestTwin) -> Any:
    """S3 of a user who may get and put the objects of a bucket, and not list it."""
    iam, root = twin.client("iam"), twin.client("s3")
    root.create_bucket(Bucket=BUCKET)
    iam.create_user(UserName="hidden-reader")
    may = [allow(["s3:GetObject", "s3:PutObject"], [f"arn:aws:s3:::{BUCKET}/*"])]
    iam.put_user_policy(UserName="hidden-reader", PolicyName="objects", PolicyDocument=policy(may))
    keys = iam.create_access_key(UserName="hidden-reader")["AccessKey"]
    return twin.client("s3", twin.session(keys["AccessKeyId"], keys["SecretAccessKey"]))


def test_a_missing_permission_is_named(reader: Any, tmp_path: Path) -> None:
    model = Artifact("model", f"s3://{BUCKET}/output/job/model.tar.gz")
    for look in (lambda: present(reader, model), lambda: download(reader, [model], tmp_path / "result")):
        with pytest.raises(RequestError, match="does not exist, or you may not read it") as refused:
            look()
        assert f"s3:ListBucket on the bucket {BUCKET}" in refused.value.fix


def test_what_is_named_by_its_content_is_put_once_more(reader: Any) -> None:
    put_once(reader, BUCKET, "code/1/sourcedir.tar.gz", b"code")
    put_once(reader, BUCKET, "code/1/sourcedir.tar.gz", b"code")
    assert object_size(reader, BUCKET, "code/1/sourcedir.tar.gz") == 4
