"""Where the code is that made a construct, by what the CDK writes beside construct paths."""

import json
from pathlib import Path

import pytest

from trainworks.assembly.creation import nearest, places_of_creation
from trainworks.assembly.graph import load_graph


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        (["new Stack (/app/lib/stack.ts:16:33)", "<anonymous> (/app/bin/app.ts:7:1)"], "/app/lib/stack.ts:16"),
        (["    ...new Vpc2 in aws-cdk-lib...", "    at new Net (/a b/net.js:11:20)"], "/a b/net.js:11"),
        (["new Key (/app/node_modules/aws-cdk-lib/kms.js:1:1)", "/app/index.js:3:1"], "/app/index.js:3"),
        (["at file:///app/index.mjs:4:2"], "/app/index.mjs:4"),
        (["at run (C:\\work\\app.ts:5:1)"], "C:\\work\\app.ts:5"),
        (["...jsii runtime, node internals...", "(no user code in 10 frames, use --stack-trace-limit)"], None),
        (["at node:internal/main:1:1", 7, ""], None),
    ],
)
@pytest.mark.parametrize("form", ["creationStack", "trace"])
def test_the_first_frame_of_the_app_itself(frames: list[object], place: str | None, form: str) -> None:
    entries = {
        "creationStack": {"type": "aws:cdk:creationStack", "data": frames},
        "trace": {"type": "aws:cdk:logicalId", "data": "Key", "trace": frames},
    }
    found = dict(places_of_creation({"/Root/Keys/Key": [{"type": "aws:cdk:warning"}, entries[form]]}))
    assert found == ({"Keys/Key": place} if place else {})


def test_the_closest_construct_above_speaks_for_what_is_inside_it() -> None:
    places = {"Storage": "a.ts:1", "Storage/Bucket": "b.ts:2"}
    assert nearest(places, "Storage/Bucket/Resource") == "b.ts:2"
    assert nearest(places, "Storage/Key/Resource") == "a.ts:1"
    assert nearest(places, "Network/Vpc") == ""
    assert nearest(places, "") == ""


def test_an_assembly_tells_it_of_each_resource(tmp_path: Path) -> None:
    made = {"type": "aws:cdk:creationStack", "data": ["new App (/app/app.ts:9:1)"]}
    metadata = {"/Root/Key": [made], "/Root/Key/Resource": [{"type": "aws:cdk:logicalId", "data": "Key961B"}]}
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}, "metadata": metadata}
    (tmp_path / "manifest.json").write_text(json.dumps({"version": "1", "artifacts": {"Root": stack}}))
    resources = {"Key961B": {"Type": "AWS::KMS::Key"}, "Other": {"Type": "AWS::KMS::Key"}}
    (tmp_path / "t.json").write_text(json.dumps({"Resources": resources}))
    found = {each.logical_id: each.created_at for each in load_graph(tmp_path).resources}
    assert found == {"Key961B": "/app/app.ts:9", "Other": ""}
