"""Users, roles and policies for tests of permissions: what a user types, through boto3."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
REGION = "us-east-1"


def new(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def trusting(principal: Any, **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def user(twin: TestTwin, *statements: dict[str, Any], **more: Any) -> tuple[str, boto3.Session]:
    """(name, session of a new user that has these statements)."""
    name, iam = new("user"), twin.client("iam")
    iam.create_user(UserName=name, **more)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, twin.session(key["AccessKeyId"], key["SecretAccessKey"])


def role(twin: TestTwin, principal: Any, *statements: dict[str, Any], **more: Any) -> str:
    """The ARN of a new role that trusts `principal`."""
    name, iam = new("role"), twin.client("iam")
    created = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(principal), **more)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return str(created["Role"]["Arn"])


def assumed(twin: TestTwin, role_arn: str, session: boto3.Session | None = None, **more: Any) -> boto3.Session:
    given = {"RoleArn": role_arn, "RoleSessionName": "session", **more}
    keys = twin.client("sts", session).assume_role(**given)["Credentials"]
    return twin.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def code(call: Any, **given: Any) -> str:
    """'OK' or the code of the error that a call ends with."""
    try:
        call(**given)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


def message(call: Any, **given: Any) -> str:
    try:
        call(**given)
    except ClientError as error:
        return str(error.response["Error"].get("Message") or error.response.get("message"))
    return ""
