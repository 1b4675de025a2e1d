"""CloudFormation where stock differs from AWS: each test fails without its correction."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}


class Deployer:
    """Stacks of one test, deleted at its end."""

    def __init__(self, twin: TestTwin) -> None:
        self.twin = twin
        self.name = f"stack-{uuid.uuid4().hex[:8]}"
        self.bucket = f"templates-{uuid.uuid4().hex[:8]}"
        self.client = twin.client("cloudformation")
        twin.client("s3").create_bucket(Bucket=self.bucket)

    def upload(self, template: Mapping[str, Any]) -> str:
        key = f"{uuid.uuid4().hex}.json"
        self.twin.client("s3").put_object(Bucket=self.bucket, Key=key, Body=json.dumps(template))
        return f"https://{self.bucket}.s3.us-east-1.amazonaws.com/{key}"

    def create(self, template: Mapping[str, Any], **options: Any) -> str:
        body = json.dumps(template)
        self.client.create_stack(
            StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **options
        )
        return self.status()

    def update(self, template: Mapping[str, Any]) -> str:
        body = json.dumps(template)
        self.client.update_stack(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self.status()

    def delete(self) -> str:
        self.client.delete_stack(StackName=self.name)
        return self.status()

    def status(self, name: str = "") -> str:
        while True:
            try:
                status = self.describe(name)["StackStatus"]
            except ClientError:
                return "DELETED"
            if not status.endswith("_IN_PROGRESS"):
                return str(status)
            time.sleep(0.01)

    def describe(self, name: str = "") -> dict[str, Any]:
        described: dict[str, Any] = self.client.describe_stacks(StackName=name or self.name)["Stacks"][0]
        return described

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe()["Outputs"]}

    def failure(self) -> str:
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return next(event["ResourceStatusReason"] for event in failed if event["LogicalResourceId"] != self.name)


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Deployer]:
    deployer = Deployer(twin)
    yield deployer
    deployer.delete()


def test_the_address_range_of_a_vpc_can_be_had(stack: Deployer) -> None:
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}
    outputs = {"Cidr": {"Value": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}}
    assert stack.create({"Resources": {"Vpc": vpc}, "Outputs": outputs}) == "CREATE_COMPLETE"
    assert stack.outputs() == {"Cidr": "10.9.0.0/16"}
    named = {**vpc, "Properties": {**vpc["Properties"], "Tags": [{"Key": "Name", "Value": "v"}]}}
    assert stack.update({"Resources": {"Vpc": named}, "Outputs": outputs}) == "UPDATE_COMPLETE"
    assert stack.outputs() == {"Cidr": "10.9.0.0/16"}


def test_ref_of_an_instance_profile_is_its_name(stack: Deployer) -> None:
    name = f"profile-{uuid.uuid4().hex[:8]}"
    profile = {
        "Type": "AWS::IAM::InstanceProfile",
        "Properties": {"InstanceProfileName": name, "Roles": [{"Ref": "Role"}]},
    }
    template = {"Resources": {"Role": ROLE, "Profile": profile}, "Outputs": {"Name": {"Value": {"Ref": "Profile"}}}}
    assert stack.create(template) == "CREATE_COMPLETE"
    assert stack.outputs() == {"Name": name}
    iam = stack.twin.client("iam")
    assert iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    assert stack.delete() == "DELETED"
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_instance_profile(InstanceProfileName=name)


@pytest.mark.parametrize("name", ["Upper-Case", "ab", "under_score", "192.168.5.4", "xn--punycode", "two..dots"])
def test_a_bucket_name_that_s3_refuses_fails_the_stack(stack: Deployer, name: str) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    assert stack.create({"Resources": {"Bucket": bucket}}) == "ROLLBACK_COMPLETE"
    assert "Bucket name" in stack.failure()


def test_a_bucket_has_the_properties_that_its_template_gives(stack: Deployer) -> None:
    properties = {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "old",
                    "Status": "Enabled",
                    "Prefix": "logs/",
                    "ExpirationInDays": 30,
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                    "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 10}],
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
                }
            ]
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "Tags": [{"Key": "owner", "Value": "me"}],
        "VersioningConfiguration": {"Status": "Enabled"},
    }
    template = {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}},
        "Outputs": {"Name": {"Value": {"Ref": "Bucket"}}},
    }
    assert stack.create(template) == "CREATE_COMPLETE"
    s3, name = stack.twin.client("s3"), stack.outputs()["Name"]
    encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    rule = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]
    assert rule["Expiration"] == {"Days": 30}
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    assert rule["Transitions"] == [{"Days": 10, "StorageClass": "GLACIER"}]
    assert {"Key": "owner", "Value": "me"} in s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.put_object(Bucket=name, Key="key", Body=b"1")["ServerSideEncryption"] == "aws:kms"
    stack.twin.client("s3").delete_object(Bucket=name, Key="key", VersionId=_version(s3, name))


def _version(s3: Any, bucket: str) -> str:
    return str(s3.list_object_versions(Bucket=bucket)["Versions"][0]["VersionId"])


def test_a_bucket_with_objects_is_not_deleted(stack: Deployer) -> None:
    bucket = f"full-{uuid.uuid4().hex[:8]}"
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}}}
    assert stack.create(template) == "CREATE_COMPLETE"
    s3 = stack.twin.client("s3")
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    assert stack.delete() == "DELETE_FAILED"
    assert "not empty" in stack.failure()
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key="key")
    assert stack.delete() == "DELETED"


@pytest.mark.parametrize("tagged", [True, False])
def test_auto_delete_objects_empties_a_bucket_that_has_the_cdks_tag(stack: Deployer, tagged: bool) -> None:
    bucket = f"auto-{uuid.uuid4().hex[:8]}"
    tags = [{"Key": "aws-cdk:auto-delete-objects", "Value": "true"}] if tagged else []
    resources = {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": bucket, "Tags": tags, "VersioningConfiguration": {"Status": "Enabled"}},
        },
        "Empty": {
            "Type": "Custom::S3AutoDeleteObjects",
            "Properties": {"ServiceToken": "arn:aws:lambda:us-east-1:0:function:f", "BucketName": {"Ref": "Bucket"}},
        },
    }
    assert stack.create({"Resources": resources}) == "CREATE_COMPLETE"
    s3 = stack.twin.client("s3")
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"key-{number % 2}", Body=b"1")
    assert stack.delete() == ("DELETED" if tagged else "DELETE_FAILED")
    if not tagged:
        for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_log_retention_makes_the_group_and_sets_its_days(stack: Deployer) -> None:
    group = f"/retained/{uuid.uuid4().hex[:8]}"
    properties = {"ServiceToken": "arn:aws:lambda:us-east-1:0:function:f", "LogGroupName": group}
    resource = {"Type": "Custom::LogRetention", "Properties": {**properties, "RetentionInDays": 7}}
    assert stack.create({"Resources": {"Retention": resource}}) == "CREATE_COMPLETE"
    groups = stack.twin.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert [each["retentionInDays"] for each in groups] == [7]


@pytest.mark.parametrize("type_name", ["AWS::EC2::SpotFleet", "AWS::EC2::EC2Fleet", "AWS::EMR::Cluster"])
def test_a_type_that_would_only_pretend_is_refused(stack: Deployer, type_name: str) -> None:
    with pytest.raises(ClientError, match=rf"trainworks does not offer: \[{type_name}\]"):
        stack.create({"Resources": {"It": {"Type": type_name, "Properties": {}}}})


def child(**more: Mapping[str, Any]) -> dict[str, Any]:
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Ref": "Cidr"}}}
    return {
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {"Vpc": vpc, "Role": ROLE, **more},
        "Outputs": {"Cidr": {"Value": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}, "Vpc": {"Value": {"Ref": "Vpc"}}},
    }


def parent(url: str, cidr: str = "10.8.0.0/16") -> dict[str, Any]:
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {"Cidr": cidr}}}
    outputs = {name: {"Value": {"Fn::GetAtt": ["Nested", f"Outputs.{name}"]}} for name in ("Cidr", "Vpc")}
    return {"Resources": {"Nested": nested, "Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}


BAD_BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "UPPER"}, "DependsOn": ["Vpc", "Role"]}
QUEUE = {"Type": "AWS::SQS::Queue"}


def test_a_nested_stack_is_updated_in_place_and_keeps_its_attributes(stack: Deployer) -> None:
    assert stack.create(parent(stack.upload(child()))) == "CREATE_COMPLETE"
    before = stack.outputs()
    assert stack.update(parent(stack.upload(child(Queue=QUEUE)))) == "UPDATE_COMPLETE"
    assert stack.outputs() == before
    assert before["Cidr"] == "10.8.0.0/16"


def test_a_nested_update_that_fails_is_rolled_back(stack: Deployer) -> None:
    assert stack.create(parent(stack.upload(child()))) == "CREATE_COMPLETE"
    before = stack.outputs()
    assert stack.update(parent(stack.upload(child(Queue=QUEUE, Bad=BAD_BUCKET)))) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.outputs() == before
    nested_id = stack.client.describe_stack_resource(StackName=stack.name, LogicalResourceId="Nested")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]
    assert stack.status(nested_id) == "UPDATE_ROLLBACK_COMPLETE"
    names = stack.client.list_stack_resources(StackName=nested_id)["StackResourceSummaries"]
    assert {each["LogicalResourceId"] for each in names} == {"Vpc", "Role"}


def test_a_nested_create_that_fails_leaves_nothing_behind(stack: Deployer) -> None:
    ec2 = stack.twin.client("ec2")
    vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
    assert stack.create(parent(stack.upload(child(Bad=BAD_BUCKET)))) == "ROLLBACK_COMPLETE"
    assert "The following resource(s) failed to create: [Bad]" in stack.failure()
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} == vpcs
    pages = stack.client.get_paginator("describe_stacks").paginate()
    alive = {each["StackName"] for page in pages for each in page["Stacks"]}
    assert not [name for name in alive if name.startswith(f"{stack.name}-Nested")]


def test_deleting_a_stack_deletes_its_nested_stacks(stack: Deployer) -> None:
    assert stack.create(parent(stack.upload(child()))) == "CREATE_COMPLETE"
    vpc = stack.outputs()["Vpc"]
    assert stack.delete() == "DELETED"
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        stack.twin.client("ec2").describe_vpcs(VpcIds=[vpc])


def test_a_nested_stack_that_cannot_be_deleted_fails_its_parent(stack: Deployer) -> None:
    bucket = f"nested-{uuid.uuid4().hex[:8]}"
    full = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}
    assert stack.create(parent(stack.upload(child(Bucket=full)))) == "CREATE_COMPLETE"
    s3 = stack.twin.client("s3")
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    assert stack.delete() == "DELETE_FAILED"
    s3.delete_object(Bucket=bucket, Key="key")
    assert stack.delete() == "DELETED"
