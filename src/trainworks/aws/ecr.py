"""URIs of images in ECR, the registry of an account: what it has, and how the resource is called.

Source: "Amazon ECR private registry" and "Making requests over dual-stack endpoints" in the ECR user guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainworks.aws.partition import partition_of

_HOST = re.compile(
    r"^(?P<account>\d{12})\.(?:dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"|dkr-ecr(?:-fips)?\.(?P<dual>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))$"
)


@dataclass(frozen=True, slots=True)
class EcrUri:
    """An image URI of an ECR registry. `reference` is a tag, or a digest `sha256:...`."""

    account: str
    region: str
    repository: str
    reference: str

    @property
    def is_digest(self) -> bool:
        return self.reference.startswith("sha256:")

    @property
    def image_id(self) -> dict[str, str]:
        """The image as ECR's API names it."""
        return {"imageDigest" if self.is_digest else "imageTag": self.reference}

    @property
    def name(self) -> str:
        """`REPOSITORY:TAG`, or `REPOSITORY@DIGEST`."""
        return f"{self.repository}{'@' if self.is_digest else ':'}{self.reference}"

    @property
    def repository_arn(self) -> str:
        return f"arn:{partition_of(self.region)}:ecr:{self.region}:{self.account}:repository/{self.repository}"


def parse_ecr_uri(image_uri: str) -> EcrUri | None:
    """The parts of an ECR image URI; None for an image of any other registry.

    The tag defaults to `latest`. Where there is a digest too, the digest decides.
    """
    host, _, path = image_uri.partition("/")
    match = _HOST.match(host)
    if match is None or not path:
        return None
    name, at, digest = path.partition("@")
    repository, _, tag = name.partition(":")
    return EcrUri(match["account"], match["region"] or match["dual"], repository, digest if at else tag or "latest")
