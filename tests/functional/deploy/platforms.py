"""Small platforms for tests: a root stack with nested stacks and file assets, as a synthesis would leave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainworks.assembly.places import Places
from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.clients import Clients
from trainworks.deploy.deployment import Deployment
from trainworks.deploy.follow import LOCAL_PACING, StackMonitor
from trainworks.deploy.plan import UpOptions
from trainworks.deploy.progress import Emptied, Notice, Progress, ResourceProgress
from trainworks.testing import TestTwin

ALLOWED = UpOptions(bootstrap=True)


@dataclass
class Recorder:
    """Keeps what a deployment reports."""

    told: list[Progress] = field(default_factory=list)

    @property
    def monitor(self) -> StackMonitor:
        return StackMonitor(self.told.append, LOCAL_PACING)

    @property
    def resources(self) -> list[tuple[str, str]]:
        """(place, status) of everything that progressed."""
        return [(p.place, p.status) for p in self.told if isinstance(p, ResourceProgress)]

    @property
    def notices(self) -> list[str]:
        return [p.text for p in self.told if isinstance(p, Notice)]

    @property
    def emptied(self) -> dict[str, int]:
        return {p.name: p.count for p in self.told if isinstance(p, Emptied)}


def clients_of(twin: TestTwin) -> Clients:
    return Clients(twin.client)


def platform(
    folder: Path,
    stack_name: str,
    nested: Mapping[str, Mapping[str, Any]],
    *,
    root: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    termination_protection: bool = False,
    region: str = "us-east-1",
) -> Deployment:
    """A deployment of `stack_name`: `nested` are templates by logical id, `root` more resources of the root."""
    bucket = f"cdk-hnb659fds-assets-000000000000-{region}"
    resources: dict[str, Any] = dict(root or {})
    outputs: dict[str, Any] = {}
    assets: list[AssetUpload] = []
    for logical_id, template in nested.items():
        asset = _asset(folder, logical_id, template, bucket)
        assets.append(asset)
        url = f"https://s3.{region}.amazonaws.com/{bucket}/{asset.object_key}"
        resources[logical_id] = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        for output in template.get("Outputs", {}):
            outputs[f"{logical_id}{output}"] = {"Value": {"Fn::GetAtt": [logical_id, f"Outputs.{output}"]}}
    template = {"Resources": resources, "Outputs": outputs}
    root_asset = _asset(folder, stack_name, template, bucket)
    templates = {(): template} | {(logical_id,): dict(nested[logical_id]) for logical_id in nested}
    return Deployment(
        stack_name,
        templates,
        (*assets, root_asset),
        root_asset,
        Places(stack_name),
        tags or {},
        termination_protection,
    )


def _asset(folder: Path, name: str, template: Mapping[str, Any], bucket: str) -> AssetUpload:
    body = json.dumps(template)
    key = f"{hashlib.sha256(body.encode()).hexdigest()}.json"
    path = folder / key
    path.write_text(body)
    return AssetUpload(path, "file", bucket, key)


def storage(bucket_name: str, *, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    """A template with one versioned bucket and its name as output."""
    return {
        "Resources": {
            "Models": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": policy,
                "UpdateReplacePolicy": policy,
                "Properties": {
                    "BucketName": bucket_name,
                    "VersioningConfiguration": {"Status": "Enabled"},
                    **properties,
                },
            }
        },
        "Outputs": {"BucketName": {"Value": {"Ref": "Models"}}},
    }


def topic(name: str | None = None, display_name: str = "alarms") -> dict[str, Any]:
    """A template with one topic."""
    properties = {"DisplayName": display_name} | ({"TopicName": name} if name else {})
    return {"Resources": {"Alarms": {"Type": "AWS::SNS::Topic", "Properties": properties}}}


def slow() -> dict[str, Any]:
    """A resource of the root whose creation ends when `signal_resource` says so."""
    return {
        "Gate": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT30S"}},
        }
    }


def broken() -> dict[str, Any]:
    """A template whose second resource fails while it is created."""
    return {
        "Resources": {
            "Alarms": {"Type": "AWS::SNS::Topic"},
            "Approval": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "DependsOn": "Alarms",
                "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1S"}},
            },
        }
    }
