"""What a client sends is bounded before anybody is believed, and what is refused hurts no later request."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin

HEALTH = b"GET /_trainworks/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes


class Wire:
    """One connection, spoken by hand: what a client library would tidy up goes out as it is."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._in = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer. `method` is of the request: nothing follows the head of an answer to HEAD."""
        status = int(self._in.readline().split()[1])
        lines = iter(self._in.readline, b"\r\n")
        headers = dict(line.decode().strip().lower().split(": ", 1) for line in lines)
        size = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        return Answer(status, headers, self._in.read(size))

    def is_ended(self) -> bool:
        try:
            return self._in.read(1) == b""
        except ConnectionResetError:
            return True


@contextmanager
def connected(twin: TestTwin) -> Iterator[Wire]:
    wire = Wire(twin.server.port)
    try:
        yield wire
    finally:
        wire.socket.close()


def signed(
    twin: TestTwin,
    method: str,
    path: str,
    body: bytes,
    *,
    service: str = "sts",
    key: str | None = None,
    headers: dict[str, str] | None = None,
    claimed: bytes | None = None,
) -> bytes:
    """A signed request; `claimed` is another body than the one that is sent."""
    root = twin.home.credentials()
    host = f"127.0.0.1:{twin.server.port}"
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host, **(headers or {})})
    if service == "s3":
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body if claimed is None else claimed).hexdigest()
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials(key or root.access_key_id, root.secret_access_key), service, "us-east-1").add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()), "", ""]
    return "\r\n".join(lines).encode()


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"


def refused_heads(twin: TestTwin) -> dict[str, bytes]:
    """Heads that are refused before their body is looked at, without its length."""
    return {
        "unsigned": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "another host": b"POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "closed path": b"PUT /_ministack/reset HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "unknown key": signed(twin, "POST", "/", WHO, key="AKIAAAAAAAAAAAAAAAAA", headers=FORM),
        "no such bucket": signed(twin, "PUT", "/not-there-at-all/key", b"x", service="s3"),
        "key too long": signed(twin, "PUT", f"/bucket/{'k' * 1025}", b"x", service="s3"),
        "part out of range": signed(twin, "PUT", "/bucket/key?partNumber=0&uploadId=none", b"x", service="s3"),
        "not implemented": signed(twin, "PUT", "/bucket/key?acl", b"x", service="s3"),
        "other body": signed(twin, "PUT", "/bucket/key", b"x", service="s3", claimed=b"y"),
        "head": signed(twin, "HEAD", "/bucket/key", b"x", service="s3"),
    }


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_next_request_on_a_connection_is_unharmed_by_a_refusal(twin: TestTwin, data: st.DataObject) -> None:
    heads = refused_heads(twin)
    with connected(twin) as wire:
        for _ in range(data.draw(st.integers(1, 4))):
            name = data.draw(st.sampled_from(sorted(heads)))
            framing = data.draw(st.sampled_from(["length", "chunked", "expect", "expect and send"]))
            size = data.draw(st.sampled_from([1, 100, 70_000, 300_000]))
            body, head = b"b" * size, heads[name][:-2]
            if framing == "chunked":
                head += b"Transfer-Encoding: chunked\r\n"
                body = b"%x\r\n%b\r\n0\r\nX-Trailer: t\r\n\r\n" % (size, body)
            else:
                head += b"Content-Length: %d\r\n" % size
            if framing.startswith("expect"):
                head += b"Expect: 100-continue\r\n"
            wire.send(head + b"\r\n" + (b"" if framing == "expect" else body))
            if framing == "expect" and b" 100 " in wire.socket.recv(12, socket.MSG_PEEK) + b" ":
                wire.answer()
                wire.send(body)
            answer = wire.answer("HEAD" if name == "head" else "POST")
            if answer.status == 100:
                answer = wire.answer("HEAD" if name == "head" else "POST")
            assert 400 <= answer.status < 502, name
            if answer.headers.get("connection") == "close":
                assert wire.is_ended()
                return
        wire.send(HEALTH)
        assert wire.answer().status == 200


def test_pipelined_requests_are_answered_in_turn(twin: TestTwin) -> None:
    who = signed(twin, "POST", "/", WHO, headers=FORM)[:-2] + b"Content-Length: %d\r\n\r\n" % len(WHO) + WHO
    unsigned = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"
    with connected(twin) as wire:
        wire.send(who + unsigned + HEALTH)
        assert [wire.answer("POST").status, wire.answer("POST").status, wire.answer().status] == [200, 403, 200]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET /" + b"u" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, id="path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"h" * 70_000 + b"\r\n\r\n", 431, id="header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X-A: a\r\n" * 9_000 + b"\r\n", 431, id="headers"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"h" * 5_000_000, 431, id="header without end"),
    ],
)
def test_a_head_has_at_most_64_kib(twin: TestTwin, head: bytes, status: int) -> None:
    with connected(twin) as wire:
        wire.send(head)
        assert wire.answer().status == status
        assert wire.is_ended()


