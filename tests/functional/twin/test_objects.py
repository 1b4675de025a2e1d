"""Object data in the real twin: where it meets the emulator's buckets, policies, keys, events and permissions."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin


@pytest.fixture
def bucket(twin: TestTwin) -> str:
    name = f"objects-{uuid.uuid4().hex[:12]}"
    twin.client("s3").create_bucket(Bucket=name)
    return name


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_full_bucket_cannot_be_deleted(twin: TestTwin, bucket: str) -> None:
    s3 = twin.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=bucket)
    assert code(caught) == "BucketNotEmpty"
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="a")
    assert code(caught) == "NoSuchBucket"


def test_versioning_is_what_the_bucket_says(twin: TestTwin, bucket: str) -> None:
    s3 = twin.client("s3")
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="a", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.put_object(Bucket=bucket, Key="a", Body=b"2")["VersionId"] == "null"
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [version["VersionId"] for version in versions] == ["null", first]


def test_a_bucket_policy_that_denies_holds(twin: TestTwin, bucket: str) -> None:
    user = f"user-{uuid.uuid4().hex[:8]}"
    iam, s3 = twin.client("iam"), twin.client("s3")
    iam.create_user(UserName=user)
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=policy(allow))
    keys = iam.create_access_key(UserName=user)["AccessKey"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    theirs = twin.client("s3", session)
    theirs.put_object(Bucket=bucket, Key="open/a", Body=b"x")
    arn = f"arn:aws:s3:::{bucket}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/closed/*"}
    tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny, tls))
    s3.put_object(Bucket=bucket, Key="closed/a", Body=b"x")
    assert theirs.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        theirs.get_object(Bucket=bucket, Key="closed/a")
    assert code(caught) == "AccessDenied"
    message = caught.value.response["Error"]["Message"]
    assert user in message
    assert "s3:GetObject" in message
    assert f"{arn}/closed/a" in message


def test_a_customer_key_is_enforced(twin: TestTwin, bucket: str) -> None:
    s3, kms = twin.client("s3"), twin.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.put_object(Bucket=bucket, Key="a", Body=b"x")["SSEKMSKeyId"] == arn
    kms.disable_key(KeyId=arn)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="a")
    assert code(caught) == "KMS.DisabledException"


def test_a_change_reaches_the_buckets_queue(twin: TestTwin, bucket: str) -> None:
    s3, sqs = twin.client("s3"), twin.client("sqs")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(send)})
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    s3.put_object(Bucket=bucket, Key="told", Body=b"12345")
    record = first_record(sqs, url)
    assert record["eventName"] == "ObjectCreated:Put"
    assert (record["s3"]["object"]["key"], record["s3"]["object"]["size"]) == ("told", 5)


def first_record(sqs: Any, url: str) -> Any:
    """The first S3 event in a queue, past the test event of the configuration."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if "Records" in body:
                return body["Records"][0]
    raise AssertionError("no event came")


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
