"""The image of a job: whether its repository and its tag are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.aws.ecr import parse_ecr_uri
from trainworks.doctor.finding import Evidence, Finding, Outcome
from trainworks.doctor.looking import Look, Looker

IMAGE_BEING_MADE = "The image is being made"
"""What the twin says about a job while it waits for the environment of its image."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The repository's look is absent if there is no repository; the image's if none has the tag or digest."""

    uri: str
    repository: Look[str]
    image: Look[str]


def look_at_image(looker: Looker, uri: str, account: str) -> ImageFacts | None:
    """Ask ECR about an image of the account's own registry; None for others, about which nobody here can tell."""
    parts = parse_ecr_uri(uri)
    if parts is None or parts.account != account:
        return None
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
            lambda ecr: _digest(ecr, parts.repository, parts.image_id),
            absent=("ImageNotFound", "RepositoryNotFound"),
            subject=parts.name,
        ),
    )


def _digest(ecr: Any, repository: str, image_id: dict[str, str]) -> str | None:
    details = ecr.describe_images(repositoryName=repository, imageIds=[image_id])["imageDetails"]
    return str(details[0]["imageDigest"]) if details else None


def being_made(said: str, evidence: Evidence) -> Finding:
    """For a job that waits for its image; `said` is what the service says about that."""
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
