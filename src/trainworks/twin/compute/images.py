"""Finds what runs in place of an image without Docker: `ports.ImageResolver`.

    image URI --> runtime image in the twin's own ECR       its environment, built once (environments.py)
              --> AWS's framework image of any region       an environment of its own, made once (frameworks.py)
              --> python:3.11 and its like                  the interpreter in use, if its version is that one
              --> anything else                             refused, with the fix

No image is ignored silently: `Runtime.note` says what was put in its place, for the first lines of the job's log.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from trainworks.aws.ecr import EcrUri, parse_ecr_uri
from trainworks.aws.framework_contents import contents
from trainworks.aws.framework_images import Framework, framework_of, frameworks
from trainworks.config.runtime_image import layer_of_manifest
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.differences import differences
from trainworks.twin.compute.environments import PythonEnvironments, Unused, environment_in, name_of
from trainworks.twin.compute.frameworks import Recipe, make, recipe_of
from trainworks.twin.compute.made import made_at, read_made, record_made
from trainworks.twin.compute.making import BEGINNING, Makings, OnEnd
from trainworks.twin.compute.making_log import MakingLog
from trainworks.twin.ports import ApiError, Caller, ControlPlane, ImageBeingMadeError, Runtime

_PYTHON_IMAGE = re.compile(
    r"^(?:(?:docker\.io|index\.docker\.io|public\.ecr\.aws/docker)/)?(?:library/)?python:(?P<version>\d+(?:\.\d+){0,2})"
    r"(?:-[a-z0-9.-]+)?$"
)
_IN_USE = (
    "To have the twin's own Python stand for framework images instead, with the versions that it has: "
    "TRAINWORKS_FRAMEWORK_IMAGES=in-use trainworks twin start"
)
_TOOLKIT = re.compile(r"^[\"']?sagemaker[-_]training\b")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Images:
    """See `ports.ImageResolver`. `python` is the interpreter in use, `images_dir` the folder of environments.

    `frameworks` is "made", or "in-use": then the interpreter in use stands for AWS's framework images.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        images_dir: Path,
        builder: Builder,
        python: Path | None = None,
        *,
        frameworks: str = "made",
        has_gpus: bool = False,
        is_in_use: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        self._control_plane = control_plane
        self._python = python or Path(sys.executable)
        self._frameworks = frameworks
        self._has_gpus = has_gpus
        self.environments = PythonEnvironments(images_dir, self._python, builder)
        self._makings = Makings(self.environments)
        self.unused = Unused(self.environments, is_in_use)

    def on_made(self, told: OnEnd) -> None:
        """See `ports.ImageResolver`."""
        self._makings.on_end(told)

    def check(self, image_uri: str, caller: Caller) -> None:
        """See `ports.ImageResolver`: all but making the environment."""
        uri = parse_ecr_uri(image_uri)
        if uri is not None and uri.account == caller.account_id:
            self._layer(image_uri, uri, caller)
        elif uri is not None and (framework := framework_of(uri)) is not None:
            if self._frameworks != "made":
                self._in_use_framework(image_uri, uri, framework)
        else:
            self._interpreter(image_uri)

    def resolve(self, image_uri: str, caller: Caller, waiter: str) -> Runtime:
        """See `ports.ImageResolver`; pulled with the permissions of `caller`."""
        uri = parse_ecr_uri(image_uri)
        if uri is not None and uri.account == caller.account_id:
            own = self._own(image_uri, uri, caller, waiter)
            return replace(own, made=self._makings.told(waiter))
        framework = None if uri is None else framework_of(uri)
        if uri is None or framework is None:
            return self._interpreter(image_uri)
        if self._frameworks != "made":
            return self._in_use_framework(image_uri, uri, framework)
        runtime = self._framework(image_uri, uri, framework, waiter)
        return replace(runtime, made=self._makings.told(waiter))

    def make(self, image_uri: str, caller: Caller, waiter: str) -> dict[str, Any]:
        """Begin to make the environment of an image, or say how far it is; for those who want it before a job does."""
        self.check(image_uri, caller)
        try:
            runtime = self.resolve(image_uri, caller, waiter)
        except ImageBeingMadeError as making:
            return {"ready": False, "lines": list(making.lines), "state": making.state}
        return {"ready": True, "lines": runtime.note.splitlines(), "said": list(runtime.made)}

    def made(self, image_uri: str) -> Sequence[Mapping[str, Any]]:
        """All environments, the last used first; with `image_uri` those which stand for that image.

        `stands_for` are the names under which a framework's image is offered, or the URI of a user's own image.
        `making` is what the making of one does that is not whole yet.
        """
        offered = self._offered()
        going = self._makings.going()
        found = [self._listed(place, offered) for place in self.environments.made() if place.name not in going]
        found += [_being_made(name, state, offered) for name, state in going.items()]
        if image_uri:
            uri = parse_ecr_uri(image_uri)
            framework = None if uri is None else framework_of(uri)
            name = "" if uri is None or framework is None else self._recipe(framework, uri).name
            found = [each for each in found if each["name"] == name or image_uri in each["stands_for"]]
        return sorted(found, key=lambda each: -each["last_used_at"])

    def _listed(self, place: Path, offered: Mapping[str, list[str]]) -> dict[str, Any]:
        """One environment; little is known of one that an earlier release made from a user's own image."""
        made = read_made(place)
        is_own = made is None or not made.main
        return {
            "name": place.name,
            "kind": "own" if is_own else "framework",
            "stands_for": [made.image] if made and is_own else offered.get(place.name, []),
            "versions": made.versions if made else "",
            "size_in_bytes": made.size_in_bytes if made else None,
            "made_at": made_at(place),
            "last_used_at": self.environments.last_use(place),
            "making": "",
        }

    def _recipe(self, framework: Framework, uri: EcrUri) -> Recipe:
        return recipe_of(framework, uri, has_gpus=self._has_gpus)

    def _offered(self) -> Mapping[str, list[str]]:
        """The names of the framework images that each environment would stand for here."""
        found: dict[str, list[str]] = {}
        for framework in frameworks().values():
            for version, tags in framework.tags.items():
                for tag in tags.values():
                    names = found.setdefault(
                        self._recipe(framework, EcrUri("", "", framework.repository, tag)).name, []
                    )
                    if f"{framework.name}:{version}" not in names:
                        names.append(f"{framework.name}:{version}")
        return found

    def _layer(self, image_uri: str, uri: EcrUri, caller: Caller) -> str:
        """The digest of a runtime image's layer."""
        manifest = self._control_plane.ecr_manifest(caller, image_uri)
        if manifest is None:
            raise _refused(
                f"The image {image_uri} does not exist: repository {uri.repository} has no image {uri.reference}.",
                "push it: trainworks image build FOLDER --tag TAG, and see what is there: trainworks image list",
            )
        layer = layer_of_manifest(manifest)
        if layer is None:
            raise _refused(
                f"The image {image_uri} is a container image; there is no container engine here to run it.",
                "push a runtime image under another tag: trainworks image build FOLDER --tag TAG",
            )
        return layer

    def _own(self, image_uri: str, uri: EcrUri, caller: Caller, waiter: str) -> Runtime:
        layer = self._layer(image_uri, uri, caller)

        def build(place: Path, making_log: MakingLog) -> None:
            began = time.monotonic()
            making_log.say(
                f"making the environment of {image_uri}: it is made once, and used offline afterwards", BEGINNING
            )
            fetch = lambda: self._control_plane.ecr_layer(caller, image_uri, layer)  # noqa: E731
            self.environments.build(layer, fetch, place, making_log)
            record_made(place, image_uri, (), (), time.monotonic() - began)

        environment = environment_in(self._makings.ready(name_of(layer), build, waiter))
        folders = [str(environment.python.parent), str(environment.root)]
        return Runtime(
            image_uri=image_uri,
            python=environment.python,
            env={"PATH": os.pathsep.join([*folders, _SYSTEM_PATH]), "VIRTUAL_ENV": str(environment.python.parents[1])},
            working_dir=str(environment.root),
            root=environment.root,
            folders=(environment.root.parent,),
            note=f"image {image_uri} runs in {environment.python.parents[1]}",
            has_toolkit=_has_toolkit(environment.root, environment.python.parents[1]),
        )

    def _framework(self, image_uri: str, uri: EcrUri, framework: Framework, waiter: str) -> Runtime:
        recipe = self._recipe(framework, uri)

        def build(place: Path, making_log: MakingLog) -> None:
            make(recipe, self.environments, self._python, place, making_log)

        try:
            place = self._makings.ready(recipe.name, build, waiter)
        except ApiError as error:
            if _missing(framework):
                raise
            raise ApiError(error.code, f"{error.message}\n{_IN_USE}") from error
        made = read_made(place)
        if made is None:
            raise _refused(
                f"The environment {place} of the image {image_uri} has no made.json that can be read.",
                f"remove that folder, and it is made again: rm -r {place}",
            )
        env = place / "env"
        told = [*differences(recipe, contents()[framework.name], made.packages), *made.notes]
        return Runtime(
            image_uri=image_uri,
            python=env / "bin" / "python",
            env={"PATH": os.pathsep.join([str(env / "bin"), _SYSTEM_PATH]), "VIRTUAL_ENV": str(env)},
            folders=(place,),
            note="\n".join([f"{made.versions} of {env} stands for {uri.repository}:{uri.reference}", *told]),
        )

    def _in_use_framework(self, image_uri: str, uri: EcrUri, framework: Framework) -> Runtime:
        if missing := _missing(framework):
            raise _refused(
                f"The image {image_uri} needs {' and '.join(missing)}, which {self._python} cannot import.",
                f"build an image with requirements.txt naming {framework.package}: trainworks image build FOLDER",
            )
        packages = _packages(_folders())
        found = [_distribution(module) for module in framework.modules]
        said = ", ".join(f"{name} {packages.get(name, 'of unknown version')}" for name in found)
        note = f"{said} of {self._python} stands for {uri.repository}:{uri.reference}"
        told = differences(self._recipe(framework, uri), contents()[framework.name], packages)
        return self._in_use(image_uri, "\n".join([note, *told]))

    def _interpreter(self, image_uri: str) -> Runtime:
        match = _PYTHON_IMAGE.match(image_uri)
        if match is None:
            raise _refused(
                f"Nothing here can stand for the image {image_uri}: it is neither a runtime image of this account, nor "
                "a framework image of AWS, nor a python image.",
                "build one from a folder with a requirements.txt: trainworks image build FOLDER",
            )
        version = match["version"]
        wanted = tuple(int(part) for part in version.split("."))
        if sys.version_info[: len(wanted)] != wanted:
            have = ".".join(str(part) for part in sys.version_info[:3])
            raise _refused(
                f"The image {image_uri} is Python {version}; the interpreter in use is Python {have}.",
                f"use python:{sys.version_info.major}.{sys.version_info.minor}, or run the twin with that Python",
            )
        return self._in_use(image_uri, f"{self._python} stands for {image_uri}")

    def _in_use(self, image_uri: str, note: str) -> Runtime:
        path = os.pathsep.join([str(self._python.parent), _SYSTEM_PATH])
        return Runtime(image_uri=image_uri, python=self._python, env={"PATH": path}, note=note)


