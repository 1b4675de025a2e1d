"""What stands for an image where there is no Docker: `ports.ImageResolver`.

    image URI --> runtime image in the twin's own ECR       its environment, built once (environments.py)
              --> AWS's framework image of any region       an environment of its own, made once (frameworks.py)
              --> python:3.11 and its like                  the interpreter in use, if its version is that one
              --> anything else                             refused, with the fix

No image is ignored in silence: `Runtime.note` says what was put in its place, for the head of the job's log.
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

from trainworks.spec.framework_images import EcrUri, Framework, framework_of, parse_ecr_uri
from trainworks.spec.runtime_image import layer_of_manifest
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.environments import Environments, environment_in, name_of
from trainworks.twin.compute.frameworks import make, read_made, recipe_of
from trainworks.twin.compute.making import Makings, OnEnd
from trainworks.twin.compute.story import Story
from trainworks.twin.ports import ApiError, Caller, ControlPlane, Ended, ImageBeingMadeError, Runtime

_PYTHON_IMAGE = re.compile(
    r"^(?:(?:docker\.io|index\.docker\.io|public\.ecr\.aws/docker)/)?(?:library/)?python:(?P<version>\d+(?:\.\d+){0,2})"
    r"(?:-[a-z0-9.-]+)?$"
)
YOUNGEST_SECONDS = 60.0
"""What was used within the last minute stays: the task that wants it may not be queued yet."""
_LONGEST_WHY = 300
_MAJOR = re.compile(r"\d+")
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
        self._is_in_use = is_in_use
        self._control_plane = control_plane
        self._python = python or Path(sys.executable)
        self._frameworks = frameworks
        self._has_gpus = has_gpus
        self.environments = Environments(images_dir, self._python, builder)
        self._makings = Makings(self.environments)

    def on_made(self, told: OnEnd) -> None:
        """See `ports.ImageResolver`."""
        self._makings.on_end(told)

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """For `Retention`: environments that nobody has used since a moment, the longest unused first."""
        unused = []
        for place in self.environments.made():
            used = self.environments.last_use(place)
            if used < moment and not self._is_in_use(place):
                unused.append((used, place))
        return [Ended(place.name, (place,)) for _, place in sorted(unused)[after : after + limit]]

    def forget(self, names: Sequence[str]) -> None:
        """For `Retention`: remove these environments; the next job that wants one has it made anew."""
        for name in names:
            place = self.environments.folder / name
            self.environments.remove(place, time.time() - YOUNGEST_SECONDS)

    def check(self, image_uri: str, caller: Caller) -> None:
        """See `ports.ImageResolver`: all but making the environment."""
        uri = parse_ecr_uri(image_uri)
        if uri is not None and uri.account == caller.account_id:
            self._layer(image_uri, uri, caller)
        elif (framework := None if uri is None else framework_of(uri)) is not None:
            if self._frameworks != "made":
                self._in_use_framework(image_uri, framework)
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
            return self._in_use_framework(image_uri, framework)
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
        """The environments of framework images, the last used first; with `image_uri` that one which stands for it."""
        wanted = ""
        if image_uri:
            uri = parse_ecr_uri(image_uri)
            framework = None if uri is None else framework_of(uri)
            if uri is None or framework is None:
                return []
            wanted = recipe_of(framework, uri, has_gpus=self._has_gpus).name
        found = []
        for place in self.environments.made():
            if wanted in ("", place.name) and (made := read_made(place)) is not None:
                found.append(
                    {
                        "name": place.name,
                        "versions": made.versions,
                        "size_in_bytes": made.size_in_bytes,
                        "last_used_at": self.environments.last_use(place),
                    }
                )
        return sorted(found, key=lambda each: -each["last_used_at"])

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

        def build(place: Path, story: Story) -> None:
            story.say(f"making the environment of {image_uri}: it is made once, and used offline afterwards")
            fetch = lambda: self._control_plane.ecr_layer(caller, image_uri, layer)  # noqa: E731
            self.environments.build(layer, fetch, place, story)

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
        )

    def _framework(self, image_uri: str, uri: EcrUri, framework: Framework, waiter: str) -> Runtime:
        recipe = recipe_of(framework, uri, has_gpus=self._has_gpus)

        def build(place: Path, story: Story) -> None:
            make(recipe, self.environments, self._python, place, story)

        try:
            place = self._makings.ready(recipe.name, build, waiter)
        except ApiError as error:
            return self._stand_in(image_uri, framework, error)
        made = read_made(place)
        env = place / "env"
        said = made.versions if made else framework.name
        notes = made.notes if made else ()
        return Runtime(
            image_uri=image_uri,
            python=env / "bin" / "python",
            env={"PATH": os.pathsep.join([str(env / "bin"), _SYSTEM_PATH]), "VIRTUAL_ENV": str(env)},
            folders=(place,),
            note="\n".join([f"{said} of {env} stands for {uri.repository}:{uri.reference}", *notes]),
        )

    def _stand_in(self, image_uri: str, framework: Framework, error: ApiError) -> Runtime:
        """Where the environment cannot be made, the interpreter in use if it has the framework; the log says so."""
        try:
            runtime = self._in_use_framework(image_uri, framework)
        except ApiError:
            raise error from None
        lines = error.message.splitlines()
        told = [line for line in lines if "ERROR: " in line] or lines  # pip's own words, where there are any
        why = told[0][:_LONGEST_WHY]
        warning = f"warning: the environment of this image could not be made, so the twin's own stands for it: {why}"
        return replace(runtime, note=f"{runtime.note}\n{warning}")

    def _in_use_framework(self, image_uri: str, framework: Framework) -> Runtime:
        uri = parse_ecr_uri(image_uri)
        missing = [module for module in framework.modules if importlib.util.find_spec(module) is None]
        if missing or uri is None:
            raise _refused(
                f"The image {image_uri} needs {' and '.join(missing)}, which {self._python} cannot import.",
                f"build an image with requirements.txt naming {framework.package}: trainworks image build FOLDER",
            )
        found = [_distribution(module) for module in framework.modules]
        said = ", ".join(f"{name} {version}" for name, version in found)
        note = f"{said} of {self._python} stands for {uri.repository}:{uri.reference}"
        if other := _other_major(uri.reference, found[0][1]):
            note += f"\nwarning: {other}"
        return self._in_use(image_uri, note)

    def _interpreter(self, image_uri: str) -> Runtime:
        match = _PYTHON_IMAGE.match(image_uri)
        if match is None:
            raise _refused(
                f"Nothing here can stand for the image {image_uri}: it is no runtime image of this account, no "
                "framework image of AWS and no python image.",
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


def _distribution(module: str) -> tuple[str, str]:
    """Name and version of what a module was installed with, whatever that is called (`xgboost-cpu`, `tf-nightly`)."""
    names = _installed(tuple((folder, _changed_at(folder)) for folder in sys.path)).get(module, [])
    return (names[0], importlib.metadata.version(names[0])) if names else (module, "of unknown version")


@lru_cache(maxsize=1)
def _installed(folders: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """What each module was installed with, in these folders as they were changed last: 60 to 150 ms to find out, which
    each training job would pay twice."""
    return importlib.metadata.packages_distributions()


def _changed_at(folder: str) -> int:
    """In nanoseconds. To install or remove a package makes and removes entries of its folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - an entry of sys.path may be ""
    except OSError:
        return 0


def _other_major(reference: str, version: str) -> str:
    """What to say where an image's tag names another major version than the one that stands for it; else ""."""
    wanted, found = _MAJOR.match(reference), _MAJOR.match(version)
    if wanted is None or found is None or wanted[0] == found[0]:
        return ""
    return f"the image has version {wanted[0]}, here runs version {found[0]}: they may behave differently"


def _refused(problem: str, fix: str) -> ApiError:
    return ApiError("ValidationException", f"{problem} Fix: {fix}")
