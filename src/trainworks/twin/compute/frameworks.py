"""The environment that stands for one of AWS's framework images: which packages, of which versions, and how it is made.

    the tag's versions --> the nearest that the index has for this Python --> pip install, wheels alone --> made.json

Nothing is compiled, and nothing comes from the environment that the twin runs from. What was installed, and what could
not be, is in `made.json` of the environment (`made.py`); what of it differs from AWS's image, `differences.py` tells.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainworks.aws.ecr import EcrUri
from trainworks.aws.framework_contents import Contents, contents, is_gpu, python_of, versions_of
from trainworks.aws.framework_images import Framework
from trainworks.twin.compute.environments import PythonEnvironments
from trainworks.twin.compute.made import record_made
from trainworks.twin.compute.making_log import MakingLog
from trainworks.twin.ports import ApiError

_CONSTRAINTS = "constraints.txt"
_WHEELS = ("--only-binary", ":all:")
_AVAILABLE = re.compile(r"Could not find a version that satisfies .+\(from versions: (?P<versions>.+)\)$")
_RELEASE = re.compile(r"^\d+(?:\.\d+)*(?:\.?post\d+)?(?:\+(?P<build>[a-z0-9.]+))?$")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_NOT_FOUND = re.compile(r"No matching distribution found for (?P<name>[A-Za-z0-9._-]+)")
_UNRESOLVED = re.compile(r"No matching distribution found|ResolutionImpossible|conflicting dependencies")
_UNREACHABLE = re.compile(r"WARNING: Retrying|Max retries exceeded|NewConnectionError|ConnectTimeout|timed out")
_WHY = re.compile(r"\[Errno -?\d+\] ([A-Za-z ]+)|(?:connect |read )?(timed out)")
_CPU = "cpu"
_ASKING = ("--disable-pip-version-check", "--retries", "1", "--timeout", "10")
_SINGLY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the environment of one framework's image is made. `gpu`: with the builds for GPUs.

    What the tag says about its Python and its processor is told to jobs, and changes nothing in the environment.
    """

    framework: str
    repository: str
    versions: Mapping[str, str]
    wanted_python: str
    gpu: bool
    asked_gpu: bool

    @property
    def image(self) -> str:
        """The image, without its registry and what is in no tag of the environment."""
        return f"{self.repository} ({self.wanted})"

    @property
    def wanted(self) -> str:
        """`scikit-learn 1.4`, for a line of text."""
        names = self.versions or dict.fromkeys(contents()[self.framework].main, "of the newest version")
        return ", ".join(f"{name} {version}" for name, version in names.items())

    @property
    def name(self) -> str:
        """What the environment is called: another name whenever anything else would be in it. Tags for CPUs and for
        GPUs have one environment where both get the same builds."""
        what = contents()[self.framework]
        held = [what.main, what.packages, what.constraints, what.with_build]
        facts = [self.repository, self.versions, self.gpu, held, list(sys.version_info[:2])]
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


def make(recipe: Recipe, environments: PythonEnvironments, python: Path, place: Path, making_log: MakingLog) -> None:
    """Fill `place` as the recipe says. Raises `ApiError` with what pip said last."""
    began = time.monotonic()
    making_log.say(
        f"making the environment of {recipe.image}: it is made once, and used offline afterwards",
        f"an environment with {recipe.wanted}",
    )
    environments.make(place, python)
    what = contents()[recipe.framework]
    chosen: dict[str, str] = {}
    notes: list[str] = []
    for name, for_cpu in what.main.items():
        package = name if recipe.gpu else for_cpu
        package, version = _choose(environments, place, package, name, recipe.versions.get(name, ""), gpu=recipe.gpu)
        chosen[package] = version
        making_log.say(f"{package} {version} stands for {name} {recipe.versions.get(name, 'of the newest version')}")
    rules = [
        rule
        for wanted, version in zip(what.main, chosen.values(), strict=True)
        for rule in what.constraints_of(recipe.versions.get(wanted, "")) or what.constraints_of(version)
    ]
    _install(environments, place, what, chosen, rules, notes, making_log)
    made = record_made(place, recipe.image, tuple(chosen), notes, time.monotonic() - began)
    making_log.say(f"made in {made.seconds:.0f} s: {made.versions}, {made.size_in_bytes / (1 << 20):.0f} MiB")


def nearest(wanted: str, available: Sequence[str]) -> str | None:
    """The version of `available` that is nearest to `wanted`: the newest patch of the same minor version, else the
    nearest minor version of the same major, else the nearest major. Without `wanted`, the newest."""
    releases = {version: numbers_of(version) for version in available if _RELEASE.match(version)}
    if not releases:
        return None
    if wanted in releases or not wanted:
        return wanted or max(releases, key=lambda version: releases[version])
    goal = numbers_of(wanted)

    def distance(version: str) -> tuple[int, ...]:
        major, minor, patch = releases[version]
        if (major, minor) == goal[:2]:
            return (0, 0, abs(patch - goal[2]) if len(wanted.split(".")) > 2 else -patch)
        return (abs(major - goal[0]), abs(minor - goal[1]) if major == goal[0] else 0, -minor, -patch)

    return min(releases, key=distance)


def _choose(
    environments: PythonEnvironments, place: Path, package: str, name: str, wanted: str, *, gpu: bool
) -> tuple[str, str]:
    """Which package stands for `name` in which version: `package` if it has the major version, else `name`."""
    found = None
    for candidate in dict.fromkeys([package, name]):
        available = _of_builds(_available(environments, place, candidate, required=candidate == name), gpu=gpu)
        found = nearest(wanted, available)
        if found is not None and (not wanted or numbers_of(found)[:2] == numbers_of(wanted)[:2] or candidate == name):
            return candidate, found
    raise ApiError("ValidationException", f"The image cannot be prepared: no index has a wheel of {name} {wanted}")


