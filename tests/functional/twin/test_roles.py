"""Calls with a role's credentials are decided by its policies, S3 data included; denials name who, what and where."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
TRUST = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}


def role_session(twin: TestTwin, *statements: Mapping[str, Any]) -> tuple[str, boto3.Session]:
    """(role name, session of a role that has these statements)."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    iam = twin.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}))
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    assumed = twin.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="job")
    keys = assumed["Credentials"]
    return name, twin.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def allow(action: str | list[str], resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def denied(error: pytest.ExceptionInfo[ClientError]) -> str:
    code = error.value.response["Error"]["Code"]
    assert code in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}, code
    return str(error.value)


def test_a_denial_names_principal_action_and_resource(twin: TestTwin) -> None:
    name, session = role_session(twin, allow("sqs:ListQueues"))
    with pytest.raises(ClientError) as error:
        twin.client("iam", session).get_role(RoleName="some-role")
    message = denied(error)
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/job" in message
    assert "iam:GetRole" in message
    assert f"arn:aws:iam::{ACCOUNT}:role/some-role" in message


def test_a_prefix_in_a_policy_bounds_object_data(twin: TestTwin) -> None:
    bucket = f"data-{uuid.uuid4().hex[:8]}"
    twin.client("s3").create_bucket(Bucket=bucket)
    _, session = role_session(twin, allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/mine/*"))
    s3 = twin.client("s3", session)
    s3.put_object(Bucket=bucket, Key="mine/key", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="mine/key")["Body"].read() == b"1"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="yours/key", Body=b"1")
    assert f"arn:aws:s3:::{bucket}/yours/key" in denied(error)
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket=bucket)
    assert "s3:ListBucket" in denied(error)


def test_an_explicit_deny_wins_over_an_allow(twin: TestTwin) -> None:
    bucket = f"deny-{uuid.uuid4().hex[:8]}"
    twin.client("s3").create_bucket(Bucket=bucket)
    deny = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
    _, session = role_session(twin, allow("s3:*"), deny)
    s3 = twin.client("s3", session)
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket=bucket, Key="key")
    assert "explicit deny" in denied(error)


def test_log_groups_and_metric_namespaces_bound_a_role(twin: TestTwin) -> None:
    group = f"/group/{uuid.uuid4().hex[:8]}"
    logs_arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    _, session = role_session(
        twin,
        allow(["logs:CreateLogGroup", "logs:CreateLogStream"], f"{logs_arn}*"),
        allow("cloudwatch:PutMetricData", **{"StringEquals": {"cloudwatch:namespace": "Mine"}}),
    )
    logs, cloudwatch = twin.client("logs", session), twin.client("cloudwatch", session)
    logs.create_log_group(logGroupName=group)
    with pytest.raises(ClientError) as error:
        logs.create_log_group(logGroupName="/another")
    assert "log-group:/another" in denied(error)
    data = [{"MetricName": "m", "Value": 1.0}]
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=data)
    with pytest.raises(ClientError) as error:
        cloudwatch.put_metric_data(Namespace="Yours", MetricData=data)
    assert "cloudwatch:PutMetricData" in denied(error)


def test_our_own_services_are_enforced_alike(twin: TestTwin) -> None:
    _, session = role_session(twin, allow("sqs:ListQueues"))
    with pytest.raises(ClientError) as error:
        twin.client("sagemaker", session).list_training_jobs()
    assert "sagemaker:ListTrainingJobs" in denied(error)


def test_a_session_token_that_was_changed_is_refused(twin: TestTwin) -> None:
    _, session = role_session(twin, allow("*"))
    keys = session.get_credentials()
    assert keys is not None
    forged = twin.session(keys.access_key, keys.secret_key, f"{keys.token}x")
    with pytest.raises(ClientError) as error:
        twin.client("sts", forged).get_caller_identity()
    assert error.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_a_user_has_what_its_policies_give(twin: TestTwin) -> None:
    iam, name = twin.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("sqs:*")]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = twin.session(key["AccessKeyId"], key["SecretAccessKey"])
    twin.client("sqs", session).list_queues()
    with pytest.raises(ClientError) as error:
        twin.client("sns", session).list_topics()
    assert error.value.response["Error"]["Code"] == "AuthorizationError"
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError) as error:
        twin.client("sqs", session).list_queues()
    assert "InvalidClientTokenId" in str(error.value) or "UnrecognizedClient" in str(error.value)


def test_logs_are_checked_on_the_stream_and_a_group_on_an_empty_one(twin: TestTwin) -> None:
    group = f"/streams/{uuid.uuid4().hex[:8]}"
    group_arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    twin.client("logs").create_log_group(logGroupName=group)
    actions = ["logs:CreateLogStream", "logs:PutRetentionPolicy"]
    _, without = role_session(twin, allow(actions, group_arn))
    with pytest.raises(ClientError) as error:
        twin.client("logs", without).create_log_stream(logGroupName=group, logStreamName="one")
    assert f"{group_arn}:log-stream:one" in denied(error)
    with pytest.raises(ClientError) as error:
        twin.client("logs", without).put_retention_policy(logGroupName=group, retentionInDays=7)
    assert f"{group_arn}:log-stream: because" in denied(error)
    _, session = role_session(
        twin, allow("logs:PutRetentionPolicy", f"{group_arn}:*"), allow(actions, f"{group_arn}:log-stream:one")
    )
    logs = twin.client("logs", session)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    with pytest.raises(ClientError) as error:
        logs.create_log_stream(logGroupName=group, logStreamName="two")
    assert f"{group_arn}:log-stream:two" in denied(error)


def test_tags_of_a_log_group_are_checked_on_the_group_itself(twin: TestTwin) -> None:
    group = f"/tagged/{uuid.uuid4().hex[:8]}"
    group_arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    twin.client("logs").create_log_group(logGroupName=group, tags={"team": "one"})
    _, session = role_session(
        twin,
        allow("logs:ListTagsForResource", group_arn),
        allow("logs:PutRetentionPolicy", **{"StringEquals": {"aws:ResourceTag/team": "one"}}),
    )
    logs = twin.client("logs", session)
    assert logs.list_tags_for_resource(resourceArn=group_arn)["tags"] == {"team": "one"}
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)


def test_a_network_interface_is_checked_with_its_subnet_and_its_groups(twin: TestTwin) -> None:
    ec2 = twin.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    mine, other = (
        ec2.create_security_group(VpcId=vpc_id, GroupName=name, Description=name)["GroupId"]
        for name in ("mine", "other")
    )
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    places = [f"{arn}:network-interface/*", f"{arn}:subnet/{subnet_id}", f"{arn}:security-group/{mine}"]
    _, session = role_session(twin, *(allow("ec2:CreateNetworkInterface", each) for each in places))
    as_role = twin.client("ec2", session)
    as_role.create_network_interface(SubnetId=subnet_id, Groups=[mine])
    with pytest.raises(ClientError) as error:
        as_role.create_network_interface(SubnetId=subnet_id, Groups=[mine, other])
    assert f"security-group/{other}" in denied(error)
    for missing in range(len(places)):
        kept = [each for index, each in enumerate(places) if index != missing]
        _, session = role_session(twin, *(allow("ec2:CreateNetworkInterface", each) for each in kept))
        with pytest.raises(ClientError) as error:
            twin.client("ec2", session).create_network_interface(SubnetId=subnet_id, Groups=[mine])
        assert places[missing] in denied(error)


def test_a_description_in_ec2_has_no_resource(twin: TestTwin) -> None:
    ec2 = twin.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    _, session = role_session(twin, allow("ec2:DescribeVpcAttribute", f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/{vpc_id}"))
    with pytest.raises(ClientError) as error:
        twin.client("ec2", session).describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")
    assert "on resource: * " in denied(error)


def test_a_role_that_trusts_a_service_is_not_for_root(twin: TestTwin) -> None:
    name = f"service-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    twin.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    with pytest.raises(ClientError) as error:
        twin.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="root")
    assert "sts:AssumeRole" in denied(error)
