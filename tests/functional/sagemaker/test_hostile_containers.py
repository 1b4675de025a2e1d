"""Containers that answer what no server would: each request is told so, and the endpoint goes on."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.functional.sagemaker.hosting import make_hosting
from trainworks.testing import TestTwin

HOSTILE = """
import worker

usual = worker.Connection._send
GOOD = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 4\\r\\n\\r\\n"
ANSWERS = {
    "header": lambda: b"HTTP/1.1 200 OK\\r\\nX: " + b"x" * 300_000_000,
    "interim": lambda: b"HTTP/1.1 100 Continue\\r\\n\\r\\n" * 1_000_000,
    "chunk": lambda: b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n1;" + b"x" * 300_000_000,
    "body": lambda: b"HTTP/1.1 200 OK\\r\\nContent-Length: 300000000\\r\\n\\r\\n" + b"x" * 300_000_000,
    "upgrade": lambda: b"HTTP/1.1 101 Switching\\r\\nConnection: upgrade\\r\\nUpgrade: x\\r\\n\\r\\n",
    "lengths": lambda: b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nContent-Length: 4\\r\\n\\r\\ngood",
    "lines": lambda: b"HTTP/1.1 200 OK\\r\\nContent-Type: a\\nSet-Cookie: b=c\\r\\nContent-Length: 4\\r\\n\\r\\ngood",
    "twice": lambda: GOOD + b"good" + GOOD + b"evil",
}

def model_fn(model_dir):
    return None

def transform_fn(model, data, content_type, accept):
    return data, "text/plain"

def send(self, status, body, kind):
    answer = ANSWERS.get(body.decode())
    if answer is None:
        usual(self, status, body, kind)
    else:
        self.transport.write(answer())

worker.Connection._send = send
"""


def test_a_container_that_answers_no_http_is_told_of_and_harms_nobody(twin: TestTwin) -> None:
    hosting = make_hosting(twin)
    name = hosting.endpoint({"ModelName": hosting.model(script=HOSTILE)})
    for what in ("header", "interim", "chunk", "body", "upgrade", "lengths", "lines"):
        with pytest.raises(ClientError) as refused:
            hosting.invoke(name, what)
        assert refused.value.response["Error"]["Code"] == "ModelError", what
        assert hosting.invoke(name, "well") == "well"
    assert hosting.invoke(name, "twice") == "good"
    assert hosting.invoke(name, "well") == "well"
    hosting.close()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SAGEMAKER_PROGRAM", "/etc/passwd", "there is no /etc/passwd in /opt/ml/model/code"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "s3://", "The S3 URI 's3://' is not of the form"),
        (
            "SAGEMAKER_SUBMIT_DIRECTORY",
            "s3:///code.tar.gz",
            "The S3 URI 's3:///code.tar.gz' is not of the form",
        ),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "²", "SAGEMAKER_MODEL_SERVER_WORKERS is '²'"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "99999", "SAGEMAKER_MODEL_SERVER_WORKERS is '99999'"),
    ],
)
def test_variables_that_lead_nowhere_are_the_endpoints_failure(
    twin: TestTwin, variable: str, value: str, said: str
) -> None:
    hosting = make_hosting(twin)
    name = hosting.endpoint({"ModelName": hosting.model(container={"Environment": {variable: value}})}, wanted="Failed")
    assert said in hosting.describe(name)["FailureReason"]
    hosting.close()
