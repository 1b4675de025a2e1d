"""The environment that stands for one of AWS's framework images: which packages, of which versions, and how it is made.

    the tag's versions --> the nearest that the index has for this Python --> pip install, wheels alone --> made.json

Nothing is compiled, and nothing comes from the environment that the twin runs from. What was installed, and what could
not be, is in `made.json` of the environment, for the head of each job's log and for `trainworks image made`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trainworks.spec.framework_contents import Contents, contents, is_gpu, python_of, versions_of
from trainworks.spec.framework_images import EcrUri, Framework
from trainworks.twin.compute.environments import Environments
from trainworks.twin.compute.story import Story
from trainworks.twin.ports import ApiError

_MADE = "made.json"
_CONSTRAINTS = "constraints.txt"
_WHEELS = ("--only-binary", ":all:")
_AVAILABLE = re.compile(r"^Available versions: (?P<versions>.+)$")
_RELEASE = re.compile(r"^(?P<numbers>\d+(?:\.\d+)*)(?:\.?post\d+)?(?:\+(?P<build>[a-z0-9.]+))?$")
_NOT_FOUND = re.compile(r"No matching distribution found for (?P<name>[A-Za-z0-9._-]+)")
_UNRESOLVED = re.compile(r"No matching distribution found|ResolutionImpossible|conflicting dependencies")
_UNREACHABLE = re.compile(r"WARNING: Retrying|Max retries exceeded|NewConnectionError|ConnectTimeout|timed out")
_CPU = "cpu"
_ASKING = ("--disable-pip-version-check", "--retries", "1", "--timeout", "10")
_SINGLY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Made:
    """What an environment of a framework's image is. `packages` are versions by name; `notes` what differs from AWS's.

    `size_in_bytes` is what it takes on disk, `seconds` how long it took to make.
    """

    image: str
    python: str
    packages: Mapping[str, str]
    main: tuple[str, ...]
    notes: tuple[str, ...]
    size_in_bytes: int
    seconds: float

    @property
    def versions(self) -> str:
        """`scikit-learn 1.4.2`, for a line of text."""
        return ", ".join(f"{name} {self.packages.get(name, 'of unknown version')}" for name in self.main)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the environment of one framework's image is made. `gpu`: with the builds for GPUs."""

    framework: str
    repository: str
    versions: Mapping[str, str]
    wanted_python: str
    gpu: bool
    asked_gpu: bool

    @property
    def image(self) -> str:
        """The image, without its registry and what is in no tag of the environment."""
        said = "-".join(f"{name}-{version}" for name, version in self.versions.items()) or "newest"
        return f"{self.repository} ({said})"

    @property
    def name(self) -> str:
        """What the environment is called: another name whenever anything else would be in it."""
        facts = [asdict(self), asdict(contents()[self.framework]), list(sys.version_info[:2])]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=list).encode()).hexdigest()[:12]
        version = "-".join(self.versions.values()) or "newest"
        return f"{self.framework}-{version}-{'gpu' if self.gpu else _CPU}-{digest}"


def recipe_of(framework: Framework, uri: EcrUri, *, has_gpus: bool) -> Recipe:
    """The recipe for AWS's image at `uri` on a machine with GPUs or without."""
    asked = is_gpu(uri.reference)
    named_cpu = "-cpu-" in f"-{uri.reference}-"
    return Recipe(
        framework.name,
        uri.repository,
        versions_of(framework, uri.reference),
        python_of(uri.reference),
        gpu=has_gpus and not named_cpu,
        asked_gpu=asked,
    )


