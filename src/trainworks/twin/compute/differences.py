"""What a job has to know about the environment that stands for AWS's image: how the two differ.

other versions of the framework     the same major version, or a warning
other major versions beside it      where AWS documents them
packages that the image has         and the environment lacks
the Python, and the processor
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from trainworks.aws.framework_contents import Contents
from trainworks.twin.compute.frameworks import Recipe, numbers_of

_SEPARATORS = re.compile(r"[-_.]+")


def differences(recipe: Recipe, what: Contents, packages: Mapping[str, str]) -> Iterator[str]:
    """A line for each kind of difference between the image of a recipe and an environment with these packages.

    `packages` are versions by name.
    """
    have = {_normal(name): version for name, version in packages.items()}
    for name, for_cpu in what.main.items():
        wanted = recipe.versions.get(name)
        found = have.get(_normal(name), have.get(_normal(for_cpu), ""))
        if wanted is not None and found:
            yield from _other_version(name, wanted, found)
    yield from _other_majors(recipe, what, have)
    named = [*what.packages, *what.with_build, *what.left_out]
    if missing := [name for name in named if _normal(name) not in have]:
        yield f"the image also has these, which this environment lacks: {', '.join(missing)}"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if recipe.wanted_python and recipe.wanted_python != here:
        yield f"the image has Python {recipe.wanted_python}; this environment has Python {here}"
    if recipe.asked_gpu and not recipe.gpu:
        yield "the image is for GPUs; this environment has the builds for CPUs"


def _other_version(name: str, wanted: str, found: str) -> Iterator[str]:
    if numbers_of(wanted)[0] != numbers_of(found)[0]:
        yield (
            f"warning: the image has version {wanted} of {name}, this environment has version {found}: they may "
            "behave differently"
        )
    elif numbers_of(wanted)[:2] != numbers_of(found)[:2]:
        build = "build for CPUs" if found.endswith("+cpu") else "version"
        yield f"the image has {name} {wanted}; this environment has {found}, the nearest {build} that the index has"


def _other_majors(recipe: Recipe, what: Contents, have: Mapping[str, str]) -> Iterator[str]:
    """The differences of what goes with the framework, if AWS documents its version."""
    other = [
        f"{name} {found} (the image has {wanted})"
        for name, wanted in what.documented_of(recipe.versions).items()
        if (found := have.get(_normal(name))) and numbers_of(found)[0] != numbers_of(wanted)[0]
    ]
    if other:
        yield f"warning: of another major version than in the image: {', '.join(other)}"


def _normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return _SEPARATORS.sub("-", name).lower()
