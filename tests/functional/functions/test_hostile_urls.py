"""Function URLs whose functions, or callers, mean harm: each is alone with what it does."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from tests.functional.functions.test_urls import SOURCE, ask, opened
from tests.functional.twin.test_functions import Make, function_role, make
from trainworks.testing import TestTwin

__all__ = ["make"]


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "hostile-urls-role")


@pytest.mark.parametrize("status", [204, 304])
def test_no_answer_goes_on_behind_a_status_that_has_no_body(twin: TestTwin, make: Make, status: int) -> None:
    """A body behind it would be taken for the answer to the next request on the connection, whoever's that is."""
    url = urlsplit(opened(twin, make(SOURCE)))
    body = json.dumps({"statusCode": status, "body": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"}).encode()
    head = f"POST {url.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/x\r\nContent-Length: {len(body)}\r\n\r\n"
    next_one = b"GET /_trainworks/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=120) as connection:
        connection.sendall(head.encode() + body + next_one)
        with connection.makefile("rb") as answers:
            first, _, rest = answers.read().partition(b"\r\n\r\n")
    assert first.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"forged" not in rest
    assert b'"version"' in rest


def test_what_no_client_could_read_is_a_failure_of_the_function(twin: TestTwin, make: Make) -> None:
    url = opened(twin, make(SOURCE))
    heads = [
        {"x": "a\x01"},
        {"x": "\x7f"},
        {"x": "a\r\nset-cookie: b=c"},
        {"x\n": "a"},
        {"x": "y" * 70_000},
        {"é": "a"},
    ]
    answers = [{"statusCode": 200, "headers": head} for head in heads]
    answers += [{"statusCode": status} for status in (100, 101, 102, 199, 600)]
    answers.append({"statusCode": 200, "headers": {"é": "a"}})
    for each in answers:
        assert ask(url, "POST", body=each)[::2] == (502, b"Internal Server Error"), str(each)[:80]


def test_bodies_that_nobody_signed_take_no_place_from_signed_requests(twin: TestTwin, make: Make) -> None:
    """Announced, and never sent: they are dropped after some seconds, and others must not wait for that."""
    url = urlsplit(opened(twin, make(SOURCE)))
    unknown = f"/_lambda-url/{'a' * 32}/"
    with ExitStack() as held:
        for path, size in [(url.path, 6 * 1024 * 1024)] * 44 + [(unknown, 1024 * 1024)] * 6:
            connection = held.enter_context(socket.create_connection((url.hostname, url.port), timeout=120))
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\nx".encode())
        layer = b"x" * 5 * 1024 * 1024
        code = twin.client("lambda", retries={"total_max_attempts": 1})
        with pytest.raises(code.exceptions.ClientError) as refused:
            code.update_function_code(FunctionName="nobody", ZipFile=layer)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_every_path_of_a_urls_own_host_is_the_functions(twin: TestTwin, make: Make) -> None:
    url = opened(twin, make(SOURCE))
    host = f"{url.rstrip('/').rpartition('/')[2]}.lambda-url.us-east-1.localhost"
    for path in ("/v2/items", "/_aws/x", "/_trainworks/health", "/_ministack/cfn-response/" + "a" * 16):
        status, _, body = ask(twin.endpoint_url, path=path, headers={"Host": host})
        assert (status, json.loads(body).get("rawPath")) == (200, path)


def test_no_function_learns_what_it_could_act_as_its_caller_with(twin: TestTwin, make: Make) -> None:
    url = opened(twin, make(SOURCE), "AWS_IAM")
    signed = AWSRequest("GET", f"{url}?own=1", headers={"Host": urlsplit(url).netloc})
    SigV4QueryAuth(twin.session().get_credentials(), "lambda", "us-east-1", expires=300).add_auth(signed)
    status, _, body = ask(url, path=f"?{urlsplit(signed.url).query}")
    event = json.loads(body)
    assert (status, event["queryStringParameters"]["own"]) == (200, "1"), event
    assert "signature=" not in event["rawQueryString"].lower()
    assert "X-Amz-Signature" not in event["queryStringParameters"]
