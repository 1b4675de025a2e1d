"""Programs of an image: what stands for it on this machine, and what is said of one that has none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from trainworks.twin.ports import Runtime

_PYTHONS = ("python", "python3")
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def find_program(program: str, runtime: Runtime) -> str | None:
    """The path here of a program that an image names, by a path or by a name in its `PATH`; None if there is none."""
    if program in _PYTHONS:
        return str(runtime.python)
    if os.path.isabs(program):  # noqa: PTH117 - a string, not a path yet
        return program if Path(program).exists() else None
    return shutil.which(program, path=runtime.env.get("PATH", f"{runtime.python.parent}:{_SYSTEM_PATH}"))


def cannot_start(runtime: Runtime, program: str) -> str:
    """AWS's words for an image that cannot do `docker run IMAGE PROGRAM`, and what it lacks."""
    return (
        f"CannotStartContainerError. Please make sure the container can be run with 'docker run <image> {program}'. "
        f"The image {runtime.image_uri} has no executable '{program}'"
    )
