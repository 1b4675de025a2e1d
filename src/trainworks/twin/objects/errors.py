"""S3's errors, with the codes, statuses and messages of "Error responses" in the Amazon S3 API reference."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError

from trainworks.twin.ports import ApiError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class S3Error(ApiError):
    """An `ApiError` with the further elements (`Key`, `BucketName`, `UploadId` ...) and headers that S3 sends."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        elements: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code, message, status)
        self.elements = elements or {}
        self.headers = headers or {}


def no_such_bucket(bucket: str) -> S3Error:
    return S3Error("NoSuchBucket", "The specified bucket does not exist", 404, elements={"BucketName": bucket})


def no_such_key(key: str, *, delete_marker_version: str | None = None) -> S3Error:
    """`delete_marker_version` is given if the key's current version is a delete marker."""
    headers: dict[str, str] = {}
    if delete_marker_version is not None:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": delete_marker_version}
    return S3Error("NoSuchKey", "The specified key does not exist.", 404, elements={"Key": key}, headers=headers)


def no_such_version(key: str, version_id: str) -> S3Error:
    elements = {"Key": key, "VersionId": version_id}
    return S3Error("NoSuchVersion", "The specified version does not exist.", 404, elements=elements)


def no_such_upload(upload_id: str) -> S3Error:
    message = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
        "or completed."
    )
    return S3Error("NoSuchUpload", message, 404, elements={"UploadId": upload_id})


def invalid_argument(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, 400, elements={"ArgumentName": name, "ArgumentValue": value})


def invalid_request(message: str) -> S3Error:
    return S3Error("InvalidRequest", message, 400)


def not_implemented(what: str) -> S3Error:
    """`what` names the operation or header that the twin does not execute."""
    return S3Error("NotImplemented", f"The twin does not implement {what}.", 501)


def precondition_failed(condition: str) -> S3Error:
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error("PreconditionFailed", message, 412, elements={"Condition": condition})


def malformed_xml() -> S3Error:
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return S3Error("MalformedXML", message, 400)


def access_denied(message: str = "Access Denied") -> S3Error:
    return S3Error("AccessDenied", message, 403)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn a full disk under `directory` into an error that says so (status 507, "Insufficient Storage")."""
    message = (
        f"The disk that holds the twin's objects ({directory}) is full; free space there and send the request again."
    )
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise S3Error("InsufficientStorage", message, 507) from error
        raise
    except OperationalError as error:
        if "disk is full" in str(error):
            raise S3Error("InsufficientStorage", message, 507) from error
        raise
