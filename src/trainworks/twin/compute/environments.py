"""Environments of runtime images: unpacked and installed once, then shared by every job of the image.

    images/<layer digest>/root    the folder that was built        images/<layer digest>.lock   taken while building
    images/<layer digest>/env     a virtual environment with its requirements.txt
    images/<layer digest>/ready   written last: what lacks it is a half-built rest and is built again;
                                  its time is that of the last use
    images/<layer digest>/pip.log all that pip said; of one that could not be made, images/<layer digest>.pip.log

A layer's digest names its content, so an environment is never changed once it is ready.
"""

from __future__ import annotations

import ensurepip
import errno
import fcntl
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from trainworks.archives import ArchiveError, Links, UnpackLimits, unpack_tar
from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.compute.builder import Builder, PipSettings, Result, pip_settings
from trainworks.twin.compute.making_log import PIP_LOG, MakingLog, PipOutput
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import ApiError, Ended

YOUNGEST_SECONDS = 60.0
"""What was used within the last minute stays: the task that wants it may not be queued yet."""
_LIMITS = UnpackLimits(total_bytes=20 * 1024**3, seconds=1800, links=Links.NONE)
_PIP = ("install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
_FIX = (
    "\nFix: correct requirements.txt, or, without a network, put the wheels into the image's folder and "
    "begin requirements.txt with: --no-index --find-links wheels"
)


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """A ready environment: its interpreter and the folder of the image."""

    python: Path
    root: Path


class PythonEnvironments:
    """All environments under one folder, made with `python` by `builder`. Safe among threads and processes.

    One environment is made by one at a time, in its own folder; others that want it wait. What was not made whole,
    since it failed or the server was killed, is made again by the next who wants it.
    """

    def __init__(
        self, folder: Path, python: Path, builder: Builder, *, what: str = "The image", env: str = "env"
    ) -> None:
        self.folder = folder
        self.what = what
        self._env = env
        self._python = python
        self._builder = builder

    def ready(self, digest: str, fetch: Callable[[], bytes], making_log: MakingLog | None = None) -> PythonEnvironment:
        """The environment of the layer `digest` (`sha256:<hex>`), built from `fetch()` where it is not there yet.

        Raises `ApiError('ValidationException')` when the layer is not what its digest says, unpacks outside its folder,
        or its requirements cannot be installed; pip's last lines are in the message.
        """
        said = making_log or MakingLog()
        return environment_in(self.whole(name_of(digest), lambda place: self.build(digest, fetch, place, said)))

    def build(self, digest: str, fetch: Callable[[], bytes], place: Path, making_log: MakingLog) -> None:
        """Fill `place` from the layer `digest`: its files, and its requirements installed. Raises as `ready` does."""
        layer = fetch()
        if hashlib.sha256(layer).hexdigest() != digest.removeprefix("sha256:"):
            raise ApiError(
                "ValidationException", f"The image layer {digest} is damaged: its content has another digest."
            )
        unpack(layer, place / "root")
        self.make(place, self._python)
        requirements = place / "root" / REQUIREMENTS
        if requirements.is_file() and requirements.read_text(errors="replace").strip():
            self.install(place, ["--requirement", REQUIREMENTS], making_log, cwd=place / "root", fix=_FIX)

    def is_ready(self, name: str) -> bool:
        """Whether the environment `name` is whole: it has its mark, and its Python is still on this machine."""
        place = self.folder / name
        return (place / "ready").exists() and (place / self._env / "bin" / "python").exists()

    def use(self, name: str) -> Path:
        """The folder of the whole environment `name`, which somebody uses now."""
        place = self.folder / name
        (place / "ready").touch()
        return place

    def whole(self, name: str, build: Callable[[Path], None]) -> Path:
        """The folder of the environment `name`, filled by `build` if it is not complete. Raises what `build` raises."""
        place = self.folder / name
        if self.is_ready(name):
            return place
        with self._lock(place):
            if not self.is_ready(name):
                self._fill(place, build)
        return place

    def _fill(self, place: Path, build: Callable[[Path], None]) -> None:
        """Make one environment, or leave nothing of it but what pip said."""
        kept = place.with_name(f"{place.name}.{PIP_LOG}")
        try:
            remove_tree(place)
            place.mkdir(mode=0o700, parents=True)
            build(place)
            (place / "ready").touch()
            kept.unlink(missing_ok=True)
        except ApiError as error:
            log = place / PIP_LOG
            if not log.is_file() or log.is_symlink():
                raise
            log.replace(kept)
            raise ApiError(error.code, f"{error.message}\nAll that pip said: {kept}") from error
        except OSError as error:
            raise ApiError("ValidationException", f"{self.what} cannot be prepared: {_words(error)}") from error
        finally:
            if not self.is_ready(place.name):
                remove_tree(place)

    def made(self) -> Iterator[Path]:
        """The folders of all whole environments."""
        for mark in self.folder.glob("*/ready"):
            yield mark.parent

    def last_use(self, place: Path) -> float:
        """When somebody used a whole environment last, in seconds since the epoch."""
        return (place / "ready").stat().st_mtime

    def remove(self, place: Path, unless_used_since: float) -> None:
        """Remove an environment unused since a given time: its mark first, so that it is never found half removed."""
        with self._lock(place):
            if self.is_ready(place.name) and self.last_use(place) >= unless_used_since:
                return
            (place / "ready").unlink(missing_ok=True)
            remove_tree(place)

    def make(self, place: Path, python: Path) -> None:
        """Make the virtual environment `place/env` of `python`, with a pip of its own where Python brings one."""
        env = place / "env"
        self._run([str(python), "-m", "venv", "--without-pip", str(env)], place, "venv", PipOutput(place, MakingLog()))
        wheels = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
        if wheels:
            self.install(place, ["--no-index", "--no-deps", str(wheels[-1])])

    def install(
        self,
        place: Path,
        arguments: Sequence[str],
        making_log: MakingLog | None = None,
        *,
        cwd: Path | None = None,
        fix: str = "",
        asked: int = 0,
    ) -> None:
        """`pip install` into `place/env`, in the sandbox; `asked` is about how many packages that brings."""
        argv = [*self._pip(place), *_PIP, *arguments]
        self._run(argv, place, "pip install", PipOutput(place, making_log or MakingLog(), asked), cwd=cwd, fix=fix)

    def ask_pip(self, place: Path, arguments: Sequence[str]) -> Result:
        """How a command of pip ended that asks its indexes, in the sandbox; with constraints it would tell less."""
        given = pip_settings(self._python)
        variables = {name: value for name, value in given.variables.items() if name != "PIP_CONSTRAINT"}
        settings = replace(given, variables={**variables, "PIP_CONFIG_FILE": os.devnull})
        return self._result([*self._pip(place), *arguments], place, PipOutput(place, MakingLog()), settings=settings)

    def _pip(self, place: Path) -> list[str]:
        return [str(self._python), "-m", "pip", "--python", str(place / "env" / "bin" / "python")]

    def _run(
        self, argv: Sequence[str], place: Path, what: str, output: PipOutput, *, cwd: Path | None = None, fix: str = ""
    ) -> None:
        result = self._result(argv, place, output, cwd)
        if result.exit_code != 0:
            raise ApiError("ValidationException", f"The image cannot be prepared: {what} {result.words}{fix}")

    def _result(
        self,
        argv: Sequence[str],
        place: Path,
        output: PipOutput,
        cwd: Path | None = None,
        settings: PipSettings | None = None,
    ) -> Result:
        with output:
            result = self._builder.run(
                argv, writable=place, cwd=cwd, settings=settings or pip_settings(self._python), progress=output
            )
        return replace(result, lines=tuple(output.last_lines))

    @contextmanager
    def _lock(self, place: Path) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with place.with_name(place.name + ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Unused:
    """For `Retention`: the environments that nobody uses, and their removal."""

    def __init__(self, environments: PythonEnvironments, is_in_use: Callable[[Path], bool]) -> None:
        self._environments = environments
        self._is_in_use = is_in_use

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """Environments that have not been used since a given time, the longest unused first."""
        unused = []
        for place in self._environments.made():
            used = self._environments.last_use(place)
            if used < moment and not self._is_in_use(place):
                unused.append((used, place))
        return [Ended(place.name, (place,)) for _, place in sorted(unused)[after : after + limit]]

    def forget(self, names: Sequence[str]) -> None:
        """Remove these environments; the next job that wants one has it made again."""
        for name in names:
            self._environments.remove(self._environments.folder / name, time.time() - YOUNGEST_SECONDS)


def name_of(digest: str) -> str:
    """What the environment of a layer is called."""
    return digest.removeprefix("sha256:")


def environment_in(place: Path) -> PythonEnvironment:
    """The environment of a runtime image in its folder."""
    return PythonEnvironment(place / "env" / "bin" / "python", place / "root")


def _words(error: OSError) -> str:
    """A full disk is said plainly."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on device ({error.filename or 'the disk of the twin'})"
    return str(error)


def unpack(layer: bytes, folder: Path) -> None:
    """Unpack a tar below `folder`: plain files and folders alone, no link, no path that leads out of it.

    Raises `ApiError('ValidationException')`.
    """
    folder.mkdir(mode=0o700)
    try:
        unpack_tar(io.BytesIO(layer), folder, _LIMITS)
    except (ArchiveError, OSError) as error:
        raise ApiError("ValidationException", f"The image layer cannot be unpacked: {error}") from error
