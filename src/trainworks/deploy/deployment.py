"""What will be deployed: one assembly, resolved for one account and region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainworks.assembly.places import Places, StackPath, places_of
from trainworks.aws.partition import partition_of
from trainworks.deploy.assets import AssetUpload

if TYPE_CHECKING:
    from trainworks.assembly import CloudAssembly, FileAsset

# CloudFormation takes a template of at most this many bytes in a request, and a larger one from S3 alone.
MAX_TEMPLATE_BODY_BYTES = 51_200


@dataclass(frozen=True, slots=True)
class Deployment:
    """A root stack with its templates and file assets. `templates` are keyed by stack path, `()` for the root."""

    stack_name: str
    templates: Mapping[StackPath, Mapping[str, Any]]
    assets: tuple[AssetUpload, ...]
    template_asset: AssetUpload
    places: Places
    tags: Mapping[str, str] = field(default_factory=dict)
    termination_protection: bool = False

    @property
    def template(self) -> Mapping[str, Any]:
        return self.templates[()]

    @property
    def bucket_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(asset.bucket_name for asset in self.assets))

    @property
    def template_body(self) -> str:
        """The root template without white space between tokens, so that it fits into a request where possible."""
        return json.dumps(self.template, separators=(",", ":"))


def deployment_of(assembly: CloudAssembly, *, account_id: str, region: str) -> Deployment:
    """Resolve an assembly: account and region into the names of its assets' bucket."""
    pseudo = {"${AWS::AccountId}": account_id, "${AWS::Region}": region, "${AWS::Partition}": partition_of(region)}
    templates = dict(assembly.templates())
    return Deployment(
        stack_name=assembly.stack_name,
        templates=templates,
        assets=tuple(_upload(asset, pseudo) for asset in assembly.file_assets),
        template_asset=_upload(assembly.template_asset, pseudo),
        places=places_of(assembly.stack_name, assembly.construct_paths, templates),
        tags=assembly.tags,
        termination_protection=assembly.termination_protection,
    )


def _upload(asset: FileAsset, pseudo: Mapping[str, str]) -> AssetUpload:
    return AssetUpload(
        path=asset.path,
        packaging=asset.packaging,
        bucket_name=_resolved(asset.bucket_name, pseudo),
        object_key=_resolved(asset.object_key, pseudo),
    )


def _resolved(text: str, pseudo: Mapping[str, str]) -> str:
    for parameter, value in pseudo.items():
        text = text.replace(parameter, value)
    return text
