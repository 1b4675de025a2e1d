"""What a container of Batch may mount, and its limits: what Batch, ECS and Docker refuse, for the twin and for `check`.

Each function takes members as the API names them and yields a `Problem` for each, in the words of the service that
finds it on AWS. Batch takes much that ECS, or Docker on the instance, refuses when the job starts; here it is refused
where it is written. A value that is neither plain text nor a number is not a problem: `check` does not know every value
before a deploy.

Sources: `ContainerProperties`, `Volume`, `MountPoint`, `LinuxParameters`, `Tmpfs`, `Ulimit` in the AWS Batch API
reference; messages of `RegisterTaskDefinition` of ECS and of the Docker daemon as people quote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath
from typing import Any

from trainworks.aws.batch_constraints import Problem, is_list

ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
UNLIMITED = -1
TMPFS_VALUES = ("mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "size")
"""Options of a tmpfs that have a value, as `mode=1777`. Docker takes `size` too, which Batch's list does not have."""
TMPFS_FLAGS = (
    "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync", "remount",
    "mand", "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "unbindable", "runbindable",
    "private", "rprivate", "shared", "rshared", "slave", "rslave", "relatime", "norelatime", "strictatime",
    "nostrictatime",
)  # fmt: skip
_NOT_ON_FARGATE = ("devices", "maxSwap", "sharedMemorySize", "swappiness", "tmpfs")
_MAX_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_-]*")
_NAMED_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_MAX_SWAPPINESS = 100


def definition_problems(definition: Mapping[str, Any]) -> Iterator[Problem]:
    """All containers of a job definition: `containerProperties`, `ecsProperties`, or those of each range of nodes."""
    is_fargate = "FARGATE" in _list(definition.get("platformCapabilities"))
    nodes = _table(definition.get("nodeProperties")).get("nodeRangeProperties")
    for part in (definition, *map(_table, _list(nodes))):
        container = part.get("containerProperties") or part.get("container")
        if isinstance(container, Mapping):
            yield from container_problems(container, is_fargate=is_fargate)
        for task in map(_table, _list(_table(part.get("ecsProperties")).get("taskProperties"))):
            for each in map(_table, _list(task.get("containers"))):
                yield from container_problems({"volumes": task.get("volumes"), **each}, is_fargate=is_fargate)


def container_problems(container: Mapping[str, Any], *, is_fargate: bool) -> Iterator[Problem]:
    """Volumes, mount points, Linux parameters and ulimits of one container."""
    linux = _table(container.get("linuxParameters"))
    volumes = container.get("volumes")
    yield from _volume_problems([_table(each) for each in _list(volumes)], is_fargate=is_fargate)
    names = [_table(each).get("name") for each in _list(volumes)]
    is_known = (volumes is None or is_list(volumes)) and all(each is None or isinstance(each, str) for each in names)
    for mount in map(_table, _list(container.get("mountPoints"))):
        volume = mount.get("sourceVolume")
        if is_known and (volume is None or isinstance(volume, str)) and volume not in names:
            yield Problem("mountPoints", f"Unknown volume '{'null' if volume is None else volume}'.")
    yield from _path_problems(_list(container.get("mountPoints")), _list(linux.get("tmpfs")))
    yield from _linux_problems(linux, is_fargate=is_fargate)
    yield from _ulimit_problems(_list(container.get("ulimits")), is_fargate=is_fargate)


def _volume_problems(volumes: Sequence[Mapping[str, Any]], *, is_fargate: bool) -> Iterator[Problem]:
    seen: set[str] = set()
    for volume in volumes:
        name = volume.get("name")
        if name is None or name == "":
            yield Problem("volumes", "volume.name should not be null or empty.")
        elif isinstance(name, str):
            yield from _name_problems(name)
            if name in seen:
                yield Problem("volumes", f"Duplicate volume '{name}'.")
            seen.add(name)
        source = _table(volume.get("host")).get("sourcePath")
        if source is not None and source != "" and is_fargate:
            yield Problem("volumes", "host.sourcePath should not be set for volumes in Fargate.")
        elif isinstance(source, str):
            yield from _source_problems(source)


