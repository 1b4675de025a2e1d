"""All rules over a large assembly, against reading the same files with `json.loads`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures import Figure, Skipped, alternating

from trainworks.assembly import SynthRequest, synthesize, user_cache_dir
from trainworks.assembly.graph import load_graph
from trainworks.assembly.template_files import load_sources
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.preflight.checker import check
from trainworks.preflight.rules import OWN_RULES
from trainworks.preflight.settings import CheckSettings

RESOURCES = 1000


def measure() -> list[Figure | Skipped]:
    """From the files to the report, in a process that has its modules: what `check` takes after the synthesis."""
    with tempfile.TemporaryDirectory() as scratch:
        assembly = Path(scratch)
        count = write_assembly(assembly)
        texts = sorted(assembly.glob("*.json"))

        def ours() -> None:
            check(load_graph(assembly), CheckSettings(production=True))

        def read() -> None:
            for path in texts:
                json.loads(path.read_text(encoding="utf-8"))

        seconds, bound = alternating(ours, read, runs=5)
    name = f"check of {count:,} resources, {OWN_RULES} rules"
    return [Figure(name, seconds, "json.loads of the files", bound, "1 s", seconds <= 1)]


def write_assembly(folder: Path) -> int:
    """The prod platform as often as it takes, side by side in nested stacks of one root; the number of resources."""
    request = SynthRequest("bench", PROFILES[ProfileName.PROD], "111111111111", "us-east-1")
    (stack,) = load_sources(synthesize(request, user_cache_dir()).directory).stacks
    size = sum(len(template["Resources"]) for template in stack.templates.values())
    platforms = -(-RESOURCES // size)
    root: dict[str, Any] = {"Resources": {}}
    assets: dict[str, Any] = {}
    for number in range(platforms):
        prefix = f"Platform{number}"
        nested = dict(stack.templates)
        files = {way: f"{prefix}{'-'.join(way)}.template.json" for way in nested}
        for way, template in nested.items():
            text = json.dumps(_pointing_at(template, way, files), indent=1)
            (folder / files[way]).write_text(text, encoding="utf-8")
            assets[files[way]] = _asset(files[way])
        root["Resources"][prefix] = _nested_stack(files[()])
    (folder / "bench.template.json").write_text(json.dumps(root, indent=1), encoding="utf-8")
    (folder / "bench.assets.json").write_text(json.dumps({"version": "1", "files": assets}), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(_MANIFEST), encoding="utf-8")
    return platforms * (size + 1)


def _pointing_at(
    template: Mapping[str, Any], way: tuple[str, ...], files: Mapping[tuple[str, ...], str]
) -> dict[str, Any]:
    """The template with the nested stacks of its own copy of the platform."""
    resources = dict(template["Resources"])
    for logical_id, body in resources.items():
        if (*way, logical_id) in files:
            url = _nested_stack(files[*way, logical_id])["Properties"]["TemplateURL"]
            resources[logical_id] = {**body, "Properties": {**body["Properties"], "TemplateURL": url}}
    return {**template, "Resources": resources}


def _nested_stack(file: str) -> dict[str, Any]:
    url = {"Fn::Sub": f"https://s3.${{AWS::Region}}.${{AWS::URLSuffix}}/assets/{file}"}
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}


def _asset(file: str) -> dict[str, Any]:
    destination = {"bucketName": "assets", "objectKey": file}
    return {"source": {"path": file, "packaging": "file"}, "destinations": {"here": destination}}


_MANIFEST = {
    "version": "48.0.0",
    "artifacts": {
        "bench.assets": {"type": "cdk:asset-manifest", "properties": {"file": "bench.assets.json"}},
        "bench": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://111111111111/us-east-1",
            "properties": {"templateFile": "bench.template.json"},
        },
    },
}
