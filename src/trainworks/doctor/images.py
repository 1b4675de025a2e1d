"""The image of a job: whether its repository and its tag are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.aws.partition import partition_of
from trainworks.doctor.finding import Evidence, Finding, Outcome
from trainworks.doctor.looking import Look, Looker

_ECR = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
IMAGE_BEING_MADE = "The image is being made"
"""What the twin says of a job while it waits for the environment of its image."""


@dataclass(frozen=True, slots=True)
class ImageUri:
    """An image of a private ECR repository; exactly one of `tag` and `digest` matters, the digest first."""

    account: str
    region: str
    repository: str
    tag: str = "latest"
    digest: str = ""

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def repository_arn(self) -> str:
        return f"arn:{partition_of(self.region)}:ecr:{self.region}:{self.account}:repository/{self.repository}"


def ecr_image(uri: str) -> ImageUri | None:
    """The parts of an ECR image's URI; None for an image of any other registry."""
    match = _ECR.match(uri)
    if match is None:
        return None
    return ImageUri(
        match["account"], match["region"], match["repository"], match["tag"] or "latest", match["digest"] or ""
    )


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The repository's look is absent if there is no repository; the image's if none has the tag or digest."""

    uri: str
    repository: Look[str]
    image: Look[str]


def look_at_image(looker: Looker, uri: str, account: str) -> ImageFacts | None:
    """Ask ECR about an image of the account's own registry; None for others, about which nobody here can tell."""
    parts = ecr_image(uri)
    if parts is None or parts.account != account:
        return None
    image_id = {"imageDigest": parts.digest} if parts.digest else {"imageTag": parts.tag}
    return ImageFacts(
        uri,
        looker.ask(
            "ecr:DescribeRepositories",
            lambda ecr: str(
                ecr.describe_repositories(repositoryNames=[parts.repository])["repositories"][0]["repositoryUri"]
            ),
            absent=("RepositoryNotFound",),
            subject=parts.repository,
        ),
        looker.ask(
            "ecr:DescribeImages",
            lambda ecr: _digest(ecr, parts.repository, image_id),
            absent=("ImageNotFound", "RepositoryNotFound"),
            subject=parts.reference,
        ),
    )


def _digest(ecr: Any, repository: str, image_id: dict[str, str]) -> str | None:
    details = ecr.describe_images(repositoryName=repository, imageIds=[image_id])["imageDetails"]
    return str(details[0]["imageDigest"]) if details else None


def being_made(said: str, evidence: Evidence) -> Finding:
    """For a job that waits for its image; `said` is what the service says of that."""
    return Finding(
        "image-being-made",
        Outcome.OK,
        f"nothing is wrong: {said[0].lower()}{said[1:]}",
        (evidence,),
        "make it before it is needed: trainworks image make IMAGE",
    )


def image_findings(facts: ImageFacts | None) -> Iterator[Finding]:
    """The image cannot be pulled because it is not there."""
    if facts is None:
        return
    if facts.repository.is_absent:
        yield Finding(
            "image-repository-missing",
            Outcome.PROBLEM,
            f"the repository of image {facts.uri} does not exist",
            (facts.repository.evidence("RepositoryNotFoundException"),),
            "deploy the platform (trainworks up), or correct the image's name",
        )
    elif facts.image.is_absent:
        yield Finding(
            "image-missing",
            Outcome.PROBLEM,
            f"image {facts.uri} is not in its repository",
            (facts.image.evidence("ImageNotFoundException"),),
            "trainworks image build FOLDER, docker push, or correct the tag (trainworks image list)",
        )
