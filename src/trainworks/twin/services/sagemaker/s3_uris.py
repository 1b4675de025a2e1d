"""S3 URIs in requests: `s3://bucket/key` names an object, or all below a prefix."""

from __future__ import annotations

from urllib.parse import urlparse

from trainworks.twin.services.sagemaker.refusals import invalid


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises `ApiError('ValidationException')` for what is none."""
    parsed = urlparse(uri)
    if parsed.scheme != "s3" or not parsed.netloc:
        raise invalid(f"The S3 URI '{uri}' is not of the form s3://bucket/prefix")
    return parsed.netloc, uri.split("/", 3)[3] if uri.count("/") > 2 else ""