def test_trailers_are_no_headers(twin: TestTwin) -> None:
    """A trailer that names a header would be one that nothing signed."""
    head = b"GET /_trainworks/health HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(twin) as wire:
        wire.send(head + b"0\r\nHost: localhost\r\n\r\n")
        assert wire.answer().status == 403


@pytest.mark.parametrize("kind", ["unsigned", "unknown key", "no such bucket"])
def test_nothing_is_kept_of_a_body_whose_sender_is_not_known(twin: TestTwin, kind: str) -> None:
    head = refused_heads(twin)[kind][:-2] + b"Content-Length: %d\r\n\r\n" % (200 * MIB)
    server = psutil.Process(twin.server.pid)
    before = server.memory_info().rss
    with connected(twin) as wire:
        wire.send(head)
        try:
            for _ in range(200):
                wire.send(b"b" * MIB)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert server.memory_info().rss - before < 24 * MIB
    assert twin.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_body_beyond_its_services_limit_is_refused_unread(twin: TestTwin) -> None:
    head = signed(twin, "POST", "/", WHO, headers=FORM)[:-2] + b"Content-Length: %d\r\n\r\n" % (9 * MIB)
    with connected(twin) as wire:
        wire.send(head)
        assert wire.answer("POST").status == 413


def test_many_bodies_together_are_bounded_and_are_told_to_come_again(twin: TestTwin) -> None:
    head = signed(twin, "POST", "/", b"{}", service="lambda")[:-2] + b"Content-Length: %d\r\n\r\n" % (60 * MIB)
    wires = [Wire(twin.server.port) for _ in range(6)]
    try:
        for wire in wires:
            wire.send(head)
        answers = [wire.answer("POST").status for wire in wires[4:]]
        assert answers == [503, 503]
    finally:
        for wire in wires:
            wire.socket.close()
    assert twin.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_half_open_requests_shut_nobody_out(twin: TestTwin) -> None:
    half = [Wire(twin.server.port) for _ in range(600)]
    try:
        for wire in half:
            wire.send(b"GET / HTTP/1.1\r\nHost: ")
        assert twin.session().client("sts", endpoint_url=twin.endpoint_url).get_caller_identity()["Account"]
        assert len(psutil.Process(twin.server.pid).net_connections()) < 1100
    finally:
        for wire in half:
            wire.socket.close()


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
DEEP_LIST = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("service", "target", "path"),
    [
        ("logs", "Logs_20140328.DescribeLogGroups", "/"),
        ("dynamodb", "DynamoDB_20120810.ListTables", "/"),
        ("sqs", "AmazonSQS.ListQueues", "/"),
        ("events", "AWSEvents.ListRules", "/"),
        ("states", "AWSStepFunctions.ListStateMachines", "/"),
        ("sagemaker", "SageMaker.ListTrainingJobs", "/"),
        ("batch", "", "/v1/describejobqueues"),
        ("lambda", "", "/2015-03-31/functions"),
    ],
)
@pytest.mark.parametrize("deep", [DEEP, DEEP_LIST], ids=["object", "list"])
def test_json_that_is_nested_without_end_is_refused(
    twin: TestTwin, service: str, target: str, path: str, deep: str
) -> None:
    body = deep.encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", **({"X-Amz-Target": target} if target else {})}
    head = signed(twin, "POST", path, body, service=service, headers=headers)
    with connected(twin) as wire:
        wire.send(head[:-2] + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = wire.answer("POST")
    document = json.loads(answer.content)
    assert (answer.status, document["__type"]) == (400, "SerializationException")


def test_a_dtd_in_a_buckets_document_is_refused(twin: TestTwin) -> None:
    name = "a-bucket-without-dtd"
    twin.client("s3").create_bucket(Bucket=name)
    document = b"""<?xml version="1.0"?><!DOCTYPE t [<!ENTITY e "Enabled">]>
<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>&e;</Status></VersioningConfiguration>"""
    head = signed(twin, "PUT", f"/{name}?versioning", document, service="s3")
    with connected(twin) as wire:
        wire.send(head[:-2] + b"Content-Length: %d\r\n\r\n" % len(document) + document)
        answer = wire.answer("PUT")
    assert (answer.status, b"MalformedXML" in answer.content) == (400, True)
    assert "Status" not in twin.client("s3").get_bucket_versioning(Bucket=name)


def test_documents_inside_of_requests_that_are_nested_without_end_are_the_callers_fault(twin: TestTwin) -> None:
    calls = {
        "cloudformation": ("create_stack", {"StackName": "deep", "TemplateBody": DEEP[:40_000]}, "ValidationError"),
        "events": ("put_rule", {"Name": "deep", "EventPattern": DEEP}, "ValidationException"),
    }
    for service, (call, parameters, code) in calls.items():
        with pytest.raises(ClientError) as error:
            getattr(twin.client(service), call)(**parameters)
        assert error.value.response["Error"]["Code"] == code