def make(recipe: Recipe, environments: Environments, python: Path, place: Path, story: Story) -> None:
    """Fill `place` as the recipe says. Raises `ApiError` with what pip said last."""
    began = time.monotonic()
    story.say(f"making the environment of {recipe.image}: it is made once, and used offline afterwards")
    environments.make(place, python)
    what = contents()[recipe.framework]
    chosen: dict[str, str] = {}
    notes: list[str] = []
    for name, for_cpu in what.main.items():
        package = name if recipe.gpu else for_cpu
        package, version = _choose(environments, place, package, name, recipe.versions.get(name, ""), gpu=recipe.gpu)
        chosen[package] = version
        story.say(f"{package} {version} stands for {name} {recipe.versions.get(name, 'of the newest version')}")
    _install(environments, place, what, chosen, notes, story)
    site = _site_packages(place)
    packages = {
        dist.name.replace("_", "-"): dist.version for dist in importlib.metadata.distributions(path=[str(site)])
    }
    made = Made(
        image=recipe.image,
        python=".".join(str(part) for part in sys.version_info[:3]),
        packages=dict(sorted(packages.items())),
        main=tuple(chosen),
        notes=(*_differences(recipe, what, chosen), *notes),
        size_in_bytes=_size(place),
        seconds=round(time.monotonic() - began, 1),
    )
    (place / _MADE).write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")
    story.say(f"made in {made.seconds:.0f} s: {made.versions}, {made.size_in_bytes / (1 << 20):.0f} MiB")


