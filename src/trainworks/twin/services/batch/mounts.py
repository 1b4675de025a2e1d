"""What a job's container mounts and may use on this machine, from its properties.

On AWS a volume with a `sourcePath` is a folder of the instance. The twin's instances are processes on somebody's own
machine, so each has a disk of its own that begins empty. What an operating system would have put there is not there,
and a job that asks for it is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.aws.batch_volumes import container_problems, plain_path
from trainworks.twin.ports import ApiError, Tmpfs, Ulimit, Volume
from trainworks.twin.services.batch.refusals import refuse

OF_THE_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/run",
)  # fmt: skip
"""What an instance's own system holds, its Docker socket included; `/dev/shm` is a folder like any other."""
_NEEDED = ("/dev", "/proc", "/sys")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108
_NAMED_VOLUMES = "/var/lib/docker/volumes"
DEFAULT_SHARED_MEMORY_MIB = 64


def check_mounts(container: Mapping[str, Any], *, is_fargate: bool) -> None:
    """Raise `ClientException` for what AWS refuses, and for what the twin cannot show (it names it)."""
    refuse(container_problems(container, is_fargate=is_fargate))
    for volume in container.get("volumes", []):
        source = volume.get("host", {}).get("sourcePath")
        if source and (plain_path(source) == "/" or _is_in(plain_path(source), OF_THE_SYSTEM)):
            raise ApiError(
                "ClientException",
                f"trainworks does not implement the volume '{volume['name']}' with the sourcePath {source}: an "
                "instance of the twin has an empty disk of its own, without an operating system or a Docker socket",
            )
    linux = container.get("linuxParameters", {})
    for mount in (*container.get("mountPoints", []), *linux.get("tmpfs", [])):
        path = plain_path(mount["containerPath"])
        if _is_in(path, _NEEDED):
            raise ApiError(
                "ClientException",
                f"trainworks does not implement the containerPath {path}: the sandbox of jobs needs "
                f"{', '.join(_NEEDED)}; only {_SHARED_MEMORY} can be mounted over",
            )


def volumes_of(container: Mapping[str, Any]) -> tuple[Volume, ...]:
    """One for each mount point."""
    sources = {
        volume["name"]: volume.get("host", {}).get("sourcePath") or None for volume in container.get("volumes", [])
    }
    return tuple(
        Volume(
            name=mount["sourceVolume"],
            source=_instance_path(sources[mount["sourceVolume"]]),
            target=plain_path(mount["containerPath"]),
            read_only=mount.get("readOnly", False),
        )
        for mount in container.get("mountPoints", [])
    )


def tmpfs_of(container: Mapping[str, Any]) -> tuple[Tmpfs, ...]:
    return tuple(
        Tmpfs(plain_path(each["containerPath"]), each["size"], tuple(each.get("mountOptions", [])))
        for each in container.get("linuxParameters", {}).get("tmpfs", [])
    )


def shared_memory_mib_of(container: Mapping[str, Any]) -> int:
    """Docker gives a container 64 MiB where nothing is said."""
    return container.get("linuxParameters", {}).get("sharedMemorySize") or DEFAULT_SHARED_MEMORY_MIB


def ulimits_of(container: Mapping[str, Any]) -> tuple[Ulimit, ...]:
    return tuple(Ulimit(each["name"], each["softLimit"], each["hardLimit"]) for each in container.get("ulimits", []))


def is_mounted(container: Mapping[str, Any], path: str) -> bool:
    """Whether `path` lies in a volume, so that only the running container can tell what is there."""
    return _is_in(plain_path(path), tuple(volume.target for volume in volumes_of(container)))


def _instance_path(source: str | None) -> str | None:
    """Docker takes a name for a volume of its own, which lies on the instance as well."""
    if source is None or source.startswith("/"):
        return None if source is None else plain_path(source)
    return f"{_NAMED_VOLUMES}/{source}/_data"


def _is_in(path: str, folders: tuple[str, ...]) -> bool:
    if path == _SHARED_MEMORY or path.startswith(_SHARED_MEMORY + "/"):
        return _SHARED_MEMORY in folders
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
