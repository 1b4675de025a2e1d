"""Images: a folder becomes a runtime image in the platform's ECR repository (twin), or a container image (AWS).

On the twin the folder's files are one layer, sent by ECR's own API; equal files are one image whoever builds them. AWS
runs containers: there `docker build` and `docker push` do it, from the folder's Dockerfile or one that says the same.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trainworks.config.runtime_image import CONFIG, MANIFEST_MEDIA_TYPE, REQUIREMENTS, Blob, write_manifest
from trainworks.errors import RequestError, TrainworksError
from trainworks.jobs.faults import code_of, message_of
from trainworks.jobs.source import package_folder
from trainworks.meanwhile import Meanwhile, untold

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from trainworks.jobs.connection import Connection

TRAIN = "train"
"""What a container of SageMaker runs of its image."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SHOWN = 200
PART_BYTES = 10 * 1024**2
DOCKERFILE = """\
FROM public.ecr.aws/docker/library/python:3.11-slim
WORKDIR /opt/program
COPY . /opt/program
RUN if [ -f requirements.txt ]; then pip install --no-cache-dir -r requirements.txt; fi
ENV PATH=/opt/program:$PATH PYTHONUNBUFFERED=1
"""
"""What the twin makes of a folder, as a Dockerfile: requirements installed, the folder on the path.

A job's script needs no more of it than Python (`aws/script_start.py` starts it); a job without one runs its `train`.
"""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image of the platform's repository. `is_new` is False if it was there before."""

    image_uri: str
    digest: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of a list."""

    image_uri: str
    digest: str
    pushed_at: datetime | None
    size_bytes: int | None


def build_image(
    connection: Connection, folder: Path, tag: str | None = None, meanwhile: Meanwhile = untold
) -> BuiltImage:
    """Build the folder and push it; without `tag` it is tagged by its content. `meanwhile` is called with each step.

    Raises `RequestError` for a folder that cannot be an image, a tag in use, or, on AWS, a missing docker;
    `TrainworksError` when docker fails.
    """
    if tag is not None and not _TAG.fullmatch(tag):
        raise RequestError(
            f"{tag[:_SHOWN]!r} is not a tag; allowed: 1 to 128 letters, digits, underscores, dots and hyphens, the "
            "first of them no dot or hyphen",
            fix="choose another --tag, or leave it out",
        )
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder", fix="give a folder with a requirements.txt")
    if not (folder / REQUIREMENTS).is_file() and not (folder / TRAIN).is_file():
        raise RequestError(
            f"{folder} has neither {REQUIREMENTS} nor train",
            fix=f"put what the image needs into {REQUIREMENTS}; train is its entry point, if it has one",
        )
    if (folder / TRAIN).is_file() and not os.access(folder / TRAIN, os.X_OK):
        raise RequestError(
            f"{folder / TRAIN} is not executable, and a container runs it as it is", fix=f"chmod +x {folder / TRAIN}"
        )
    with meanwhile(f"packing {folder}"):
        layer = package_folder(folder)
    chosen = tag if tag is not None else f"content-{hashlib.sha256(layer).hexdigest()[:16]}"
    if connection.environment.is_twin:
        uri = connection.outputs.ecr_repository_uri
        with meanwhile(f"pushing {len(layer) / 2**20:.1f} MiB to {uri}"):
            return _push_runtime(connection.client("ecr"), uri, chosen, layer)
    return _push_container(connection, folder, f"{connection.outputs.ecr_repository_uri}:{chosen}", meanwhile)


def list_images(connection: Connection) -> list[ImageSummary]:
    """The images of the platform's repository, newest first; an image with two tags is listed twice."""
    outputs = connection.outputs
    pages = connection.client("ecr").get_paginator("describe_images").paginate(repositoryName=outputs.ecr_repository)
    found = [
        ImageSummary(
            f"{outputs.ecr_repository_uri}:{tag}" if tag else f"{outputs.ecr_repository_uri}@{each['imageDigest']}",
            each["imageDigest"],
            each.get("imagePushedAt"),
            each.get("imageSizeInBytes"),
        )
        for page in pages
        for each in page["imageDetails"]
        for tag in each.get("imageTags") or [""]
    ]
    return sorted(found, key=lambda image: image.pushed_at.timestamp() if image.pushed_at else 0.0, reverse=True)


