"""Resource types of CloudFormation where ministack differs from AWS in what our templates need.

Each correction wraps or replaces an entry of ministack's table of resource types and has a test that fails without it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.ec2 import default_groups
from trainworks.twin.emulator.iam.actors import managed_document
from trainworks.twin.emulator.s3.bucket_documents import (
    encryption_xml,
    lifecycle_xml,
    logging_xml,
    ownership_xml,
    tags_xml,
)
from trainworks.twin.emulator.s3.buckets import EmulatorBuckets
from trainworks.twin.emulator.services import offers_type
from trainworks.twin.emulator.stock import StockResource
from trainworks.twin.ports import ApiError

_BUCKET_NAME = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def install(buckets: EmulatorBuckets) -> None:
    """CloudFormation was loaded: put every correction in its table."""
    provisioners = engine.module("services.cloudformation.provisioners")
    table: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
    _vpc(table)
    _instance_profile(table)
    _role(table)
    _bucket(table, buckets, provisioners)
    _auto_delete_objects(table, buckets)
    _template_urls()
    for type_name in [name for name in table if not offers_type(name)]:
        # Then a stack that uses it fails with "Unsupported resource type", instead of getting something lifeless.
        del table[type_name]


def bucket_name_problem(name: str) -> str | None:
    """Why S3 refuses a bucket name, or None. After "General purpose bucket naming rules"."""
    if name != name.lower():
        return "Bucket name should not contain uppercase characters"
    if not 3 <= len(name) <= 63:
        return "Bucket name should be between 3 and 63 characters long"
    if not _BUCKET_NAME.match(name) or ".." in name:
        return (
            "Bucket name should consist of lowercase letters, digits, dots and hyphens, and not start or end with one"
        )
    if name.startswith(_BUCKET_PREFIXES) or name.endswith(_BUCKET_SUFFIXES):
        return "Bucket name has a prefix or suffix that is reserved"
    return "Bucket name should not be formatted as an IP address" if _is_ip_address(name) else None


def _vpc(table: dict[str, dict[str, Any]]) -> None:
    """`Fn::GetAtt: [Vpc, CidrBlock]`, and the inbound rule of the default security group."""
    stock = table["AWS::EC2::VPC"]

    def create(*arguments: Any) -> StockResource:
        answer: StockResource = stock["create"](*arguments)
        default_groups.open_to_itself(answer[0])
        return with_cidr(answer)

    def with_cidr(answer: StockResource) -> StockResource:
        physical_id, attributes = answer
        vpc = engine.service("ec2")._vpcs[physical_id]
        return physical_id, {**attributes, "CidrBlock": vpc["CidrBlock"]}

    table["AWS::EC2::VPC"] = {
        **stock,
        "create": create,
        "update": lambda *arguments: with_cidr(stock["update"](*arguments)),
    }


def _instance_profile(table: dict[str, dict[str, Any]]) -> None:
    """`Ref` is the profile's name, not its ARN."""
    stock = table["AWS::IAM::InstanceProfile"]

    def profile(name: str) -> dict[str, Any]:
        found: dict[str, Any] = engine.service("iam")._instance_profiles[name]
        return found

    def create(*arguments: Any) -> StockResource:
        arn, attributes = stock["create"](*arguments)
        return arn.rsplit("/", 1)[-1], attributes

    def update(physical_id: str, *arguments: Any) -> StockResource:
        arn, attributes = stock["update"](profile(physical_id)["Arn"], *arguments)
        return arn.rsplit("/", 1)[-1], attributes

    def delete(physical_id: str, properties: dict[str, Any]) -> None:
        if physical_id in engine.service("iam")._instance_profiles:
            stock["delete"](profile(physical_id)["Arn"], properties)

    table["AWS::IAM::InstanceProfile"] = {**stock, "create": create, "update": update, "delete": delete}


def _role(table: dict[str, dict[str, Any]]) -> None:
    """A role gets its permissions boundary: stock leaves it out, and the role may do more than on AWS."""
    stock = table["AWS::IAM::Role"]

    def bounded(properties: Mapping[str, Any]) -> str:
        arn = str(properties.get("PermissionsBoundary") or "")
        if arn and managed_document(arn, engine.module("core.responses").get_account_id()) is None:
            raise ValueError(f"Scope ARN: {arn} does not exist or is not attachable.")
        return arn

    def keep(answer: StockResource, arn: str) -> StockResource:
        roles = engine.service("iam")._roles
        # A new value instead of a change inside the old one: the table writes what is set.
        roles[answer[0]] = {**roles[answer[0]], "PermissionsBoundary": arn or None}
        return answer

    def create(logical_id: str, properties: dict[str, Any], *others: Any) -> StockResource:
        arn = bounded(properties)
        answer: StockResource = stock["create"](logical_id, properties, *others)
        return keep(answer, arn) if arn else answer

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *others: Any) -> StockResource:
        arn = bounded(new)
        answer: StockResource = stock["update"](physical_id, old, new, *others)
        return keep(answer, arn) if arn or old.get("PermissionsBoundary") else answer

    table["AWS::IAM::Role"] = {**stock, "create": create, "update": update}


