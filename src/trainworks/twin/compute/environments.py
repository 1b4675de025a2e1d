"""Environments of runtime images: unpacked and installed once, then shared by every job of the image.

    images/<layer digest>/root    the folder that was built        images/<layer digest>.lock   taken while building
    images/<layer digest>/env     a virtual environment with its requirements.txt
    images/<layer digest>/ready   written last: what lacks it is a half-built rest and is built anew

A layer's digest names its content, so an environment is never changed once it is ready.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainworks.spec.runtime_image import REQUIREMENTS
from trainworks.twin.archives import ArchiveError, Limits, Links, unpack_tar
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import ApiError

INSTALL_TIMEOUT_SECONDS = 1800
_LIMITS = Limits(total_bytes=20 * 1024**3, seconds=1800, links=Links.NONE)
_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Environment:
    """A ready environment: its interpreter and the folder of the image."""

    python: Path
    root: Path


class Environments:
    """All environments under one folder, made with `python`. Safe among threads and processes."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._folder = folder
        self._python = python

    def ready(self, digest: str, fetch: Callable[[], bytes]) -> Environment:
        """The environment of the layer `digest` (`sha256:<hex>`), built from `fetch()` where it is not there yet.

        Raises `ApiError('ValidationException')` when the layer is not what its digest says, unpacks outside its folder,
        or its requirements cannot be installed; pip's last lines are in the message.
        """
        place = self._folder / digest.removeprefix("sha256:")
        environment = Environment(place / "env" / "bin" / "python", place / "root")
        if (place / "ready").exists():
            return environment
        with self._lock(place):
            if not (place / "ready").exists():
                self._build(place, digest, fetch())
        return environment

    def _build(self, place: Path, digest: str, layer: bytes) -> None:
        if hashlib.sha256(layer).hexdigest() != digest.removeprefix("sha256:"):
            raise ApiError(
                "ValidationException", f"The image layer {digest} is damaged: its content has another digest."
            )
        remove_tree(place)
        place.mkdir(mode=0o700, parents=True)
        unpack(layer, place / "root")
        self._make_environment(place)
        (place / "ready").touch()

    def _make_environment(self, place: Path) -> None:
        self._run([str(self._python), "-m", "venv", "--without-pip", str(place / "env")], place, "venv")
        requirements = place / "root" / REQUIREMENTS
        if requirements.is_file() and requirements.read_text().strip():
            target = str(place / "env" / "bin" / "python")
            options = ["install", "--no-input", "--disable-pip-version-check", "--requirement", REQUIREMENTS]
            self._run([str(self._python), "-m", "pip", "--python", target, *options], place / "root", "pip install")

    def _run(self, argv: list[str], cwd: Path, what: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_"))}
        try:
            done = subprocess.run(
                argv,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ApiError(
                "ValidationException", f"The image cannot be prepared: {what} took over {INSTALL_TIMEOUT_SECONDS} s."
            ) from None
        if done.returncode != 0:
            lines = done.stdout.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
            raise ApiError(
                "ValidationException",
                f"The image cannot be prepared: {what} failed with exit code {done.returncode}: "
                + "\n".join(lines)
                + "\nFix: correct requirements.txt, or, without a network, put the wheels into the image's folder and "
                "begin requirements.txt with: --no-index --find-links wheels",
            )

    @contextmanager
    def _lock(self, place: Path) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with place.with_name(place.name + ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def unpack(layer: bytes, folder: Path) -> None:
    """Unpack a tar below `folder`: plain files and folders alone, no link, no path that leads out of it.

    Raises `ApiError('ValidationException')`.
    """
    folder.mkdir(mode=0o700)
    try:
        unpack_tar(io.BytesIO(layer), folder, _LIMITS)
    except (ArchiveError, OSError) as error:
        raise ApiError("ValidationException", f"The image layer cannot be unpacked: {error}") from error