def _name_problems(name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem("volumes", f"volume.name contains invalid characters: '{name}'")
    if len(name) > _MAX_NAME:
        yield Problem("volumes", f"volume.name can have at most {_MAX_NAME} characters, not {len(name)}")


def _source_problems(source: str) -> Iterator[Problem]:
    """Docker takes what is not a path for the name of a volume of its own."""
    if "\0" in source or (source and not source.startswith("/") and not _NAMED_VOLUME.fullmatch(source)):
        message = f"host.sourcePath '{_shown(source)}' is not valid: it must be an absolute path of the instance"
        yield Problem("volumes", message)


def _path_problems(mounts: Sequence[Any], tmpfs: Sequence[Any]) -> Iterator[Problem]:
    """Where things are mounted: absolute, below the root, each place once."""
    seen: set[str] = set()
    for place, each in [*(("mountPoints", each) for each in mounts), *(("linuxParameters", each) for each in tmpfs)]:
        path = _table(each).get("containerPath")
        if path is None or path == "":
            yield Problem(place, "containerPath should not be null or empty.")
        if not isinstance(path, str) or not path:
            continue
        if "\0" in path or not path.startswith("/"):
            yield Problem(place, f"invalid mount path: '{_shown(path)}' mount path must be absolute")
            continue
        normal = plain_path(path)
        if normal == "/":
            yield Problem(place, f"invalid mount path: '{path}' destination can't be '/'")
        if normal in seen:
            yield Problem(place, f"Duplicate mount point: {normal}")
        seen.add(normal)


def _linux_problems(linux: Mapping[str, Any], *, is_fargate: bool) -> Iterator[Problem]:
    if is_fargate:
        for member in _NOT_ON_FARGATE:
            if linux.get(member) not in (None, [], ()):
                yield Problem("linuxParameters", f"{member} is not applicable for Fargate.")
    for member in ("sharedMemorySize", "maxSwap"):
        value = _whole(linux.get(member))
        if value is not None and value < 0:
            yield Problem("linuxParameters", f"{member} must not be negative: {value}")
    swappiness = _whole(linux.get("swappiness"))
    if swappiness is not None and not 0 <= swappiness <= _MAX_SWAPPINESS:
        yield Problem("linuxParameters", f"swappiness must be between 0 and {_MAX_SWAPPINESS}, not {swappiness}")
    for tmpfs in map(_table, _list(linux.get("tmpfs"))):
        size = _whole(tmpfs.get("size"))
        if size is not None and size < 1:
            yield Problem("linuxParameters", f"The size of a tmpfs must be at least 1 MiB, not {size}")
        for option in _list(tmpfs.get("mountOptions")):
            if isinstance(option, str) and not _is_tmpfs_option(option):
                yield Problem("linuxParameters", f'Invalid tmpfs option "{_shown(option)}"')


def _ulimit_problems(ulimits: Sequence[Any], *, is_fargate: bool) -> Iterator[Problem]:
    if ulimits and is_fargate:
        yield Problem("ulimits", "ulimits is not applicable for Fargate.")
    for ulimit in map(_table, ulimits):
        name, soft, hard = ulimit.get("name"), _whole(ulimit.get("softLimit")), _whole(ulimit.get("hardLimit"))
        if isinstance(name, str) and name not in ULIMITS:
            yield Problem("ulimits", f"invalid ulimit type: {name}; it is one of {', '.join(ULIMITS)}")
        for limit in (soft, hard):
            if limit is not None and limit < UNLIMITED:
                yield Problem("ulimits", f"ulimit {name} must be {UNLIMITED} (unlimited) or more, not {limit}")
        if soft is not None and hard is not None and hard != UNLIMITED and (soft > hard or soft == UNLIMITED):
            message = f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard} of {name}"
            yield Problem("ulimits", message)


def plain_path(path: str) -> str:
    """An absolute path with nothing in it that could be left out; two slashes at its start are one."""
    return "/" + normpath(path).lstrip("/")


def _is_tmpfs_option(option: str) -> bool:
    name, _, value = option.partition("=")
    return option in TMPFS_FLAGS or (name in TMPFS_VALUES and "\0" not in value and "," not in value)


def _whole(value: Any) -> int | None:
    """A whole number, written as one or as text as templates may have it; None for what is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _shown(text: str) -> str:
    return text.replace("\0", "\\0")


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if is_list(value) else ()