def read_made(place: Path) -> Made | None:
    """What the environment in `place` is; None for the environment of a user's own image."""
    try:
        record = json.loads((place / _MADE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Made(**{**record, "main": tuple(record["main"]), "notes": tuple(record["notes"])})


def nearest(wanted: str, available: Sequence[str]) -> str | None:
    """The version of `available` that is nearest to `wanted`: the newest patch of the same minor version, else the
    nearest minor version of the same major, else the nearest major. Without `wanted`, the newest."""
    releases = {version: _numbers(version) for version in available if _RELEASE.match(version)}
    if not releases:
        return None
    if wanted in releases or not wanted:
        return wanted or max(releases, key=lambda version: releases[version])
    goal = _numbers(wanted)

    def distance(version: str) -> tuple[int, ...]:
        major, minor, patch = releases[version]
        if (major, minor) == goal[:2]:
            return (0, 0, abs(patch - goal[2]) if len(wanted.split(".")) > 2 else -patch)
        return (abs(major - goal[0]), abs(minor - goal[1]) if major == goal[0] else 0, -minor, -patch)

    return min(releases, key=distance)


def _choose(
    environments: Environments, place: Path, package: str, name: str, wanted: str, *, gpu: bool
) -> tuple[str, str]:
    """Which package stands for `name` in which version: `package` where it has the major version, else `name`."""
    found = None
    for candidate in dict.fromkeys([package, name]):
        available = _available(environments, place, candidate, required=candidate == name)
        if not gpu:
            available = _for_cpu(available)
        found = nearest(wanted, available)
        if found is not None and (not wanted or _numbers(found)[:2] == _numbers(wanted)[:2] or candidate == name):
            return candidate, found
    raise ApiError("ValidationException", f"The image cannot be prepared: no index has a wheel of {name} {wanted}")


def _for_cpu(available: Sequence[str]) -> Sequence[str]:
    """Where there are builds for CPUs alone (`2.6.0+cpu`), those: the others bring gigabytes of CUDA with them."""
    return [version for version in available if version.endswith(f"+{_CPU}")] or available


def _available(environments: Environments, place: Path, package: str, *, required: bool) -> Sequence[str]:
    """All versions that the index has as wheels for this Python, newest first."""
    result = environments.pip(place, ["index", "versions", package, *_WHEELS, *_ASKING])
    for line in result.lines:
        if match := _AVAILABLE.match(line):
            return [version.strip() for version in match["versions"].split(",")]
    if required or _UNREACHABLE.search(result.words):  # then the next package would only wait as long
        raise ApiError(
            "ValidationException",
            f"The image cannot be prepared: no package index that pip is set to has {package}, or none can be reached: "
            f"{result.words}\nFix: make it once while there is a network (trainworks image make), and it is used "
            "offline afterwards",
        )
    return []


def _install(  # noqa: PLR0917
    environments: Environments,
    place: Path,
    what: Contents,
    chosen: Mapping[str, str],
    notes: list[str],
    story: Story,
) -> None:
    """Install all packages in one resolution; else one by one, and what cannot be is left out and told."""
    first = next(iter(chosen.values()))
    pinned = [f"{name}=={version}" for name, version in chosen.items()]
    rules = [rule for version in chosen.values() for rule in what.constraints_of(version)]
    (place / _CONSTRAINTS).write_text("\n".join([*rules, *pinned]) + "\n")
    packages = list(what.packages)
    _, plus, build = first.partition("+")
    for name in what.with_build:
        available = _available(environments, place, name, required=False) if plus else []
        if not plus or any(version.endswith(f"+{build}") for version in available):
            packages.append(name)
        else:
            notes.append(f"{name} is left out: the index has no build of it for {first}")
    options = ["--constraint", str(place / _CONSTRAINTS), *_WHEELS, *pinned]
    while True:
        try:
            environments.install(place, [*options, *packages], story, asked=len(pinned) + len(packages))
        except ApiError as error:
            if _UNREACHABLE.search(error.message):
                raise
            missing = _NOT_FOUND.search(error.message)
            if missing is not None and missing["name"] in packages:
                packages.remove(missing["name"])
                notes.append(f"{missing['name']} is left out: the index has no wheel of it for this Python")
                story.say(notes[-1])
                continue
            if _UNRESOLVED.search(error.message) is None:
                raise
            _install_singly(environments, place, options, packages, notes, story)
        return


def _install_singly(  # noqa: PLR0917
    environments: Environments,
    place: Path,
    options: Sequence[str],
    packages: Sequence[str],
    notes: list[str],
    story: Story,
) -> None:
    """Install the framework, and then one by one what goes with it, as long as that takes no longer than a while."""
    story.say("not all of it goes together here: what AWS documents beside the framework is installed one by one")
    environments.install(place, options, story)
    until = time.monotonic() + _SINGLY_SECONDS
    for count, name in enumerate(packages):
        if time.monotonic() > until:
            left = ", ".join(packages[count:])
            notes.append(f"{left} are left out: to install one by one took over {_SINGLY_SECONDS / 60:.0f} minutes")
            story.say(notes[-1])
            return
        story.do(f"installing {name} ({count + 1} of {len(packages)})")
        try:
            environments.install(place, [*options, name], story)
        except ApiError as refused:
            if _UNRESOLVED.search(refused.message) is None or _UNREACHABLE.search(refused.message):
                raise
            notes.append(f"{name} is left out: the index has no wheels of it and its needs that go with the framework")
            story.say(notes[-1])


def _differences(recipe: Recipe, what: Contents, chosen: Mapping[str, str]) -> Iterable[str]:
    """What a job has to know of the versions, the Python and the processor."""
    for (name, _), (_, version) in zip(what.main.items(), chosen.items(), strict=True):
        wanted = recipe.versions.get(name)
        if wanted is None:
            continue
        if _numbers(wanted)[0] != _numbers(version)[0]:
            yield (
                f"warning: the image has version {wanted} of {name}, here runs version {version}: "
                "they may behave differently"
            )
        elif _numbers(wanted)[:2] != _numbers(version)[:2]:
            yield f"the image has {name} {wanted}; here runs {version}, the nearest that the index has"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if recipe.wanted_python and recipe.wanted_python != here:
        yield f"the image has Python {recipe.wanted_python}; here runs Python {here}"
    if recipe.asked_gpu and not recipe.gpu:
        yield "the image is for GPUs; this machine has none, so here run the builds for CPUs"


def _numbers(version: str) -> tuple[int, int, int]:
    match = _RELEASE.match(version)
    parts = [int(part) for part in match["numbers"].split(".")] if match else []
    major, minor, patch = [*parts, 0, 0, 0][:3]
    return major, minor, patch


def _site_packages(place: Path) -> Path:
    return place / "env" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _size(folder: Path) -> int:
    return sum(each.lstat().st_blocks * 512 for each in folder.rglob("*"))
