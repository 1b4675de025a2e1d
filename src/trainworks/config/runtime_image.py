"""The form of an image that is a runtime: a folder's content as one layer, in an OCI manifest.

`trainworks image build` writes it, the twin reads it. It is an OCI artefact (OCI image specification 1.1, "Guidelines
for Artifact Usage"): any registry stores it, and no container engine mistakes it for a root file system.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.trainworks.runtime.v1+json"
LAYER_MEDIA_TYPE = "application/vnd.trainworks.runtime.layer.v1.tar+gzip"
REQUIREMENTS = "requirements.txt"
CONFIG: bytes = b'{"schema_version":1}'
"""The config blob: the version of the form. What there is to configure is in the folder itself."""

_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob of a manifest: its digest `sha256:<hex>` and size in bytes."""

    digest: str
    size: int


def write_manifest(config: Blob, layer: Blob) -> str:
    """The OCI manifest of a runtime image; equal input gives equal text, so its digest names the content."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "config": {"mediaType": CONFIG_MEDIA_TYPE, "digest": config.digest, "size": config.size},
            "layers": [{"mediaType": LAYER_MEDIA_TYPE, "digest": layer.digest, "size": layer.size}],
        },
        separators=(",", ":"),
        sort_keys=True,
    )


def layer_of_manifest(manifest: bytes) -> str | None:
    """The digest of a runtime image's layer; None if the manifest is that of another kind of image."""
    try:
        document = json.loads(manifest)
        if document["config"]["mediaType"] != CONFIG_MEDIA_TYPE:
            return None
        (layer,) = document["layers"]
        digest = layer["digest"]
    except (ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and _DIGEST.match(digest) else None
