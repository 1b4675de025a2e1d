"""S3 locations: a bucket and a key prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainworks.assembly.graph import Resource, Unknown

GET, PUT = "s3:GetObject", "s3:PutObject"
_URI = re.compile(r"s3://([^/]+)/?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class S3Location:
    """Everything in `bucket` whose key starts with `prefix`."""

    bucket: str
    prefix: str

    @property
    def below(self) -> str:
        """The pattern of keys in the folder that `prefix` names, with or without its last slash."""
        return f"{self.prefix.rstrip('/')}/*" if self.prefix else "*"

    def bucket_arn(self, partition: str) -> str:
        return f"arn:{partition}:s3:::{self.bucket}"

    def objects(self, partition: str) -> str:
        """The ARN pattern of the objects."""
        return f"{self.bucket_arn(partition)}/{self.below}"


def location_of(uri: str) -> S3Location | None:
    """What an `s3://bucket/prefix` means; None for a value that is not such a URI or is not known yet."""
    match = None if isinstance(uri, Unknown) else _URI.fullmatch(uri)
    return S3Location(match[1], match[2]) if match else None


@dataclass(frozen=True, slots=True)
class S3UriUse:
    """`location`, which the resource `at` names in its property `path` and the role at `role_arn` has to `action`.

    `location` is None if it is not known.
    """

    role_arn: object
    at: Resource
    path: str
    action: str
    location: S3Location | None
