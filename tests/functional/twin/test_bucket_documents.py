"""What a bucket is configured with is checked when it is put, told as it was put, and refused where nothing does it."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin

DTD = '<!DOCTYPE l [<!ENTITY a "Enabled">]><VersioningConfiguration><Status>&a;</Status></VersioningConfiguration>'


@pytest.fixture
def bucket(twin: TestTwin) -> str:
    name = f"b-{uuid.uuid4().hex[:10]}"
    twin.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(twin: TestTwin) -> Any:
    return twin.client("s3")


def refusal(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    found: dict[str, Any] = error.value.response["Error"]
    return found


def rule(**more: Any) -> dict[str, Any]:
    return {"ID": "one", "Status": "Enabled", "Expiration": {"Days": 1}, **more}


def test_a_lifecycle_rule_holds_for_the_prefix_that_it_was_given(s3: Any, bucket: str) -> None:
    rules = [rule(Prefix="logs/a&b"), rule(ID="two", Filter={"Prefix": "tmp/"}), rule(ID="three", Filter={})]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [(each.get("Prefix"), each.get("Filter")) for each in found] == [
        ("logs/a&b", None), (None, {"Prefix": "tmp/"}), (None, {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "MalformedXML"),
        ([rule(Prefix="a", Filter={"Prefix": "b"})], "MalformedXML"),
        ([rule()], "MalformedXML"),
        ([rule(Filter={}, Status="On")], "MalformedXML"),
        ([rule(Filter={"Prefix": "a", "Tag": {"Key": "k", "Value": "v"}})], "MalformedXML"),
        ([rule(Filter={}), rule(Filter={})], "InvalidArgument"),
        ([rule(Filter={}, Expiration={"Days": 0})], "InvalidArgument"),
        ([rule(Filter={}, Transitions=[{"Days": 1, "StorageClass": "COLD"}])], "MalformedXML"),
        ([{"ID": "x", "Status": "Enabled", "Filter": {}}], "InvalidRequest"),
    ],
)
def test_lifecycle_rules_that_s3_refuses_are_refused(s3: Any, bucket: str, rules: list[Any], code: str) -> None:
    put = s3.put_bucket_lifecycle_configuration
    assert refusal(put, Bucket=bucket, LifecycleConfiguration={"Rules": rules})["Code"] == code
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket) | {"Message": ""} == {
        "Code": "NoSuchLifecycleConfiguration", "Message": "", "BucketName": bucket, "Resource": f"/{bucket}",
    }  # fmt: skip


CORS = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "cors method": (
        "put_bucket_cors", {"CORSConfiguration": {"CORSRules": [{**CORS, "AllowedMethods": ["PATCH"]}]}},
        "InvalidRequest",
    ),
    "cors without rules": ("put_bucket_cors", {"CORSConfiguration": {"CORSRules": []}}, "MalformedXML"),
    "acceleration": (
        "put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Fast"}}, "MalformedXML",
    ),
    "logging": (
        "put_bucket_logging",
        {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "no-such-target", "TargetPrefix": ""}}},
        "InvalidTargetBucketForLogging",
    ),
    "duplicate tag": (
        "put_bucket_tagging",
        {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}},
        "InvalidTag",
    ),
    "system tag": (
        "put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": "aws:x", "Value": "1"}]}}, "InvalidTag",
    ),
    "versioning": ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "On"}}, "MalformedXML"),
    "payer": (
        "put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Somebody"}}, "MalformedXML",
    ),
    "ownership": (
        "put_bucket_ownership_controls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "Nobody"}]}},
        "MalformedXML",
    ),
    "encryption": (
        "put_bucket_encryption",
        {"ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "rot13"}}]
        }},
        "MalformedXML",
    ),
    "retention": (
        "put_object_lock_configuration",
        {"ObjectLockConfiguration": {
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
        }},
        "NotImplemented",
    ),
    "abac": ("put_bucket_abac", {"AbacStatus": {"Status": "Enabled"}}, "NotImplemented"),
    "inventory of another id": (
        "put_bucket_inventory_configuration",
        {"Id": "other", "InventoryConfiguration": {
            "Id": "daily", "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::b", "Format": "CSV"}},
        }},
        "InvalidArgument",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", list(WRONG))
def test_documents_that_s3_refuses_are_refused_with_the_buckets_name(s3: Any, bucket: str, what: str) -> None:
    call, parameters, code = WRONG[what]
    found = refusal(getattr(s3, call), Bucket=bucket, **parameters)
    assert (found["Code"], found["Resource"]) == (code, f"/{bucket}")


def test_what_s3_takes_is_taken_and_told(s3: Any, bucket: str) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [CORS]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [CORS]
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Suspended"
    logging = {"TargetBucket": bucket, "TargetPrefix": "l/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": logging})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == logging
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    website = {"IndexDocument": {"Suffix": "index.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    assert s3.get_bucket_website(Bucket=bucket)["IndexDocument"] == website["IndexDocument"]


def test_inventory_and_its_like_are_kept_under_their_ids(s3: Any, bucket: str) -> None:
    inventory = {
        "Id": "daily", "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "ETag"],
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::b", "Format": "CSV", "Prefix": "a&b"}},
    }  # fmt: skip
    s3.put_bucket_inventory_configuration(Bucket=bucket, Id="daily", InventoryConfiguration=inventory)
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id="all", MetricsConfiguration={"Id": "all"})
    got = s3.get_bucket_inventory_configuration(Bucket=bucket, Id="daily")["InventoryConfiguration"]
    assert got == inventory
    listed = s3.list_bucket_inventory_configurations(Bucket=bucket)["InventoryConfigurationList"]
    assert listed == [inventory]
    assert s3.list_bucket_metrics_configurations(Bucket=bucket)["MetricsConfigurationList"] == [{"Id": "all"}]
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="daily")
    gone = refusal(s3.get_bucket_inventory_configuration, Bucket=bucket, Id="daily")
    assert (gone["Code"], gone["BucketName"]) == ("NoSuchConfiguration", bucket)
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_request_for_something_of_a_bucket_is_never_one_for_the_bucket(twin: TestTwin, s3: Any, bucket: str) -> None:
    """DELETE ?something must not delete the bucket, whatever it is."""
    for call in ("delete_bucket_metadata_configuration", "delete_bucket_metadata_table_configuration"):
        assert refusal(getattr(s3, call), Bucket=bucket)["Code"] == "NotImplemented"
    s3.head_bucket(Bucket=bucket)


def test_a_bucket_is_made_once(twin: TestTwin, s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=bucket)  # in us-east-1 as often as one likes
    elsewhere = twin.client("s3", twin.session(region_name="eu-west-1"))
    again = refusal(
        elsewhere.create_bucket, Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert (again["Code"], again["BucketName"]) == ("BucketAlreadyOwnedByYou", bucket)


def test_buckets_are_found_by_their_tags(twin: TestTwin, s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "mine", "Value": bucket}]})
    for types in (["s3:bucket"], ["s3"], []):
        found = twin.client("resourcegroupstaggingapi").get_resources(
            TagFilters=[{"Key": "mine", "Values": [bucket]}], ResourceTypeFilters=types
        )
        arns = [each["ResourceARN"] for each in found["ResourceTagMappingList"]]
        assert arns == [f"arn:aws:s3:::{bucket}"], types


@pytest.mark.parametrize(
    "document",
    [
        b"<VersioningConfiguration><Status>Enabled</Status><Status>Enabled</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Colour>red</Colour></VersioningConfiguration>",
        b"<Tagging/>",
        b"<VersioningConfiguration><Status>" + b"<a>" * 1000,
        b"<VersioningConfiguration>text<Status>Enabled</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Enabled</Status>text</VersioningConfiguration>",
        DTD.encode("utf-16"),
        DTD.encode("utf-16-be"),
        b"\xef\xbb\xbf" + DTD.encode(),
        b"no XML",
        b"",
    ],
)
def test_a_document_outside_of_the_schema_is_malformed(twin: TestTwin, bucket: str, document: bytes) -> None:
    root = twin.home.credentials()
    url = f"http://127.0.0.1:{twin.server.port}/{bucket}?versioning"
    request = AWSRequest("PUT", url, data=document, headers={"Host": f"127.0.0.1:{twin.server.port}"})
    S3SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", twin.server.port, timeout=PATIENCE_SECONDS)
    connection.request("PUT", f"/{bucket}?versioning", document, dict(request.headers.items()))
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert (response.status, b"<Code>MalformedXML</Code>" in text) == (400, True), text
