"""Events and answers of function URLs: whatever a request or a result holds."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.emulator.functions.url_events import (
    FAILED,
    UrlIdentity,
    answer_of,
    cors_headers,
    event_of,
    is_preflight,
    streamed_answer,
)
from trainworks.twin.ports import UrlAnswer, UrlRequest

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RESULT: Any = JSON | st.fixed_dictionaries(
    {"statusCode": JSON | st.integers(100, 599)},
    optional={
        "headers": JSON | st.dictionaries(st.text(max_size=6), JSON, max_size=3),
        "cookies": JSON,
        "body": JSON,
        "isBase64Encoded": JSON,
    },
)


def request(**given: Any) -> UrlRequest:
    plain: dict[str, Any] = {"method": "GET", "path": "/", "query": "", "headers": {}, "body": b""}
    return UrlRequest("u" * 32, **{**plain, **given})


def sendable(answer: UrlAnswer) -> bool:
    lines = [f"{name}: {value}" for name, value in answer.headers]
    return 100 < answer.status < 600 and not any(bad in line for line in lines for bad in "\r\n\0")


@given(RESULT, st.binary(max_size=40))
def test_any_result_is_an_answer_that_can_be_sent(result: Any, noise: bytes) -> None:
    assert sendable(answer_of(result))
    assert sendable(streamed_answer(json.dumps(result).encode() + b"\0" * 8 + noise))
    assert sendable(streamed_answer(noise))


@given(st.binary(max_size=40), st.text(max_size=30), st.sampled_from(["", "text/plain", "image/png"]))
def test_any_request_is_an_event_that_gives_its_body_back(body: bytes, query: str, kind: str) -> None:
    asked = request(body=body, query=query, headers={"content-type": kind, "cookie": query})
    event = event_of(asked, "us-east-1", UrlIdentity("anonymous"), "r-1", 1.5)
    json.dumps(event)
    if event["isBase64Encoded"]:
        assert base64.b64decode(event["body"]) == body
    else:
        assert event.get("body", "") == body.decode(errors="replace")


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ("plain", 200, b"plain"),
        ({"a": 1}, 200, b'{"a": 1}'),
        ({"statusCode": "201", "body": {"a": 1}}, 201, b'{"a": 1}'),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "aGk="}, 200, b"hi"),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "not base64!"}, 502, FAILED.body),
        ({"statusCode": 0}, 502, FAILED.body),
        ({"statusCode": 200, "cookies": "a=b"}, 502, FAILED.body),
        ({"statusCode": 200, "headers": {"a\r\nset-cookie": "b"}}, 502, FAILED.body),
    ],
)
def test_a_result_says_its_status_or_is_the_body(result: Any, status: int, body: bytes) -> None:
    answer = answer_of(result)
    assert (answer.status, answer.body) == (status, body)


def test_several_values_of_a_parameter_are_joined_and_what_signs_stays_out() -> None:
    headers = {"authorization": "AWS4-HMAC-SHA256 ...", "x-amz-security-token": "t", "x-own": "1"}
    asked = request(query="a=1&b=%20+&a=2&c", headers=headers)
    event = event_of(asked, "us-east-1", UrlIdentity("1", "arn", "key", "id"), "r-1", 0)
    assert event["queryStringParameters"] == {"a": "1,2", "b": "  ", "c": ""}
    assert event["headers"].keys() & headers.keys() == {"x-own"}
    event = event_of(asked, "us-east-1", UrlIdentity("anonymous"), "r-1", 0)
    assert event["headers"].keys() >= headers.keys()


def test_a_page_is_told_only_what_its_origin_may() -> None:
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "PUT"], "MaxAge": 0, "AllowHeaders": ["x"]}
    asked = request(method="OPTIONS", headers={"origin": "https://a.example", "access-control-request-method": "PUT"})
    assert is_preflight(asked, cors)
    assert not is_preflight(asked, {})
    told = dict(cors_headers(cors, "https://a.example", preflight=True))
    assert told["access-control-allow-origin"] == "https://a.example"
    assert (told["access-control-allow-methods"], told["access-control-max-age"]) == ("GET,PUT", "0")
    assert cors_headers(cors, "https://b.example", preflight=True) == []
    assert dict(cors_headers({"AllowOrigins": ["*"]}, "https://b.example", preflight=False)) == {
        "access-control-allow-origin": "*"
    }
