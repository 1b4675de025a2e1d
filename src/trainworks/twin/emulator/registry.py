"""ECR's layers: bytes that are uploaded are kept, checked against their digest, and found again.

Stock answers the layer operations without keeping a byte. Repositories, tags and manifests stay with it; a blob
(config or layer) is a row of `emulator.db`. Parts of an upload are in memory until it is complete, as the registry
promises nothing about them before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from types import ModuleType
from typing import Any

from trainworks.aws.ecr import EcrUri, parse_ecr_uri
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ecr_blobs (
    account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, digest TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (account, region, repository, digest));
"""
_PUT = "INSERT OR IGNORE INTO ecr_blobs VALUES (?, ?, ?, ?, ?)"
_GET = "SELECT body FROM ecr_blobs WHERE account = ? AND region = ? AND repository = ? AND digest = ?"
_SIZE = "SELECT length(body) AS size FROM ecr_blobs WHERE account = ? AND region = ? AND repository = ? AND digest = ?"
_DROP = "DELETE FROM ecr_blobs WHERE account = ? AND region = ? AND repository = ?"

PART_BYTES = 10 * 1024 * 1024
MAX_LAYER_BYTES = 2 * 1024 * 1024 * 1024


class Registry:
    """Layer operations of ECR over `emulator.db`."""

    def __init__(self, database: Database) -> None:
        database.apply(_SCHEMA)
        self._database = database
        self._uploads: dict[str, bytearray] = {}
        self._ecr: Any = None

    def install(self, ecr: ModuleType) -> None:
        """ECR was loaded: take over its layer operations."""
        self._ecr = ecr
        self._stock_put_image = self._ecr._put_image
        self._stock_delete = self._ecr._delete_repository
        self._stock_describe_images = self._ecr._describe_images
        self._ecr._describe_images = self._describe_images
        self._ecr._initiate_layer_upload = self._initiate
        self._ecr._upload_layer_part = self._upload_part
        self._ecr._complete_layer_upload = self._complete
        self._ecr._batch_check_layer_availability = self._availability
        self._ecr._get_download_url_for_layer = self._download_url
        self._ecr._put_image = self._put_image
        self._ecr._delete_repository = self._delete_repository

    def manifest(self, image_uri: str) -> bytes | None:
        """The manifest of an image, or None where repository, tag or digest is unknown."""
        uri, ecr = _parsed(image_uri), engine.service("ecr")
        with engine.module("core.responses").request_scope(uri.account, uri.region):
            kind = "imageDigest" if uri.is_digest else "imageTag"
            image = ecr._find_image(uri.repository, {kind: uri.reference})
        return None if image is None else str(image["imageManifest"]).encode()

    def blob(self, image_uri: str, digest: str) -> bytes:
        """One config or layer. Raises `ApiError` `LayersNotFoundException`."""
        uri = _parsed(image_uri)
        row = self._database.read_one(_GET, (uri.account, uri.region, uri.repository, digest))
        if row is None:
            raise ApiError(
                "LayersNotFoundException",
                f"Layers with digests '[{digest}]' required for pulled image "
                f"into repository '{uri.repository}' could not be found",
            )
        body: bytes = row["body"]
        return body

    def _initiate(self, data: dict[str, Any]) -> StockResponse:
        if (missing := self._missing_repository(data)) is not None:
            return missing
        upload_id = str(uuid.uuid4())
        self._uploads[upload_id] = bytearray()
        return self._answer({"uploadId": upload_id, "partSize": PART_BYTES})

    def _upload_part(self, data: dict[str, Any]) -> StockResponse:
        upload = self._uploads.get(str(data.get("uploadId")))
        if upload is None:
            return self._error("UploadNotFoundException", f"The upload {data.get('uploadId')} does not exist.")
        part = base64.b64decode(data.get("layerPartBlob", ""), validate=True)
        first, last = int(data.get("partFirstByte", -1)), int(data.get("partLastByte", -1))
        if first != len(upload) or last != first + len(part) - 1 or last >= MAX_LAYER_BYTES:
            return self._error(
                "InvalidLayerPartException",
                f"Layer part {first}-{last} is not valid: {len(upload)} bytes were received, the part has {len(part)}.",
            )
        upload += part
        return self._answer(
            {"repositoryName": data["repositoryName"], "uploadId": data["uploadId"], "lastByteReceived": last}
        )

    def _complete(self, data: dict[str, Any]) -> StockResponse:
        if (missing := self._missing_repository(data)) is not None:
            return missing
        upload = self._uploads.get(str(data.get("uploadId")))
        if upload is None:
            return self._error("UploadNotFoundException", f"The upload {data.get('uploadId')} does not exist.")
        if not upload:
            return self._error("EmptyUploadException", "The upload has no parts.")
        digest = f"sha256:{hashlib.sha256(upload).hexdigest()}"
        if digest not in data.get("layerDigests", []):
            return self._error(
                "InvalidLayerException", f"The layer's digest is {digest}, which is not one of those given."
            )
        with self._database.transaction() as tx:
            stored = tx.execute(_PUT, (*self._scope(data["repositoryName"]), digest, bytes(upload))).rowcount
        del self._uploads[data["uploadId"]]
        if not stored:
            return self._error("LayerAlreadyExistsException", f"The layer {digest} already exists.")
        return self._answer(
            {"repositoryName": data["repositoryName"], "uploadId": data["uploadId"], "layerDigest": digest}
        )

    def _availability(self, data: dict[str, Any]) -> StockResponse:
        if (missing := self._missing_repository(data)) is not None:
            return missing
        layers, failures = [], []
        for digest in data.get("layerDigests", []):
            size = self._size(data["repositoryName"], digest)
            if size is None:
                reason = "Layer not found"
                failures.append({"layerDigest": digest, "failureCode": "MissingLayerDigest", "failureReason": reason})
            else:
                layers.append({"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size})
        return self._answer({"layers": layers, "failures": failures})

    def _download_url(self, data: dict[str, Any]) -> StockResponse:
        return self._error(
            "NotImplemented",
            "trainworks does not implement ecr:GetDownloadUrlForLayer: images are pulled inside the twin only",
            501,
        )

    def _put_image(self, data: dict[str, Any]) -> StockResponse:
        if (missing := self._missing_repository(data)) is not None:
            return missing
        try:
            manifest = json.loads(data.get("imageManifest", ""))
        except ValueError as error:
            return self._error("InvalidParameterException", f"The image manifest is not JSON: {error}")
        entries = [*manifest.get("layers", []), *([manifest["config"]] if "config" in manifest else [])]
        absent = [each["digest"] for each in entries if self._size(data["repositoryName"], each["digest"]) is None]
        if absent:
            return self._error(
                "LayersNotFoundException",
                f"Layers with digests '{absent}' required for pushed image into repository with name "
                f"'{data['repositoryName']}' in the registry do not exist",
            )
        response: StockResponse = self._stock_put_image(data)
        return response

    def _describe_images(self, data: dict[str, Any]) -> StockResponse:
        """An image that is asked for and not there is an error; stock leaves it out of the answer."""
        repository = data.get("repositoryName", "")
        asked = data.get("imageIds") or []
        absent = [each for each in asked if self._ecr._find_image(repository, each) is None]
        if absent and repository in self._ecr._repositories:
            digest, tag = absent[0].get("imageDigest", "null"), absent[0].get("imageTag", "null")
            return self._error(
                "ImageNotFoundException",
                f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the "
                f"repository with name '{repository}' in the registry with id '{self._scope('')[0]}'",
            )
        response: StockResponse = self._stock_describe_images(data)
        return response

    def _delete_repository(self, data: dict[str, Any]) -> StockResponse:
        response: StockResponse = self._stock_delete(data)
        if response[0] == 200:
            with self._database.transaction() as tx:
                tx.execute(_DROP, self._scope(data["repositoryName"]))
        return response

    def _size(self, repository: str, digest: str) -> int | None:
        row = self._database.read_one(_SIZE, (*self._scope(repository), digest))
        return None if row is None else int(row["size"])

    def _scope(self, repository: str) -> tuple[str, str, str]:
        return (*engine.scope(), repository)

    def _missing_repository(self, data: dict[str, Any]) -> StockResponse | None:
        name = data.get("repositoryName", "")
        if name in self._ecr._repositories:
            return None
        return self._error(
            "RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the registry"
        )

    def _answer(self, document: dict[str, Any]) -> StockResponse:
        response: StockResponse = self._ecr.json_response({"registryId": self._scope("")[0], **document})
        return response

    def _error(self, code: str, message: str, status: int = 400) -> StockResponse:
        response: StockResponse = self._ecr.error_response_json(code, message, status)
        return response


def repository_arn(image_uri: str) -> str:
    """The ARN of the repository that an image URI names."""
    uri = _parsed(image_uri)
    return f"arn:aws:ecr:{uri.region}:{uri.account}:repository/{uri.repository}"


def _parsed(image_uri: str) -> EcrUri:
    uri = parse_ecr_uri(image_uri)
    if uri is None:
        raise ApiError("ValidationException", f"{image_uri} is not the URI of an ECR image")
    return uri