def _bucket(table: dict[str, dict[str, Any]], buckets: EmulatorBuckets, provisioners: Any) -> None:
    """Names are checked, every property of ours is applied, and a bucket with objects in it is not deleted."""
    stock = table["AWS::S3::Bucket"]
    s3 = engine.service("s3")

    def _no_logging(name: str) -> Any:
        return s3._put_bucket_logging(name, logging_xml({}))

    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
        ("LoggingConfiguration", logging_xml, s3._put_bucket_logging, _no_logging),
        (
            "OwnershipControls",
            ownership_xml,
            s3._put_bucket_ownership_controls,
            s3._delete_bucket_ownership_controls,
        ),
        ("Tags", tags_xml, s3._put_bucket_tagging, s3._delete_bucket_tagging),
    )

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> StockResource:
        name = properties.get("BucketName")
        problem = bucket_name_problem(name) if isinstance(name, str) else None
        if problem is not None:
            raise ValueError(f"{problem}: {name} (Service: S3, Status Code: 400)")
        answer: StockResource = stock["create"](logical_id, properties, stack_name)
        return answer

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> StockResource:
        answer: StockResource = stock["update"](physical_id, old, new, stack_name)
        status = (new.get("VersioningConfiguration") or {}).get("Status")
        if status != "Enabled" and s3._bucket_versioning.get(answer[0]):
            # Versioning that was on once cannot be removed, only suspended.
            s3._bucket_versioning[answer[0]] = "Suspended"
        return answer

    def delete(physical_id: str, properties: dict[str, Any]) -> None:
        if physical_id not in s3._buckets:
            return
        status, _, body = s3._delete_bucket(physical_id)
        if status >= 400:
            message = re.search(rb"<Message>(.*?)</Message>", body)
            reason = message[1].decode() if message else "the bucket cannot be deleted"
            raise ValueError(f"{reason} (Service: S3, Status Code: {status}, bucket {physical_id})")

    table["AWS::S3::Bucket"] = {**stock, "create": create, "update": update, "delete": delete}


def _auto_delete_objects(table: dict[str, dict[str, Any]], buckets: EmulatorBuckets) -> None:
    """The CDK's `Custom::S3AutoDeleteObjects`, whose function needs Node and the AWS SDK, without them."""

    def create(logical_id: str, properties: Mapping[str, Any], stack_name: str) -> StockResource:
        return f"{stack_name}-{logical_id}-auto-delete", {}

    def update(physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack_name: str) -> StockResource:
        if old.get("BucketName") != new.get("BucketName"):
            delete(physical_id, old)
        return physical_id, {}

    def delete(physical_id: str, properties: Mapping[str, Any]) -> None:
        name = str(properties.get("BucketName", ""))
        if buckets.bucket(name) is None:
            return
        tags = engine.service("s3")._bucket_tags.get(name) or {}
        if tags.get("aws-cdk:auto-delete-objects") != "true":
            # As the CDK's own function does: a bucket that lost the tag is left alone.
            return
        try:
            buckets.objects.empty_bucket(name)
        except ApiError as error:
            raise ValueError(f"{error.message} (Service: S3, Status Code: {error.status})") from error

    table["Custom::S3AutoDeleteObjects"] = {"create": create, "update": update, "delete": delete}


def _template_urls() -> None:
    """Template URLs that name the bucket in the host, as AWS's own examples do; hosts that are not S3 are refused."""
    helpers = engine.module("services.cloudformation.helpers")
    stock: Callable[..., Any] = helpers._resolve_document

    def resolve_document(params: dict[str, Any], body_key: str, url_key: str, label: str) -> Any:
        url = helpers._p(params, url_key)
        if url and not helpers._p(params, body_key) and not _is_supported(url):
            return None, helpers._error("ValidationError", f"{url_key} must be a supported URL.")
        match = re.match(r"^s3://(?P<bucket>[^/]+)/(?P<key>.+)$", url or "") or re.match(
            r"^(https?)://(?P<bucket>[^/]+)\.s3[.-][^/]*/(?P<key>.+)$", url or ""
        )
        if match is not None:
            params = {**params, url_key: [f"https://s3.amazonaws.com/{match['bucket']}/{match['key']}"]}
        return stock(params, body_key, url_key, label)

    helpers._resolve_document = resolve_document


def _is_supported(url: str) -> bool:
    """Whether a document may be read there: by HTTPS or as S3 names it, or by HTTP from this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    loopback = parts.hostname in ("127.0.0.1", "localhost")
    return parts.scheme in ("https", "s3") or (parts.scheme == "http" and loopback)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
