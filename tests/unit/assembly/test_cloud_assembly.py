from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly import CloudAssembly
from trainworks.errors import SynthesisError


def stack(url: str) -> dict[str, Any]:
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": {"Fn::Join": ["", ["https://b", url]]}}}


def write(directory: Path, templates: dict[str, dict[str, Any]]) -> Path:
    """`templates` by object key; the first is the root's."""
    files = {}
    for key, resources in templates.items():
        (directory / f"t-{key}").write_text(json.dumps({"Resources": resources}))
        files[key] = {
            "source": {"path": f"t-{key}", "packaging": "file"},
            "destinations": {"x": {"bucketName": "assets-1", "objectKey": key}},
        }
    (directory / "a.assets.json").write_text(json.dumps({"files": files}))
    properties = {"templateFile": f"t-{next(iter(templates))}", "terminationProtection": True, "tags": {"a": "b"}}
    artifacts = {
        "a.assets": {"type": "cdk:asset-manifest", "properties": {"file": "a.assets.json"}},
        "trainworks-a": {"type": "aws:cloudformation:stack", "properties": properties},
    }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return directory


def test_nested_templates_are_found_by_what_the_template_url_names(tmp_path: Path) -> None:
    bucket = {"Type": "AWS::S3::Bucket"}
    templates = {
        "root.json": {"One": stack("/assets-1/one.json"), "B": bucket},
        "one.json": {"Two": stack("/two.json")},
        "two.json": {"C": bucket},
    }
    assembly = CloudAssembly.load(write(tmp_path, templates))
    assert assembly.stack_name == "trainworks-a"
    assert assembly.termination_protection
    assert assembly.tags == {"a": "b"}
    assert assembly.template_asset.object_key == "root.json"
    assert {asset.bucket_name for asset in assembly.file_assets} == {"assets-1"}
    assert assembly.nested["One"].nested["Two"].template == {"Resources": {"C": bucket}}
    assert [path for path, _ in assembly.templates()] == [(), ("One",), ("One", "Two")]


def test_a_nested_template_that_is_no_asset_is_named(tmp_path: Path) -> None:
    assembly = CloudAssembly.load(write(tmp_path, {"root.json": {"One": stack("/gone.json")}}))
    with pytest.raises(SynthesisError, match=r"template of One is not an asset.*gone\.json"):
        _ = assembly.nested


@pytest.mark.parametrize("text", ["{", "{}", '{"artifacts": {}}'])
def test_a_broken_manifest_is_reported_with_its_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(SynthesisError, match=str(tmp_path)):
        CloudAssembly.load(tmp_path)
