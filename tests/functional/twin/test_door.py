"""Nothing gets in unsigned: what each kind of wrong request is answered, over real HTTP and by real clients."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import boto3
import psutil
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.patience import PATIENCE_SECONDS

import trainworks
from trainworks.testing import TestTwin

SESSIONS = {
    "a 12-digit account id": ("000000000000", "test"),
    "the key `test`": ("test", "test"),
    "an unknown key": ("AKIAAAAAAAAAAAAAAAAA", "secret"),
}


def send(twin: TestTwin, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", twin.server.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_signed_request_is_answered_as_root(twin: TestTwin) -> None:
    assert twin.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"


def test_health_needs_no_signature_and_says_no_more_than_version_and_process(twin: TestTwin) -> None:
    status, body = send(twin, "GET", "/_trainworks/health", {})
    assert (status, json.loads(body)) == (200, {"version": trainworks.__version__, "pid": twin.server.pid})


@pytest.mark.parametrize("service", ["sts", "s3", "sagemaker", "batch", "logs", "monitoring", "cloudformation"])
def test_an_unsigned_request_is_refused_by_every_service(twin: TestTwin, service: str) -> None:
    status, body = send(twin, "POST", "/", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": service})
    assert status == 403
    assert "Missing" in body


@pytest.mark.parametrize("who", list(SESSIONS))
@pytest.mark.parametrize("service", ["sts", "s3", "sagemaker"])
def test_no_well_known_key_is_root(twin: TestTwin, who: str, service: str) -> None:
    client = twin.client(service, twin.session(*SESSIONS[who]))
    call = {"sts": "get_caller_identity", "s3": "list_buckets", "sagemaker": "list_training_jobs"}[service]
    with pytest.raises(ClientError) as error:
        getattr(client, call)()
    assert code_of(error) in {"InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"}


@pytest.mark.parametrize("service", ["sts", "s3", "sagemaker", "batch"])
def test_a_wrong_secret_is_refused(twin: TestTwin, service: str) -> None:
    session = twin.session(twin.home.credentials().access_key_id, "wrong")
    client: Any = twin.client(service, session)
    call = {
        "sts": "get_caller_identity",
        "s3": "list_buckets",
        "sagemaker": "list_training_jobs",
        "batch": "describe_job_queues",
    }[service]
    with pytest.raises(ClientError) as error:
        getattr(client, call)()
    assert code_of(error) in {"SignatureDoesNotMatch", "InvalidSignatureException"}


def test_a_body_that_was_changed_on_the_way_is_refused(twin: TestTwin) -> None:
    root = twin.home.credentials()
    headers = {"Host": f"127.0.0.1:{twin.server.port}", "X-Amz-Target": "AWSSecurityTokenService.GetCallerIdentity"}
    request = AWSRequest("POST", f"{twin.endpoint_url}/", data=b"Action=GetCallerIdentity", headers=headers)
    SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "sts", "us-east-1").add_auth(request)
    status, body = send(twin, "POST", "/", dict(request.headers.items()), b"Action=GetSessionToken00")
    assert status == 403
    assert "SignatureDoesNotMatch" in body or "InvalidSignature" in body


def test_a_presigned_url_ends(twin: TestTwin) -> None:
    s3 = twin.client("s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="key", Body=b"data")
    for version in ("s3", "s3v4"):
        client = twin.client("s3", signature_version=version)
        url = client.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "key"}, ExpiresIn=60)
        path = url.removeprefix(twin.endpoint_url)
        assert send(twin, "GET", path, {}) == (200, "data")
        ended = path.replace("X-Amz-Expires=60", "X-Amz-Expires=0").replace("Expires=17", "Expires=16")
        assert send(twin, "GET", ended, {})[0] in (400, 403)


def test_another_host_name_is_refused_before_the_signature_is_looked_at(twin: TestTwin) -> None:
    status, body = send(twin, "GET", "/_trainworks/health", {"Host": "rebound.example"})
    assert status == 403
    assert "rebound.example" in body


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_ministack/config", "/%5Fministack/reset", "/_ministack/health", "/v2/_catalog"]
)
def test_the_emulators_own_doors_are_closed_to_root_too(twin: TestTwin, path: str) -> None:
    root = twin.home.credentials()
    url = f"{twin.endpoint_url}{path}"
    request = AWSRequest("POST", url, data=b"{}", headers={"Host": f"127.0.0.1:{twin.server.port}"})
    SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "ecr", "us-east-1").add_auth(request)
    status, body = send(twin, "POST", path, dict(request.headers.items()), b"{}")
    assert status == 403
    assert "closed" in body


def test_it_listens_on_loopback_alone_and_on_one_port(twin: TestTwin) -> None:
    twin.client("sts").get_caller_identity()
    listening = [
        (entry.laddr.ip, entry.laddr.port)
        for entry in psutil.Process(twin.server.pid).net_connections(kind="inet")
        if entry.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", twin.server.port)]


def test_secrets_are_private(twin: TestTwin) -> None:
    assert twin.home.root.stat().st_mode & 0o777 == 0o700
    for path in (twin.home.credentials_file, twin.home.emulator_db, twin.home.twin_db):
        assert path.stat().st_mode & 0o077 == 0


def test_a_bucket_may_be_named_by_the_host(twin: TestTwin) -> None:
    s3 = twin.client("s3")
    s3.create_bucket(Bucket="by-host")
    s3.put_object(Bucket="by-host", Key="a/key", Body=b"data")
    root = twin.home.credentials()
    host = f"by-host.localhost:{twin.server.port}"
    request = AWSRequest("GET", f"http://{host}/a/key", headers={"Host": host})
    from botocore.auth import S3SigV4Auth

    S3SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "s3", "us-east-1").add_auth(request)
    assert send(twin, "GET", "/a/key", dict(request.headers.items())) == (200, "data")


@pytest.mark.parametrize(("service", "call", "code"), [("translate", "list_languages", "NotImplemented")])
def test_a_service_that_is_not_offered_is_refused_by_name(twin: TestTwin, service: str, call: str, code: str) -> None:
    with pytest.raises(ClientError, match=service) as error:
        getattr(twin.client(service), call)()
    assert code_of(error) == code


def test_an_operation_that_would_only_pretend_is_refused_by_name(twin: TestTwin) -> None:
    with pytest.raises(ClientError, match="ec2:RunInstances"):
        twin.client("ec2").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)


def test_anonymous_s3_reads_are_refused(twin: TestTwin) -> None:
    twin.client("s3").create_bucket(Bucket="private-one")
    client = boto3.client(
        "s3",
        endpoint_url=twin.endpoint_url,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    with pytest.raises(ClientError) as error:
        client.list_objects_v2(Bucket="private-one")
    assert code_of(error) == "AccessDenied"


def test_garbage_on_the_wire_does_not_hurt(twin: TestTwin) -> None:
    for garbage in (
        b"\x00\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", twin.server.port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(garbage)
            assert connection.recv(4096).startswith(b"HTTP/1.1 4")
    assert twin.client("sts").get_caller_identity()["Account"] == "000000000000"
