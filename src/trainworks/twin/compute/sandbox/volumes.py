"""The volumes of a task: folders of its instance, empty folders of its own, and file systems in memory.

    <instance>/disk/<path>          what the instance has at `path`: shared by its tasks, gone with the instance
    <instance>/slot-N/volume-<n>    an empty folder, gone with the task
    tmpfs                           in memory, which counts as the task's

An instance's disk begins empty. It is a tree, as a disk is: `/data/a` lies in `/data`. No path of it leads out: tasks
write in it, so links in it are not followed here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trainworks.twin.compute.agent.task import TaskTmpfs, TaskVolume
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.mount_points import Mounted, step_into, step_onto
from trainworks.twin.compute.sandbox.shared_memory import MACHINE_BYTES
from trainworks.twin.job_files import remove_tree

DISK = "disk"
_FLAGS = {"ro": linux.MOUNT_ATTR_RDONLY, "noexec": linux.MOUNT_ATTR_NOEXEC}
_ALWAYS = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV


class Volumes:
    """The volumes of the tasks of one slot, one task after the other.

    `instance` is the folder of the instance, `scratch` the slot's.
    """

    def __init__(self, instance: Path, scratch: Path) -> None:
        self._disk = instance / DISK
        self._scratch = scratch
        self._own: list[Path] = []
        self._memory: list[int] = []

    def open(self, volumes: Iterable[TaskVolume], tmpfs: Iterable[TaskTmpfs]) -> list[Mounted]:
        """Detached mounts of all of them, to be attached or closed. Raises `OSError`."""
        own: dict[str, Path] = {}
        mounted: list[Mounted] = []
        try:
            for volume in volumes:
                if volume.source is not None:
                    tree = self._of_instance(volume.source)
                else:
                    if volume.name not in own:
                        own[volume.name] = self._new_folder()
                    tree = linux.open_tree(str(own[volume.name]))
                mounted.append(Mounted(tree, volume.target, read_only=volume.read_only))
            for each in tmpfs:
                mounted.append(Mounted(_new_tmpfs(each), each.target))
                self._memory.append(os.dup(mounted[-1].fd))
        except (OSError, ValueError):
            for each_mounted in mounted:
                os.close(each_mounted.fd)
            raise
        return mounted

    def used_bytes(self) -> int:
        """What lies in memory."""
        found = [os.fstatvfs(descriptor) for descriptor in self._memory]
        return sum((each.f_blocks - each.f_bfree) * each.f_frsize for each in found)

    def clear(self) -> bool:
        """Remove what belongs to the task alone; whether all of it went."""
        for descriptor in self._memory:
            os.close(descriptor)
        folders, self._own, self._memory = self._own, [], []
        left = [folder for folder in folders if not remove_tree(folder)]
        return not left

    def _new_folder(self) -> Path:
        folder = self._scratch / f"volume-{len(self._own)}"
        folder.mkdir()
        folder.chmod(0o755)
        self._own.append(folder)
        return folder

    def _of_instance(self, source: str) -> int:
        """A folder of the instance's disk, made if it is missing; or a file that a task has put there."""
        self._disk.mkdir(exist_ok=True)
        opened = [os.open(self._disk, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)]
        try:
            *folders, last = source.strip("/").split("/")
            for name in folders:
                opened.append(step_into(opened[-1], name, make=True))
            try:
                opened.append(step_onto(opened[-1], last))
            except FileNotFoundError:
                opened.append(step_into(opened[-1], last, make=True))
            return linux.open_tree(f"/proc/self/fd/{opened[-1]}")
        except OSError as error:
            raise OSError(error.errno, error.strerror, source) from None
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _new_tmpfs(tmpfs: TaskTmpfs) -> int:
    """Docker's defaults are `nosuid,nodev,noexec`; the size comes last, so that no option outdoes it.

    All users of a task are one here, so `uid` and `gid` name the user that it has.
    """
    attributes = _ALWAYS | linux.MOUNT_ATTR_NOEXEC
    options: dict[str, str | None] = {"mode": "1777"}
    for option in tmpfs.options:
        name, has_value, value = option.partition("=")
        if has_value and name not in ("uid", "gid"):
            options[name] = value
        attributes |= _FLAGS.get(name, 0)
        if name in ("exec", "rw"):
            attributes &= ~(linux.MOUNT_ATTR_NOEXEC if name == "exec" else linux.MOUNT_ATTR_RDONLY)
    try:
        return linux.new_mount("tmpfs", {**options, "size": str(min(tmpfs.size_bytes, MACHINE_BYTES))}, attributes)
    except OSError as error:
        raise OSError(error.errno, error.strerror, tmpfs.target) from None
