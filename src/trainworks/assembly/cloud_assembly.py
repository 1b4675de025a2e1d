"""A synthesized cloud assembly, read back as typed data.

Source of the format: the CDK's cloud assembly schema (`manifest.json` and the asset manifests that it names).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainworks.errors import SynthesisError

STACK_TYPE = "AWS::CloudFormation::Stack"
STACK_TYPE_OF_ARTIFACT = "aws:cloudformation:stack"
STACK_TYPE_OF_ARTIFACT = "aws:cloudformation:stack"


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file that must be in the bucket before the stack is deployed. `packaging` is `file` or `zip` (of a folder)."""

    asset_id: str
    path: Path
    packaging: str
    bucket_name: str
    object_key: str


@dataclass(frozen=True, slots=True)
class NestedTemplate:
    """The template of one `AWS::CloudFormation::Stack`; `nested` are those inside it, by logical id."""

    logical_id: str
    path: Path
    template: dict[str, Any]
    nested: Mapping[str, NestedTemplate]


@dataclass(frozen=True)
class CloudAssembly:
    """The assembly in `directory`; templates are read when first asked for."""

    directory: Path
    stack_name: str
    template_path: Path
    termination_protection: bool
    tags: Mapping[str, str]
    file_assets: tuple[FileAsset, ...]
    template_asset: FileAsset
    """The root template itself, which CloudFormation takes by URL."""

    @classmethod
    def load(cls, directory: Path) -> CloudAssembly:
        """Read the assembly with its one root stack. Raises `SynthesisError` if it is incomplete."""
        try:
            manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
            artifacts: dict[str, Any] = manifest["artifacts"]
            stack_name, stack = next(
                (name, artifact) for name, artifact in artifacts.items() if artifact["type"] == STACK_TYPE_OF_ARTIFACT
            )
            properties = stack["properties"]
            manifests = [a for a in artifacts.values() if a["type"] == "cdk:asset-manifest"]
            assets = tuple(
                asset for m in manifests for asset in _file_assets(directory, directory / m["properties"]["file"])
            )
            template_path = directory / properties["templateFile"]
            template_asset = next(asset for asset in assets if asset.path == template_path)
        except (OSError, json.JSONDecodeError, KeyError, StopIteration) as error:
            raise SynthesisError(
                f"no complete cloud assembly in {directory}: {error!r}", fix="remove the folder and synthesize again"
            ) from error
        return cls(
            directory=directory,
            stack_name=properties.get("stackName", stack_name),
            template_path=template_path,
            termination_protection=properties.get("terminationProtection", False),
            tags=properties.get("tags", {}),
            file_assets=assets,
            template_asset=template_asset,
        )

    @cached_property
    def template(self) -> dict[str, Any]:
        """The root template."""
        return _read(self.template_path)

    @cached_property
    def nested(self) -> Mapping[str, NestedTemplate]:
        """The nested stacks of the root template by logical id."""
        return _nested({asset.object_key: asset.path for asset in self.file_assets}, self.template)

    @cached_property
    def construct_paths(self) -> tuple[tuple[str, str], ...]:
        """(construct path, logical id) of everything that a template declares, nested stacks included.

        A resource inside of a nested stack has that stack's construct path before its own.
        """
        artifacts = json.loads((self.directory / "manifest.json").read_text(encoding="utf-8"))["artifacts"].values()
        stack = next(artifact for artifact in artifacts if artifact["type"] == STACK_TYPE_OF_ARTIFACT)
        metadata = stack.get("metadata", {})
        if "additionalMetadataFile" in stack:
            metadata |= json.loads((self.directory / stack["additionalMetadataFile"]).read_text(encoding="utf-8"))
        return tuple(
            (path.removeprefix("/"), entry["data"])
            for path, entries in metadata.items()
            for entry in entries
            if entry["type"] == "aws:cdk:logicalId"
        )

    def templates(self) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        """Every template with the logical ids that lead to it: `()` is the root's."""
        yield (), self.template
        yield from _walk((), self.nested)


def _walk(
    path: tuple[str, ...], nested: Mapping[str, NestedTemplate]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for logical_id, child in nested.items():
        yield (*path, logical_id), child.template
        yield from _walk((*path, logical_id), child.nested)


def _read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return template


def _nested(paths: Mapping[str, Path], template: Mapping[str, Any]) -> dict[str, NestedTemplate]:
    """Nested templates are found as CloudFormation finds them: by the object key that `TemplateURL` ends with."""
    found: dict[str, NestedTemplate] = {}
    for logical_id, resource in template.get("Resources", {}).items():
        if resource["Type"] != STACK_TYPE:
            continue
        url = json.dumps(resource["Properties"]["TemplateURL"])
        path = next((path for key, path in paths.items() if f"/{key}" in url), None)
        if path is None:
            raise SynthesisError(f"the template of {logical_id} is not an asset of the assembly: {url}")
        child = _read(path)
        found[logical_id] = NestedTemplate(logical_id, path, child, _nested(paths, child))
    return found


def _file_assets(directory: Path, manifest_path: Path) -> Iterator[FileAsset]:
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    for asset_id, asset in manifest.get("files", {}).items():
        for destination in asset["destinations"].values():
            yield FileAsset(
                asset_id=asset_id,
                path=directory / asset["source"]["path"],
                packaging=asset["source"]["packaging"],
                bucket_name=destination["bucketName"],
                object_key=destination["objectKey"],
            )
