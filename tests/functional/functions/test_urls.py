"""Function URLs: served at the twin's address, to whom the function's policy lets in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.functional.twin.test_functions import Make, archive, function_role, make
from trainworks.testing import TestTwin

__all__ = ["make"]

SOURCE = """
import json

def handler(event, context):
    asked = json.loads(event.get("body") or "null")
    if asked == "fall":
        raise ValueError("gone")
    return event if asked is None else asked
"""
OPEN = (
    {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
)
Answer = tuple[int, list[tuple[str, str]], bytes]


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "function-urls-role")


def ask(  # noqa: PLR0917 - what a request consists of
    url: str, method: str = "GET", path: str = "", body: Any = None, headers: Any = None, key: Credentials | None = None
) -> Answer:
    address = urlsplit(url)
    content = json.dumps(body).encode() if body is not None else b""
    given = {"Content-Type": "application/json", **(headers or {})}
    if key is not None:
        signed = AWSRequest(method, url + path, data=content, headers=given)
        SigV4Auth(key, "lambda", "us-east-1").add_auth(signed)
        given = dict(signed.headers.items())
    connection = HTTPConnection(address.hostname or "", address.port, timeout=120)
    try:
        connection.request(method, address.path + path, content, given)
        answer = connection.getresponse()
        return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read()
    finally:
        connection.close()


def opened(twin: TestTwin, name: str, auth_type: str = "NONE", **more: Any) -> str:
    """The URL of a function that lets everybody in."""
    functions = twin.client("lambda")
    url = functions.create_function_url_config(FunctionName=name, AuthType=auth_type, **more)["FunctionUrl"]
    for number, each in enumerate(OPEN if auth_type == "NONE" else ()):
        functions.add_permission(FunctionName=name, StatementId=f"open-{number}", Principal="*", **each)
    return str(url)


def test_an_open_url_gives_the_request_as_its_event(twin: TestTwin, make: Make) -> None:
    url = opened(twin, make(SOURCE))
    assert url.startswith(f"{twin.endpoint_url}/_lambda-url/")
    status, headers, body = ask(url, path="a%20b/c?x=1&x=2", headers={"Cookie": "k=v", "Authorization": "Bearer own"})
    event = json.loads(body)
    assert (status, dict(headers)["content-type"]) == (200, "application/json")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/c", "x=1&x=2")
    assert (event["cookies"], event["queryStringParameters"]) == (["k=v"], {"x": "1,2"})
    assert event["headers"]["authorization"] == "Bearer own"
    assert event["requestContext"]["accountId"] == "anonymous"
    assert "authorizer" not in event["requestContext"]
    host = f"{event['requestContext']['apiId']}.lambda-url.us-east-1.localhost"
    status, _, body = ask(f"{twin.endpoint_url}/", path="by/host", headers={"Host": host})
    assert (status, json.loads(body)["rawPath"]) == (200, "/by/host")


def test_a_result_is_the_answer(twin: TestTwin, make: Make) -> None:
    name = make(SOURCE)
    url = opened(twin, name)
    given = {"statusCode": 418, "headers": {"X-Own": "1"}, "cookies": ["a=b", "c=d"], "body": "short and stout"}
    status, headers, body = ask(url, "POST", body=given)
    assert (status, body) == (418, b"short and stout")
    assert {("x-own", "1"), ("set-cookie", "a=b"), ("set-cookie", "c=d")} <= set(headers)
    assert ask(url, "HEAD")[2] == b""
    assert ask(url, "POST", body="fall")[::2] == (502, b"Internal Server Error")
    assert ask(url, "POST", body="x" * 6 * 1024 * 1024)[0] == 413
    twin.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert ask(url)[0] == 429
    twin.client("lambda").delete_function(FunctionName=name)
    assert ask(url)[0] == 404
    assert ask(f"{twin.endpoint_url}/_lambda-url/{'a' * 32}/")[0] == 404


def test_an_open_url_needs_both_permissions_for_everybody(twin: TestTwin, make: Make) -> None:
    name = make(SOURCE)
    functions = twin.client("lambda")
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for number, each in enumerate(OPEN):
        status, _, body = ask(url)
        assert (status, each["Action"] in json.loads(body)["Message"]) == (403, True)
        functions.add_permission(FunctionName=name, StatementId=str(number), Principal="*", **each)
    assert ask(url)[0] == 200
    functions.remove_permission(FunctionName=name, StatementId="0")
    assert ask(url)[0] == 403


def user_key(twin: TestTwin, name: str, actions: list[str]) -> Credentials:
    iam = twin.client("iam")
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_a_closed_url_is_for_those_who_sign_and_may(twin: TestTwin, make: Make) -> None:
    url = opened(twin, make(SOURCE), "AWS_IAM")
    may = user_key(twin, f"may-{secrets.token_hex(4)}", [str(each["Action"]) for each in OPEN])
    may_not = user_key(twin, f"may-not-{secrets.token_hex(4)}", ["lambda:InvokeFunction", "s3:*"])
    status, _, body = ask(url, "POST", "x?y=1", {"statusCode": 200, "body": "in"}, key=may)
    assert (status, body) == (200, b"in")
    event = json.loads(ask(url, path="x?y=1", key=may)[2])
    assert event["requestContext"]["authorizer"]["iam"]["userArn"].rpartition("/")[2].startswith("may-")
    assert "authorization" not in event["headers"]
    for key in (None, may_not, Credentials(may.access_key, "forged"), Credentials("AKIANOBODY", "forged")):
        assert ask(url, key=key)[0] == 403
    secret: Callable[[str], bool] = lambda text: bool(may.secret_key) and may.secret_key in text  # noqa: E731
    assert not secret(json.dumps(event))


def test_pages_of_other_origins_are_told_what_they_may(twin: TestTwin, make: Make) -> None:
    name = make(SOURCE)
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"], "MaxAge": 60}
    url = opened(twin, name, "AWS_IAM", Cors=cors)
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    status, headers, _ = ask(url, "OPTIONS", headers=asks)
    assert (status, dict(headers)["access-control-allow-methods"]) == (200, "PUT")
    assert dict(ask(url, headers=asks)[1])["access-control-allow-origin"] == "https://a.example"
    _, headers, _ = ask(url, "OPTIONS", headers={**asks, "Origin": "https://b.example"})
    assert not [header for header, _ in headers if header.startswith("access-control")]


def test_an_alias_has_a_url_of_its_own_which_may_stream(twin: TestTwin, make: Make) -> None:
    name = make("def handler(event, context):\n    return context.invoked_function_arn\n")
    functions = twin.client("lambda")
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    made = functions.create_function_url_config(
        FunctionName=name, Qualifier="live", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    for number, each in enumerate(OPEN):
        functions.add_permission(FunctionName=name, Qualifier="live", StatementId=str(number), Principal="*", **each)
    status, headers, body = ask(made["FunctionUrl"])
    assert (status, json.loads(body).endswith(f":{name}:live")) == (200, True)
    assert dict(headers)["content-type"] == "application/octet-stream"
    listed = functions.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [each["FunctionUrl"] for each in listed] == [made["FunctionUrl"]]
    functions.delete_alias(FunctionName=name, Name="live")
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    assert ask(made["FunctionUrl"])[0] == 404


def test_a_stack_tells_the_url_that_it_made(twin: TestTwin, role: str) -> None:
    template = {
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": role,
                    "Code": {"ZipFile": "def handler(event, context):\n    return 'from a stack'\n"},
                },
            },
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}},
            },
            **{
                f"Open{number}": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Principal": "*", **each},
                }
                for number, each in enumerate(OPEN)
            },
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}},
    }
    name = f"urls-{secrets.token_hex(4)}"
    stacks = twin.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    (output,) = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    assert ask(output["OutputValue"])[::2] == (200, b"from a stack")


def test_a_url_outlives_the_server(own_twin: TestTwin) -> None:
    arn = function_role(own_twin, "r")
    own_twin.client("lambda").create_function(
        FunctionName="f", Runtime="python3.11", Handler="index.handler", Role=arn,
        Code={"ZipFile": archive({"index.py": SOURCE})},
    )  # fmt: skip
    url = opened(own_twin, "f")
    own_twin.kill()
    own_twin.start()
    assert ask(url)[0] == 200
