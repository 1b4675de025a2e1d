"""Makes the environment of an image on the twin before a job asks for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from trainworks.aws.framework_images import frameworks, resolve_image
from trainworks.jobs.clock import Clock
from trainworks.twin.control_client import ask
from trainworks.twin.home import DEFAULT_REGION, default_home
from trainworks.twin.lifecycle import running

_POLL_SECONDS = 0.5
_ON_CPU, _ON_GPU = "ml.m5.large", "ml.g5.xlarge"


@dataclass(frozen=True, slots=True)
class MadeImage:
    """An image whose environment is complete, and notes on it."""

    image_uri: str
    notes: tuple[str, ...]


def make_image(image: str, tell: Callable[[str], None], clock: Clock | None = None) -> MadeImage:
    """Wait until the environment of a framework's image, or of an image by its URI, is made; `tell` hears each step.

    Raises `RequestError` for an image that is none, `TwinError` if no twin runs or the making fails.
    """
    image_uri = resolve_any(image)
    clock = clock or Clock()
    server = running(default_home())
    request = {"image_uri": image_uri, "waiter": uuid.uuid4().hex}
    told = 0
    while True:
        answer = ask(server, "image", request)
        lines = answer["said"] if answer["ready"] else answer["lines"]
        for line in lines[told:]:
            tell(line)
        told = max(told, len(lines))
        if answer["ready"]:
            return MadeImage(image_uri, tuple(answer["lines"]))
        clock.sleep(_POLL_SECONDS)


def resolve_any(image: str) -> str:
    """The URI of a framework's image for CPUs, or for GPUs if it has none for CPUs."""
    name, _, version = image.partition(":")
    framework = frameworks().get(name)
    tags = framework.tags.get(version or framework.default_version, {}) if framework else {}
    return resolve_image(image, DEFAULT_REGION, _ON_GPU if "gpu" in tags and "cpu" not in tags else _ON_CPU)
