"""No operation of any service is served without permission: every one in botocore's models is tried without any."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from tests.functional.twin.iam import ACCOUNT, allow, new, user

from trainworks.testing import TestTwin
from trainworks.twin.building import OWN_SERVICES
from trainworks.twin.emulator.services import SERVICES

CLIENTS = {"monitoring": "cloudwatch", "states": "stepfunctions", "tagging": "resourcegroupstaggingapi"}
PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "403",  # a HEAD request's
    "NotImplemented",  # refused before anything else
}
# What these find wrong in a request, they say before they ask for permission.
CHECKED_FIRST = {
    "batch": {"ClientException"},
    "logs": {"InvalidParameterException", "MalformedQueryException", "ValidationException"},
    "sagemaker": {"ValidationException"},
    "sts": {"MissingAuthenticationToken"},
}
ACTIONS = {
    ("dynamodb", "TransactGetItems"): "dynamodb:GetItem",
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "lambda:GetLayerVersion",
}
# The first two need no permission; the last answers for each object whether it may be deleted.
_FORM = "application/x-www-form-urlencoded"
FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken"), ("s3", "DeleteObjects")}


def sample(shape: Shape, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a type
    """The least value that a shape takes: required members only."""
    if isinstance(shape, StructureShape):
        required = shape.required_members or (
            list(shape.members)[:1] if getattr(shape, "is_tagged_union", False) else []
        )
        return {name: sample(shape.members[name], depth + 1) for name in required if depth < 6}
    if isinstance(shape, ListShape):
        return [sample(shape.member, depth + 1)]
    if isinstance(shape, MapShape):
        return {"key": sample(shape.value, depth + 1)}
    if shape.type_name in ("integer", "long", "float", "double"):
        return 1
    if shape.type_name in ("boolean", "timestamp", "blob"):
        return {"boolean": True, "timestamp": 1_700_000_000, "blob": b"x"}[shape.type_name]
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return f"arn:aws:iam::{ACCOUNT}:role/x" if "arn" in shape.name.lower() else "name"


@pytest.mark.parametrize("service", sorted({*SERVICES, *OWN_SERVICES}))
def test_who_may_do_nothing_does_nothing(twin: TestTwin, service: str) -> None:
    _, session = user(twin)
    client = twin.client(CLIENTS.get(service, service), session, parameter_validation=False, inject_host_prefix=False)
    model, wrong = client.meta.service_model, {}
    given = {}
    if service == "s3":
        given = {"Bucket": new("every"), "Key": "key", "CopySource": "every/key"}
        twin.client("s3").create_bucket(Bucket=given["Bucket"])
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        params = {} if shape is None else sample(shape)
        params |= {name: value for name, value in given.items() if name in params}
        try:
            client._make_api_call(operation, params)
            outcome, told = "OK", ""
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
            told = str(error.response["Error"].get("Message") or error.response.get("message"))
        needed = ACTIONS.get((service, operation), f"{PREFIXES.get(service, service)}:{operation}")
        if outcome in DENIED | CHECKED_FIRST.get(service, set()):
            asked = told.partition("is not authorized to perform: ")[2].partition(" ")[0]
            if service != "s3" and asked and asked.lower() != needed.lower():
                wrong[operation] = asked
        elif (service, operation) not in FREE:
            wrong[operation] = outcome
    assert not wrong


@pytest.mark.parametrize(
    ("service", "path", "target", "form"),
    [
        ("iam", "/?Action=GetUser&Version=2010-05-08", "", "Action=CreateAccessKey&Version=2010-05-08"),
        ("iam", "/?RoleName=mine&Version=2010-05-08", "", "Action=DeleteRole&RoleName=other&Version=2010-05-08"),
        ("iam", "/", "", "Action=GetUser&Action=CreateAccessKey&Version=2010-05-08"),
        ("iam", "/?Action=GetUser&Version=2010-05-08", "", f"{'x' * 5000}=&Action=CreateAccessKey"),
        ("sts", "/?Action=GetCallerIdentity", "", "Action=GetFederationToken&Name=name&Version=2011-06-15"),
        ("sqs", "/?Action=ListQueues", "AmazonSQS.CreateQueue", ""),
        ("ssm", "/?Action=GetParameter", "AmazonSSM.DescribeParameters", ""),
        ("s3", "/some-bucket?Action=GetUser", "", ""),
        ("s3", "/some-bucket?acl", "Any.ListAllMyBuckets", ""),
        ("lambda", "/2015-03-31/functions?Action=GetUser", "", ""),
        ("monitoring", "/service/GraniteServiceVersion20100801/operation/ListMetrics", "", ""),
        ("monitoring", "/service/GraniteServiceVersion20100801/operation/ListMetrics?Action=GetMetricData", "", ""),
    ],
)
def test_a_request_that_names_two_operations_is_refused(
    twin: TestTwin, service: str, path: str, target: str, form: str
) -> None:
    harmless = [
        "iam:GetUser",
        "sqs:ListQueues",
        "ssm:GetParameter",
        "s3:ListAllMyBuckets",
        "s3:GetUser",
        "cloudwatch:GetMetricData",
    ]
    _, session = user(twin, allow([*harmless, "lambda:GetUser", "iam:DeleteRole"]))
    body = form or ("{}" if target else "")
    headers = {"content-type": "text/plain" if "xxx" in form else _FORM if form else "application/x-amz-json-1.0"}
    if target:
        headers["x-amz-target"] = target
    method = "GET" if service in ("s3", "lambda") else "POST"
    request = AWSRequest(method, f"{twin.endpoint_url}{path}", data=body, headers=headers)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(session.get_credentials(), service, "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code in (400, 403), answer.text
    assert "not authorized to perform" in answer.text
