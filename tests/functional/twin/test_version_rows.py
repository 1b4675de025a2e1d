"""Versions and images have rows of their own: after a kill they are what they were, however they were written."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import sqlite3
import zipfile
from typing import Any

from tests.patience import until

from trainworks.testing import TestTwin

TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                                              "Action": "sts:AssumeRole"}]}
)  # fmt: skip
KEPT_APART = {
    "lambda_svc._functions": ("versions", "lambda_svc.versions"),
    "lambda_svc._layers": ("versions", "lambda_svc.layer_versions"),
    "ecr._images": ("", "ecr.images"),
    "ec2._launch_templates": ("Versions", "ec2.template_versions"),
}


def archive_of(text: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr("m.py", f"def h(event, context):\n    return {text!r}\n")
    return found.getvalue()


def push(client: Any, tag: str, text: str) -> None:
    config = json.dumps(text).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = {"repositoryName": "rows", "uploadId": client.initiate_layer_upload(repositoryName="rows")["uploadId"]}
    client.upload_layer_part(**place, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config)
    client.complete_layer_upload(**place, layerDigests=[digest])
    manifest = {"schemaVersion": 2, "config": {"digest": digest, "size": len(config)}, "layers": []}
    client.put_image(repositoryName="rows", imageTag=tag, imageManifest=json.dumps(manifest))


def described(twin: TestTwin) -> dict[str, Any]:
    functions, images, templates = (twin.client(name) for name in ("lambda", "ecr", "ec2"))

    def is_settled() -> bool:
        """Versions are Pending for a moment after an update, and after a kill that came before they were Active."""
        versions = functions.list_versions_by_function(FunctionName="rows")["Versions"]
        return all(each["LastUpdateStatus"] == "Successful" and each["State"] == "Active" for each in versions)

    until(is_settled, "the versions of the function")
    found = {
        "versions": functions.list_versions_by_function(FunctionName="rows")["Versions"],
        "layers": functions.list_layer_versions(LayerName="rows")["LayerVersions"],
        "images": images.list_images(repositoryName="rows")["imageIds"],
        "templates": templates.describe_launch_template_versions(LaunchTemplateName="rows")["LaunchTemplateVersions"],
    }
    answer = functions.invoke(FunctionName="rows", Qualifier="3", Payload=b"{}")
    return found | {"answer": json.loads(answer["Payload"].read())}


def put_back_into_rows(twin: TestTwin) -> None:
    """Write what has rows of its own into its record, as an earlier version had it."""
    with sqlite3.connect(twin.home.emulator_db) as connection:
        for store, (member, kind) in KEPT_APART.items():
            for text, value in connection.execute("SELECT key, value FROM emulator_rows WHERE store = ?", (store,)):
                key, record = pickle.loads(value)
                name = f"{kind}/{(record[member] if member else record)['id']}"
                rows = connection.execute("SELECT value FROM emulator_rows WHERE store = ?", (name,)).fetchall()
                parts = dict(pickle.loads(row[0]) for row in rows)
                whole = parts if kind == "lambda_svc.versions" else [parts[each] for each in sorted(parts)]
                record = record | {member: whole} if member else whole
                connection.execute(
                    "UPDATE emulator_rows SET value = ? WHERE store = ? AND key = ?",
                    (pickle.dumps((key, record)), store, text),
                )
                connection.execute("DELETE FROM emulator_rows WHERE store = ?", (name,))


def test_versions_and_images_are_what_they_were(own_twin: TestTwin) -> None:
    functions, images, templates = (own_twin.client(name) for name in ("lambda", "ecr", "ec2"))
    role = own_twin.client("iam").create_role(RoleName="rows", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    functions.create_function(
        FunctionName="rows", Runtime="python3.11", Role=role, Handler="m.h", Code={"ZipFile": archive_of("0")}
    )
    templates.create_launch_template(LaunchTemplateName="rows", LaunchTemplateData={"InstanceType": "t3.micro"})
    images.create_repository(repositoryName="rows")
    for number in range(1, 5):
        functions.update_function_code(FunctionName="rows", ZipFile=archive_of(str(number)), Publish=True)
        functions.publish_layer_version(LayerName="rows", Content={"ZipFile": archive_of(str(number))})
        templates.create_launch_template_version(
            LaunchTemplateName="rows", LaunchTemplateData={"InstanceType": "t3.small", "ImageId": f"ami-{number:017d}"}
        )
        push(images, "latest", str(number))
        push(images, f"t{number}", f"other {number}")
    functions.delete_function(FunctionName="rows", Qualifier="2")
    functions.delete_layer_version(LayerName="rows", VersionNumber=2)
    templates.modify_launch_template(LaunchTemplateName="rows", DefaultVersion="3")
    images.batch_delete_image(repositoryName="rows", imageIds=[{"imageTag": "t2"}])
    before = described(own_twin)
    assert [each["Version"] for each in before["versions"]] == ["$LATEST", "1", "3", "4"]
    assert before["answer"] == "3"
    own_twin.kill()
    own_twin.start()
    assert described(own_twin) == before
    own_twin.kill()
    put_back_into_rows(own_twin)
    own_twin.start()
    assert described(own_twin) == before
    own_twin.client("lambda").publish_layer_version(LayerName="rows", Content={"ZipFile": archive_of("5")})
    own_twin.kill()
    own_twin.start()
    after = described(own_twin)
    assert after | {"layers": before["layers"]} == before
    assert [each["Version"] for each in after["layers"]] == [5, *(each["Version"] for each in before["layers"])]
    own_twin.client("lambda").delete_function(FunctionName="rows")
    own_twin.client("ecr").delete_repository(repositoryName="rows", force=True)
    own_twin.client("ec2").delete_launch_template(LaunchTemplateName="rows")
    own_twin.kill()
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        stores = [row[0].partition("/")[0] for row in connection.execute("SELECT store FROM emulator_rows")]
    assert {"lambda_svc.versions", "ecr.images", "ec2.template_versions"}.isdisjoint(stores)