def _of_builds(available: Sequence[str], *, gpu: bool) -> Sequence[str]:
    """Where there are builds for CPUs alone (`2.6.0+cpu`), those, since the others bring gigabytes of CUDA with them;
    for GPUs the others."""
    return [version for version in available if version.endswith(f"+{_CPU}") != gpu] or available


def _pin(name: str, version: str) -> str:
    """Exactly this version: `==2.6.0` would take the build `2.6.0+cpu` too, and prefer it."""
    return f"{name}{'==' if '+' in version else '==='}{version}"


def _rule_of_build(name: str, available: Sequence[str], build: str) -> Iterator[str]:
    """What keeps pip from another build of `name` than that of the framework: rules that go with all others."""
    if build:  # PyPI's newer versions are of the usual build
        newest = max((version for version in available if version.endswith(f"+{build}")), key=numbers_of)
        yield f"{name}<={newest.partition('+')[0]}"
    else:
        yield from (f"{name}!={version}" for version in available if version.endswith(f"+{_CPU}"))


def _available(environments: PythonEnvironments, place: Path, package: str, *, required: bool) -> Sequence[str]:
    """All versions that the index has as wheels for this Python.

    They are in pip's words about a version that nobody has: `pip index versions` names those without wheels too.
    """
    asking = ["download", "--no-deps", "--dest", str(place), f"{package}==0+none", *_WHEELS, *_ASKING]
    result = environments.ask_pip(place, asking)
    for line in result.lines:
        if (match := _AVAILABLE.search(line)) and match["versions"] != "none":
            return [version.strip() for version in match["versions"].split(",")]
    is_unreachable = _UNREACHABLE.search(result.words) is not None
    if required or is_unreachable:  # then the next package would only wait as long
        why = f"no package index that pip is configured for has a wheel of {package} for this Python"
        if is_unreachable:
            reason = _WHY.search(result.words)
            why = f"pip cannot reach a package index{f' ({(reason[1] or reason[2]).strip()})' if reason else ''}"
        raise ApiError(
            "ValidationException",
            f"The image cannot be prepared: {why}.\n"
            "Fix: make it once while there is a network (trainworks image make), and it is used offline afterwards",
        )
    return []


def _install(  # noqa: PLR0917
    environments: PythonEnvironments,
    place: Path,
    what: Contents,
    chosen: Mapping[str, str],
    rules: Sequence[str],
    notes: list[str],
    making_log: MakingLog,
) -> None:
    """Install all packages in one resolution; else one by one, and what cannot be is left out and told. `rules` hold
    versions of what goes with the framework."""
    pinned = [_pin(name, version) for name, version in chosen.items()]
    packages, held = list(what.packages), [*rules, *pinned]
    for name in what.with_build:
        first = next(iter(chosen.values()))
        build = first.partition("+")[2]
        available = _available(environments, place, name, required=False)
        if not build or any(version.endswith(f"+{build}") for version in available):
            packages.append(name)
            held += _rule_of_build(name, available, build)
        else:
            notes.append(f"{name} is left out: the index has no build of it for {first}")
    (place / _CONSTRAINTS).write_text("\n".join(held) + "\n")
    options = ["--constraint", str(place / _CONSTRAINTS), *_WHEELS, *pinned]
    while True:
        try:
            environments.install(place, [*options, *packages], making_log, asked=len(pinned) + len(packages))
        except ApiError as error:
            if _UNREACHABLE.search(error.message):
                raise
            missing = _NOT_FOUND.search(error.message)
            if missing is not None and missing["name"] in packages:
                packages.remove(missing["name"])
                notes.append(f"{missing['name']} is left out: the index has no wheel of it for this Python")
                making_log.say(notes[-1])
                continue
            if _UNRESOLVED.search(error.message) is None:
                raise
            _install_singly(environments, place, options, packages, notes, making_log)
        return


def _install_singly(  # noqa: PLR0917
    environments: PythonEnvironments,
    place: Path,
    options: Sequence[str],
    packages: Sequence[str],
    notes: list[str],
    making_log: MakingLog,
) -> None:
    """Install the framework, and then one by one what goes with it, as long as that takes no longer than a while."""
    making_log.say(
        "not all packages can be installed together: those that AWS documents besides the framework are installed one "
        "by one",
        "installing the framework alone, then the packages that go with it",
    )
    environments.install(place, options, making_log)
    until = time.monotonic() + _SINGLY_SECONDS
    for count, name in enumerate(packages):
        if time.monotonic() > until:
            left = ", ".join(packages[count:])
            notes.append(f"{left} are left out: installing one by one took over {_SINGLY_SECONDS / 60:.0f} minutes")
            making_log.say(notes[-1], f"leaving out {len(packages) - count} packages, which take too long")
            return
        making_log.do(f"installing {name} ({count + 1} of {len(packages)})")
        try:
            environments.install(place, [*options, name], making_log)
        except ApiError as refused:
            if _UNRESOLVED.search(refused.message) is None or _UNREACHABLE.search(refused.message):
                raise
            notes.append(
                f"{name} is left out: the index has no wheels of it and its dependencies that go with the framework"
            )
            making_log.say(notes[-1])


def numbers_of(version: str) -> tuple[int, int, int]:
    """Major, minor and patch of a release; zeros for what it does not name."""
    match = _NUMBERS.match(version)
    parts = [int(part) for part in match[0].split(".")] if match else []
    major, minor, patch = [*parts, 0, 0, 0][:3]
    return major, minor, patch
