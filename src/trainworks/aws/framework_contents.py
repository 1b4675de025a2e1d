"""What AWS's framework images hold: packages and their versions, from an image's repository and tag.

The facts are in `framework_images.json`, with their sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from trainworks.aws.framework_images import Framework, framework_data

_VERSION = re.compile(r"^(?P<version>\d+(?:\.\d+)*)")
_TRANSFORMERS = re.compile(r"-transformers(?P<version>\d+(?:\.\d+)*)")
_PYTHON = re.compile(r"-py(?P<major>\d)(?P<minor>\d+)(?:-|$)")
_GPU = re.compile(r"-(?:gpu|cu\d+)(?:-|$)")


@dataclass(frozen=True, slots=True)
class Contents:
    """The packages of one framework's images.

    `main` are those whose versions a tag names, with what each is called if there is no GPU. `packages` come with
    them, held by `constraints`, which belong to versions of `main` (`1.2`, or `2` for all of 2.x).
    `with_build` exist only in the builds of torch. `left_out` is not installed here. `documented` are the versions that
    AWS names of what comes with them, as far as it does, by minor version of `main`.
    """

    main: Mapping[str, str]
    packages: tuple[str, ...]
    constraints: Mapping[str, Sequence[str]]
    with_build: tuple[str, ...]
    left_out: tuple[str, ...]
    documented: Mapping[str, Mapping[str, str]]

    def documented_of(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The documented versions by package, for an image of these versions of `main`."""
        found: dict[str, str] = {}
        for version in versions.values():
            found |= self.documented.get(".".join(version.split(".")[:2]), {})
        return found

    def constraints_of(self, version: str) -> Sequence[str]:
        """Those of the version, or of its major version."""
        parts = version.split(".")
        return self.constraints.get(".".join(parts[:2]), self.constraints.get(parts[0], ()))


@cache
def contents() -> Mapping[str, Contents]:
    """The contents of all frameworks' images by the framework's name."""
    return {
        name: Contents(
            main=record["contents"]["main"],
            packages=tuple(record["contents"]["packages"]),
            constraints=record["contents"]["constraints"],
            with_build=tuple(record["contents"].get("with_build", ())),
            left_out=tuple(record["contents"]["left_out"]),
            documented=record["contents"].get("documented", {}),
        )
        for name, record in framework_data()["frameworks"].items()
    }


def versions_of(framework: Framework, reference: str) -> Mapping[str, str]:
    """The versions that an image's tag names, by package: `2.5.1-transformers4.49.0-...` names two.

    Empty where the tag names none (`latest`, a digest).
    """
    found = _VERSION.match(reference)
    if found is None or reference.startswith("sha256:"):
        return {}
    first, *others = contents()[framework.name].main
    versions = {first: found["version"]}
    if "transformers" in others and (other := _TRANSFORMERS.search(reference)):
        versions["transformers"] = other["version"]
    return versions


def python_of(reference: str) -> str:
    """The version of Python that a tag names, as `3.11`; "" if it names none."""
    found = _PYTHON.search(reference)
    return "" if found is None else f"{found['major']}.{found['minor']}"


def is_gpu(reference: str) -> bool:
    """Whether a tag says that its image is for GPUs."""
    return _GPU.search(reference) is not None
