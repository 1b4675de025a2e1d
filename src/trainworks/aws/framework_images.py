"""AWS's own framework images: which registry, repository and tags, and what stands for them if there is no registry.

The facts are data with a date and a source (`framework_images.json`). A framework is written `scikit-learn`, or with
a version `scikit-learn:1.2-1`. Source: "Docker Registry Paths and Example Code" in the SageMaker developer guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from trainworks.aws.ecr import EcrUri
from trainworks.aws.partition import url_suffix_of
from trainworks.errors import RequestError

_GPU_FAMILY = re.compile(r"^(?:ml\.)?(?:p|g)\d")


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework: its repository, the account of its registry per region, its tags per version and processor.

    `modules` are what its images can import; `package` is what `pip install` calls them.
    """

    name: str
    repository: str
    accounts: Mapping[str, str]
    modules: tuple[str, ...]
    package: str
    default_version: str
    tags: Mapping[str, Mapping[str, str]]


@cache
def framework_data() -> Mapping[str, Any]:
    """What `framework_images.json` holds."""
    data: Mapping[str, Any] = json.loads((Path(__file__).parent / "framework_images.json").read_text(encoding="utf-8"))
    return data


@cache
def frameworks() -> Mapping[str, Framework]:
    """All frameworks by name."""
    document = framework_data()
    return {
        name: Framework(
            name=name,
            repository=record["repository"],
            accounts=document["registries"][record["registry"]],
            modules=tuple(record["modules"]),
            package=record["package"],
            default_version=record["default"],
            tags=record["tags"],
        )
        for name, record in document["frameworks"].items()
    }


def framework_of(uri: EcrUri) -> Framework | None:
    """The framework that an image URI belongs to: repository, region and registry account must all be AWS's."""
    for framework in frameworks().values():
        if framework.repository == uri.repository and framework.accounts.get(uri.region) == uri.account:
            return framework
    return None


def resolve_image(image: str, region: str, instance_type: str) -> str:
    """The image URI of a job's `image`: a URI as it is, or a framework name as AWS's image of that region.

    The GPU image is taken for instance types with GPUs. Raises `RequestError` naming what is allowed.
    """
    if "/" in image:
        return image
    name, _, version = image.partition(":")
    framework = frameworks().get(name)
    if framework is None:
        close = [f for f in get_close_matches(name, frameworks(), 1) if not version or version in frameworks()[f].tags]
        build = "build an image of your own and name that: trainworks image build FOLDER"
        raise RequestError(
            f"image {image!r} is neither a framework ({', '.join(sorted(frameworks()))}) nor the URI of an image in"
            " ECR, the registry that SageMaker takes images from",
            fix=f"did you mean {close[0]!r}? Else {build}" if close else f"name a framework, or {build}",
        )
    tags = framework.tags.get(version or framework.default_version)
    if tags is None:
        raise RequestError(
            f"image {image!r}: no version {version!r} of {name} is known; known: {', '.join(framework.tags)}",
            fix=f"image = {name + ':' + framework.default_version!r}, or give the whole image URI",
        )
    return _uri(framework, region, _tag(framework, tags, image, instance_type))


def _tag(framework: Framework, tags: Mapping[str, str], image: str, instance_type: str) -> str:
    processor = "gpu" if _GPU_FAMILY.match(instance_type) else "cpu"
    if processor not in tags:
        raise RequestError(
            f"image {image!r} has no {processor} variant, and instance_type {instance_type!r} needs one",
            fix=f"choose an instance type with{'out' if processor == 'gpu' else ''} a GPU",
        )
    return tags[processor]


def _uri(framework: Framework, region: str, tag: str) -> str:
    account = framework.accounts.get(region)
    if account is None:
        raise RequestError(
            f"AWS has no registry with {framework.name} images in region {region!r}",
            fix="use another region, or push the image to the platform's own repository",
        )
    domain = url_suffix_of(region)
    return f"{account}.dkr.ecr.{region}.{domain}/{framework.repository}:{tag}"