def _being_made(name: str, state: str, offered: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "framework" if name in offered else "own",
        "stands_for": offered.get(name, []),
        "versions": "",
        "size_in_bytes": None,
        "made_at": None,
        "last_used_at": time.time(),
        "making": state,
    }


def _has_toolkit(root: Path, env: Path) -> bool:
    """Whether SageMaker's training toolkit is the `train` of an own image: installed, or by its Dockerfile on AWS."""
    if (root / "train").is_file():
        return False
    if any(env.glob("lib/python*/site-packages/sagemaker_training-*.dist-info")):
        return True
    try:
        lines = (root / "Dockerfile").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    said = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    bases = [parse_ecr_uri(word) for words in said if words[0].upper() == "FROM" for word in words[1:]]
    is_aws_own = any(base is not None and framework_of(base) is not None for base in bases)
    return is_aws_own or any(_TOOLKIT.match(word) for words in said for word in words)


def _missing(framework: Framework) -> Sequence[str]:
    """What the interpreter in use cannot import of a framework."""
    return [module for module in framework.modules if importlib.util.find_spec(module) is None]


def _distribution(module: str) -> str:
    """What a module was installed with, whatever that is called (`xgboost-cpu`, `tf-nightly`)."""
    return next(iter(_installed(_folders()).get(module, [])), module)


def _folders() -> tuple[tuple[str, int], ...]:
    return tuple((folder, _changed_at(folder)) for folder in sys.path)


@lru_cache(maxsize=1)
def _installed(folders: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """What each module was installed with, in these folders as they were changed last: 60 to 150 ms to find out, which
    each training job would pay twice."""
    return importlib.metadata.packages_distributions()


@lru_cache(maxsize=1)
def _packages(folders: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    """The versions of all packages in these folders by name; the first of a name is what is imported."""
    found: dict[str, str] = {}
    for each in importlib.metadata.distributions():
        found.setdefault(each.name, each.version)
    return found


def _changed_at(folder: str) -> int:
    """In nanoseconds. Installing or removing a package changes the entries of its folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - an entry of sys.path may be ""
    except OSError:
        return 0


def _refused(problem: str, fix: str) -> ApiError:
    return ApiError("ValidationException", f"{problem} Fix: {fix}")