def _push_runtime(ecr: ECRClient, repository_uri: str, tag: str, layer: bytes) -> BuiltImage:
    repository = repository_uri.partition("/")[2]
    blobs = [_push_blob(ecr, repository, data) for data in (CONFIG, layer)]
    manifest = write_manifest(blobs[0], blobs[1])
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    is_new = True
    try:
        ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageManifestMediaType=MANIFEST_MEDIA_TYPE,
            imageTag=tag,
        )
    except ClientError as error:
        if code_of(error) not in ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException"):
            raise
        if _digest_of_tag(ecr, repository, tag) != digest:
            raise RequestError(
                f"tag {tag!r} is in use for another image, and tags of {repository} never change",
                fix="choose another --tag, or leave it out",
            ) from error
        is_new = False
    return BuiltImage(f"{repository_uri}:{tag}", digest, is_new)


def _digest_of_tag(ecr: ECRClient, repository: str, tag: str) -> str | None:
    found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    return found[0]["imageDigest"] if found else None


def _push_blob(ecr: ECRClient, repository: str, data: bytes) -> Blob:
    """Upload one blob in parts, unless the repository has it."""
    blob = Blob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[blob.digest])["layers"]
    if any(each.get("layerAvailability") == "AVAILABLE" for each in layers):
        return blob
    upload = ecr.initiate_layer_upload(repositoryName=repository)
    part_bytes = min(PART_BYTES, upload.get("partSize", PART_BYTES))
    for first in range(0, len(data), part_bytes):
        part = data[first : first + part_bytes]
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    try:
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[blob.digest])
    except ClientError as error:
        if code_of(error) != "LayerAlreadyExistsException":
            raise
    return blob


def _push_container(connection: Connection, folder: Path, image_uri: str, meanwhile: Meanwhile) -> BuiltImage:
    """`docker build` and `docker push` with a password that ECR gives for twelve hours."""
    docker = shutil.which("docker")
    if docker is None:
        raise RequestError(
            f"environment {connection.environment.name!r} is AWS, which runs containers, and docker is not installed",
            fix="install docker, or push an image by other means and give its URI as image",
        )
    authorization = connection.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(authorization["authorizationToken"]).decode().partition(":")
    registry = image_uri.partition("/")[0]
    _docker([docker, "login", "--username", user, "--password-stdin", registry], password)
    with tempfile.TemporaryDirectory() as scratch:
        dockerfile = folder / "Dockerfile"
        if not dockerfile.is_file():
            dockerfile = Path(scratch) / "Dockerfile"
            dockerfile.write_text(DOCKERFILE)
        with meanwhile(f"docker build of {folder}"):
            _docker([docker, "build", "--platform", "linux/amd64", "-f", str(dockerfile), "-t", image_uri, str(folder)])
    with meanwhile(f"docker push of {image_uri}"):
        _docker([docker, "push", image_uri])
    tag = image_uri.rpartition(":")[2]
    try:
        digest = _digest_of_tag(connection.client("ecr"), connection.outputs.ecr_repository, tag)
    except ClientError as error:
        raise TrainworksError(f"{image_uri} was pushed but is not there: {message_of(error)}") from error
    return BuiltImage(image_uri, digest or "", True)


def _docker(argv: list[str], standard_input: str | None = None) -> None:
    done = subprocess.run(
        argv, input=standard_input, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-20:])
        raise TrainworksError(f"docker {argv[1]} failed with exit code {done.returncode}:\n{tail}")
