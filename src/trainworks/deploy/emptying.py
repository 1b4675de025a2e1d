"""Empty what cannot be deleted full: buckets, with all versions and unfinished uploads, and image repositories."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from trainworks.deploy.faults import is_missing
from trainworks.errors import DeployError
from trainworks.s3 import delete_objects

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
_MAX_IMAGES_PER_DELETE = 100


def empty_bucket(s3: S3Client, bucket_name: str) -> int:
    """Delete every version, delete marker and unfinished upload; how many there were. A missing bucket is empty."""
    count = 0
    try:
        count += delete_objects(s3, bucket_name, _versions(s3, bucket_name))
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket_name):
            for upload in page.get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket_name, Key=upload["Key"], UploadId=upload["UploadId"])
                count += 1
    except ClientError as error:
        if is_missing(error):
            return count
        raise
    return count


def empty_repository(ecr: ECRClient, repository_name: str) -> int:
    """Delete every image of a repository; how many there were. A missing repository is empty."""
    count = 0
    try:
        for images in _batches(_images(ecr, repository_name), _MAX_IMAGES_PER_DELETE):
            answer = ecr.batch_delete_image(repositoryName=repository_name, imageIds=images)
            _refuse_failures(
                f"repository {repository_name}",
                [f"{f.get('imageId')}: {f.get('failureReason')}" for f in answer.get("failures", [])],
            )
            count += len(images)
    except ClientError as error:
        if is_missing(error):
            return count
        raise
    return count


def size_of_bucket(s3: S3Client, bucket_name: str) -> int:
    """How many versions and delete markers there are, counted up to one page (1,000). A missing bucket is empty."""
    try:
        page = s3.list_object_versions(Bucket=bucket_name)
    except ClientError as error:
        if is_missing(error):
            return 0
        raise
    return len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))


def size_of_repository(ecr: ECRClient, repository_name: str) -> int:
    """How many images there are, counted up to one page. A missing repository is empty."""
    try:
        return len(ecr.list_images(repositoryName=repository_name)["imageIds"])
    except ClientError as error:
        if is_missing(error):
            return 0
        raise


def _batches(items: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while batch := list(islice(items, size)):
        yield batch


def _versions(s3: S3Client, bucket_name: str) -> Iterator[tuple[str, str]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket_name):
        for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield version["Key"], version["VersionId"]


def _images(ecr: ECRClient, repository_name: str) -> Iterator[ImageIdentifierTypeDef]:
    digests = {
        image["imageDigest"]
        for page in ecr.get_paginator("list_images").paginate(repositoryName=repository_name)
        for image in page["imageIds"]
        if "imageDigest" in image
    }
    # By digest: that deletes the image with all its tags, by tag only the tag would go.
    for digest in sorted(digests):
        yield {"imageDigest": digest}


def _refuse_failures(what: str, failures: list[str]) -> None:
    if failures:
        raise DeployError(
            f"{what} cannot be emptied: {len(failures)} failed, the first: {failures[0]}",
            fix="look for an object lock, a legal hold or a policy that denies deletion",
        )
