"""Framework images that are offered, and the environments that stand for images on the twin: for `image list` and
`describe`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.framework_images import frameworks
from trainworks.twin import lifecycle
from trainworks.twin.control_client import ask
from trainworks.twin.home import default_home


@dataclass(frozen=True, slots=True)
class ImageEnvironment:
    """One environment: its name, the images that it stands for, what it holds, its size on disk, when it was made and
    when a job used it last. `kind` is `framework` or `own`; `making` is what its making does, if it is not whole."""

    name: str
    kind: str
    stands_for: tuple[str, ...]
    versions: str
    size_in_bytes: int | None
    made_at: datetime | None
    last_used_at: datetime
    making: str = ""


@dataclass(frozen=True, slots=True)
class OfferedImage:
    """A framework's image that jobs may name, and the environments that stand for it: two where there are GPUs."""

    image: str
    is_default: bool
    made: tuple[ImageEnvironment, ...]


def made_images(image_uri: str = "") -> list[ImageEnvironment] | None:
    """All environments of the running twin, the last used first; with `image_uri` those which stand for it.

    None if no twin runs.
    """
    server = lifecycle.find(default_home())
    if server is None:
        return None
    return [_made(each) for each in ask(server, "images", {"image_uri": image_uri})["images"]]


def offered_images(made: Sequence[ImageEnvironment]) -> Iterator[OfferedImage]:
    """All framework images by framework and version, each with what of `made` stands for it."""
    for framework in frameworks().values():
        for version in framework.tags:
            image = f"{framework.name}:{version}"
            standing = tuple(each for each in made if each.kind == "framework" and image in each.stands_for)
            yield OfferedImage(image, version == framework.default_version, standing)


def _made(answer: Mapping[str, Any]) -> ImageEnvironment:
    made_at = answer["made_at"]
    return ImageEnvironment(
        answer["name"],
        answer["kind"],
        tuple(answer["stands_for"]),
        answer["versions"],
        answer["size_in_bytes"],
        None if made_at is None else datetime.fromtimestamp(made_at, UTC),
        datetime.fromtimestamp(answer["last_used_at"], UTC),
        answer["making"],
    )
