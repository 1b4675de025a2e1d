"""Templates with all that are nested in them, read from a cloud assembly's folder or from a single file.

Source of the format: the CDK's cloud assembly schema. An assembly may hold several root stacks, and assemblies of
stages; a template outside an assembly may name nested ones by a relative path, as `aws cloudformation package` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trainworks.assembly.cloud_assembly import STACK_TYPE, STACK_TYPE_OF_ARTIFACT
from trainworks.assembly.creation import places_of_creation
from trainworks.assembly.places import StackPath
from trainworks.assembly.template_text import read_template
from trainworks.errors import RequestError

MANIFEST = "manifest.json"
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class StackSource:
    """One root stack: its templates by stack path (the root's is `()`), and what the manifest says about it.

    `account` and `region` are None if the assembly leaves them open, `termination_protection` if there is none.
    `created_at` has `FILE:LINE` of the app's code by construct path below the root stack, where the CDK wrote it.
    """

    name: str
    templates: dict[StackPath, dict[str, Any]]
    construct_paths: tuple[tuple[str, str], ...] = ()
    account: str | None = None
    region: str | None = None
    termination_protection: bool | None = False
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[StackPath, Path] = field(default_factory=dict)
    created_at: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that one graph is made of."""

    stacks: tuple[StackSource, ...]

    @property
    def templates(self) -> dict[tuple[str, StackPath], dict[str, Any]]:
        """Every template by root stack and stack path."""
        return {
            (stack.name, stack_path): template
            for stack in self.stacks
            for stack_path, template in stack.templates.items()
        }


def load_sources(path: Path) -> Sources:
    """Read an assembly's folder (with `manifest.json`) or one template.

    Raises `RequestError` if `path` is neither, names what is not there, or a template is none.
    """
    if not path.exists():
        raise RequestError(f"{path}: does not exist", fix="name a template, or the folder of a cloud assembly")
    if path.name == MANIFEST:
        path = path.parent
    if not path.is_dir():
        return Sources((_single(path),))
    if not (path / MANIFEST).is_file():
        raise RequestError(
            f"{path}: is not a cloud assembly: it has no {MANIFEST}", fix="name a template, or what cdk synth wrote"
        )
    stacks = tuple(_stacks(path))
    if not stacks:
        raise RequestError(f"{path}: the assembly has no stack", fix="name what cdk synth wrote")
    return Sources(stacks)


def merged(sources: Sequence[Sources]) -> Sources:
    """The stacks of all of them; one whose name is taken has a number behind it, since names tell stacks apart."""
    stacks: dict[str, StackSource] = {}
    for stack in (stack for each in sources for stack in each.stacks):
        name, number = stack.name, 1
        while name in stacks:
            number += 1
            name = f"{stack.name}-{number}"
        stacks[name] = replace(stack, name=name)
    return Sources(tuple(stacks.values()))


def _single(path: Path) -> StackSource:
    templates: dict[StackPath, dict[str, Any]] = {(): read_template(path)}
    files: dict[StackPath, Path] = {(): path}
    _add_nested(templates, files, (), lambda url: _relative(path.parent, url))
    return StackSource(path.stem.removesuffix(".template"), templates, termination_protection=None, files=files)


def _relative(folder: Path, url: object) -> Path | None:
    if not isinstance(url, str) or "://" in url:
        return None
    found = (folder / url).resolve()
    return found if found.is_relative_to(folder.resolve()) and found.is_file() else None


def _stacks(directory: Path) -> Iterator[StackSource]:
    artifacts = _json(directory / MANIFEST).get("artifacts", {})
    try:
        assets = dict(_template_assets(directory, artifacts))
        for name, artifact in artifacts.items():
            if artifact["type"] == "cdk:cloud-assembly":
                yield from _stacks(directory / artifact["properties"]["directoryName"])
            elif artifact["type"] == STACK_TYPE_OF_ARTIFACT:
                yield _stack(directory, name, artifact, assets)
    except (KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{directory / MANIFEST}: is not what the CDK writes: {error!r}", fix="synthesize again"
        ) from error


def _stack(directory: Path, name: str, artifact: Mapping[str, Any], assets: Mapping[str, Path]) -> StackSource:
    properties = artifact["properties"]
    path: Path = directory / properties["templateFile"]
    templates: dict[StackPath, dict[str, Any]] = {(): read_template(path)}
    files: dict[StackPath, Path] = {(): path}
    _add_nested(templates, files, (), lambda url: _asset(assets, url))
    _, _, environment = artifact.get("environment", "aws://unknown-account/unknown-region").partition("://")
    account, _, region = environment.partition("/")
    metadata = _metadata(directory, artifact)
    return StackSource(
        properties.get("stackName", name),
        templates,
        construct_paths=tuple(_construct_paths(metadata)),
        account=None if account == "unknown-account" else account,
        region=None if region == "unknown-region" else region,
        termination_protection=properties.get("terminationProtection", False),
        tags=properties.get("tags", {}),
        files=files,
        created_at=dict(places_of_creation(metadata)),
    )


def _metadata(directory: Path, artifact: Mapping[str, Any]) -> dict[str, Any]:
    """What the assembly says about each construct, by its path."""
    metadata = dict(artifact.get("metadata", {}))
    if "additionalMetadataFile" in artifact:
        metadata |= _json(directory / artifact["additionalMetadataFile"])
    return metadata


def _construct_paths(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, entries in metadata.items():
        for entry in entries:
            if entry["type"] == "aws:cdk:logicalId":
                yield path.removeprefix("/"), entry["data"]


def _template_assets(directory: Path, artifacts: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Object keys of file assets, and the files."""
    for artifact in artifacts.values():
        if artifact["type"] != "cdk:asset-manifest":
            continue
        for asset in _json(directory / artifact["properties"]["file"]).get("files", {}).values():
            for destination in asset["destinations"].values():
                yield destination["objectKey"], directory / asset["source"]["path"]


def _asset(assets: Mapping[str, Path], url: object) -> Path | None:
    """Nested templates are found as CloudFormation finds them: by the object key that `TemplateURL` ends with."""
    text = json.dumps(url)
    end = text.rfind("/")
    key = text[end + 1 :].split('"', 1)[0] if end >= 0 else ""
    return assets.get(key) or next((path for key, path in assets.items() if f"/{key}" in text), None)


def _add_nested(
    templates: dict[StackPath, dict[str, Any]], files: dict[StackPath, Path], stack_path: StackPath, find: Any
) -> None:
    """Add the templates nested in that at `stack_path` which can be found; others stay unknown."""
    if len(stack_path) >= _MAX_DEPTH:
        raise RequestError(
            f"{files[stack_path]}: stacks are nested more than {_MAX_DEPTH} deep; do they contain themselves?"
        )
    for logical_id, resource in templates[stack_path]["Resources"].items():
        if logical_id.startswith("Fn::") or resource["Type"] != STACK_TYPE:
            continue
        path = find(resource.get("Properties", {}).get("TemplateURL"))
        if path is not None:
            below = (*stack_path, logical_id)
            templates[below], files[below] = read_template(path), path
            _add_nested(templates, files, below, find)


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}", fix="synthesize again") from error
    except ValueError as error:
        raise RequestError(f"{path}: not valid JSON: {error}", fix="synthesize again") from error
    if not isinstance(document, dict):
        raise RequestError(f"{path}: is not what the CDK writes", fix="synthesize again")
    return document
