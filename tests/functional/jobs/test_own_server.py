"""Images that bring a server of their own: on port 8080, as the contract has it, several at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.functional.sagemaker.hosting import Hosting, make_hosting
from tests.functional.twin.iam import allow, document
from trainworks.jobs import Platform
from trainworks.jobs.image import build_image
from trainworks.testing import TestTwin

SERVE = """\
#!/usr/bin/env python
import http.server, os, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(418 if body == b"tea" else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", str(self.headers["X-Amzn-SageMaker-Custom-Attributes"]))
        self.end_headers()
        self.wfile.write(os.environ["WHO"].encode() + b" " + body + b" " + open("/opt/ml/model/weights", "rb").read())
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server(("0.0.0.0", 8080), Handler).serve_forever()
"""


@pytest.fixture
def hosting(twin: TestTwin) -> Iterator[Hosting]:
    made = make_hosting(twin)
    actions = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    name = made.role_arn.rpartition("/")[2]
    pull = allow([*actions, "ecr:BatchCheckLayerAvailability"])
    twin.client("iam").put_role_policy(RoleName=name, PolicyName="pull", PolicyDocument=document(pull))
    yield made
    made.close()


def image_of(platform: Platform, folder: Path, files: dict[str, str]) -> str:
    image = folder / "image"
    image.mkdir()
    (image / "requirements.txt").write_text("# nothing\n")
    for name, text in files.items():
        (image / name).write_text(text)
        (image / name).chmod(0o755)
    return build_image(platform, image).image_uri


def test_own_servers_have_port_8080_each_and_their_answers_come_as_they_are(
    platform: Platform, hosting: Hosting, tmp_path: Path
) -> None:
    image = image_of(platform, tmp_path, {"serve": SERVE})
    models = {who: hosting.model(container={"Image": image, "Environment": {"WHO": who}}) for who in ("a", "b")}
    name = hosting.endpoint(*({"VariantName": who, "ModelName": model} for who, model in models.items()))
    runtime = hosting.client("sagemaker-runtime")
    for who in models:
        answer = runtime.invoke_endpoint(EndpointName=name, Body="x", TargetVariant=who, CustomAttributes="trace=1")
        assert answer["Body"].read() == f"{who} x w".encode()
        assert (answer["ContentType"], answer["CustomAttributes"]) == ("text/plain", "trace=1")
    with pytest.raises(ClientError) as refused:
        runtime.invoke_endpoint(EndpointName=name, Body="tea", TargetVariant="a")
    assert refused.value.response["OriginalStatusCode"] == 418


def test_an_own_image_without_a_server_says_what_it_lacks(platform: Platform, hosting: Hosting, tmp_path: Path) -> None:
    image = image_of(platform, tmp_path, {"helper.py": "x = 1"})
    name = hosting.endpoint({"ModelName": hosting.model(container={"Image": image})}, wanted="Failed")
    assert "has no executable 'serve'" in hosting.describe(name)["FailureReason"]
