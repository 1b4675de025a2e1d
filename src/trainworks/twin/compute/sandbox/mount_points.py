"""Mounts at any path of a task's own copy of the view: containers have `/data`, this machine does not.

The view is read-only, so a folder that lacks a mount point is *covered*: a small file system takes its place, with all
that the folder held and the mount points besides; the root is covered like any other. Nothing on the disk changes.
Paths are resolved in the view as it is before the first mount, where no task has written; inside of what is mounted
no symbolic link is followed, since a task may have left it there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from trainworks.twin.compute.sandbox import linux

FORBIDDEN = ("/proc", "/sys", "/dev")
"""What the sandbox and every program need; `/dev/shm` may be mounted over."""
ALLOWED = "/dev/shm"  # noqa: S108
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CANNOT_BE_MADE = (errno.EROFS, errno.EACCES, errno.EPERM)
_UNREACHABLE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.EHOSTDOWN)
"""What a task could not reach either: removed meanwhile, forbidden, a dead network or user space file system."""
_MOST_ENTRIES = 2000


@dataclass(frozen=True, slots=True)
class Mounted:
    """A detached mount, and where it will be attached.

    `is_kept` is one of the view's own: it comes back if it gets hidden.
    """

    fd: int
    target: str
    read_only: bool = False
    is_kept: bool = False


def attach_anywhere(mounts: Sequence[Mounted]) -> None:
    """Put detached mounts in place, in the task's own mount namespace. The caller closes their descriptors.

    Raises `OSError` and `ValueError`, with a message for the task's user.
    """
    places = _Places()
    try:
        targets = {each: os.path.realpath(each.target) for each in mounts}
        own = [target for each, target in targets.items() if not each.is_kept]
        for target in own:
            _check(target)
        for each, target in sorted(targets.items(), key=lambda item: (_depth(item[1]), item[0].is_kept)):
            if not each.is_kept or any(is_below(target, above) for above in own) or not os.path.exists(target):  # noqa: PTH110
                places.attach(each, target)
        places.finish()
    finally:
        places.close()


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def step_into(folder: int, name: str, *, make: bool) -> int:
    """The folder `name` in an open folder; `make` creates it if it is missing. Raises `OSError`: links are refused."""
    if make:
        with suppress(FileExistsError), _plain_modes():
            os.mkdir(name, dir_fd=folder)
    try:
        return os.open(name, _PLACE | os.O_DIRECTORY, dir_fd=folder)
    except NotADirectoryError:
        raise NotADirectoryError(errno.ENOTDIR, "a symbolic link or a file is in the place of a folder", name) from None


def step_onto(folder: int, name: str) -> int:
    """Whatever `name` in an open folder is, but a link. Raises `OSError`."""
    place = os.open(name, _PLACE, dir_fd=folder)
    if stat.S_ISLNK(os.fstat(place).st_mode):
        os.close(place)
        raise OSError(errno.ELOOP, "a symbolic link is not a volume", name)
    return place


class _Places:
    """The mount points of one task. `finish` makes them what the task sees."""

    def __init__(self) -> None:
        self._first_root = self._root = os.open("/", _PLACE | os.O_DIRECTORY)
        self._namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._steps: list[int] = []
        self._covers: list[int] = []
        self._read_only: list[int] = []

    def attach(self, mount: Mounted, target: str) -> None:
        is_folder = stat.S_ISDIR(os.fstat(mount.fd).st_mode)
        try:
            linux.move_mount_onto(mount.fd, self._place(target, is_folder=is_folder))
        except OSError as error:
            raise OSError(error.errno, error.strerror, mount.target) from None
        finally:
            _close(self._steps)
        if mount.read_only:
            self._read_only.append(os.dup(mount.fd))

    def finish(self) -> None:
        for mount in (*self._read_only, *self._covers):
            linux.set_read_only(_path(mount), True)
        if self._root != self._first_root:
            linux.setns(self._namespace, linux.CLONE_NEWNS)  # its root is now the mount on top

    def close(self) -> None:
        for descriptors in (self._steps, self._covers, self._read_only, [self._first_root, self._namespace]):
            _close(descriptors)

    def _place(self, target: str, *, is_folder: bool) -> int:
        """What lies at `target`, after all that is mounted above it; made where nothing does."""
        *folders, last = target.strip("/").split("/")
        here = self._root
        for name in folders:
            here = self._step(here, name, is_folder=True)
        place = self._step(here, last, is_folder=is_folder)
        if stat.S_ISDIR(os.fstat(place).st_mode) != is_folder:
            kind = "a folder onto a file" if is_folder else "a file onto a folder"
            raise NotADirectoryError(errno.ENOTDIR, f"cannot mount {kind}", target)
        return place

    def _step(self, folder: int, name: str, *, is_folder: bool) -> int:
        try:
            return self._stepped(_entry(folder, name, is_folder=is_folder))
        except FileNotFoundError:
            pass
        except PermissionError:
            folder = self._cover(folder)
        try:
            _make(folder, name, is_folder=is_folder)
        except OSError as error:
            if error.errno not in _CANNOT_BE_MADE:
                raise
            folder = self._cover(folder)
            _make(folder, name, is_folder=is_folder)
        return self._stepped(_entry(folder, name, is_folder=is_folder))

    def _cover(self, folder: int) -> int:
        """A file system on top of `folder` that shows what it held; what may not be listed may not be read either."""
        status = os.fstat(folder)
        names = _names(folder)
        options = {"mode": f"{stat.S_IMODE(status.st_mode) | 0o700:o}", "size": "16m"}
        cover = linux.new_mount("tmpfs", options, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV)
        self._covers.append(cover)
        linux.move_mount_onto(cover, folder)
        for name in names:
            try:
                _show(folder, cover, name)
            except OSError as error:
                if error.errno not in _UNREACHABLE:
                    raise
        if folder == self._root:
            self._root = cover
        return cover

    def _stepped(self, descriptor: int) -> int:
        self._steps.append(descriptor)
        return descriptor


def _names(folder: int) -> list[str]:
    with suppress(PermissionError):
        names = os.listdir(_path(folder))  # noqa: PTH208 - a descriptor's path
        if len(names) > _MOST_ENTRIES:
            raise OSError(errno.E2BIG, f"a folder with more than {_MOST_ENTRIES} entries lacks the mount point")
        return names
    return []


def _show(folder: int, cover: int, name: str) -> None:
    """What `name` in a covered folder is, in its cover. The open folder is still the one below."""
    below = f"{_path(folder)}/{name}"
    status = os.lstat(below)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(below), name, dir_fd=cover)  # noqa: PTH115
        return
    tree = linux.open_tree(below)
    try:
        _make(cover, name, is_folder=stat.S_ISDIR(status.st_mode))
        place = os.open(name, _PLACE, dir_fd=cover)
        try:
            linux.move_mount_onto(tree, place)
        finally:
            os.close(place)
    finally:
        os.close(tree)


def _entry(folder: int, name: str, *, is_folder: bool) -> int:
    return step_into(folder, name, make=False) if is_folder else step_onto(folder, name)


def _make(folder: int, name: str, *, is_folder: bool) -> None:
    with _plain_modes():
        if is_folder:
            os.mkdir(name, dir_fd=folder)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=folder))


@contextmanager
def _plain_modes() -> Iterator[None]:
    """Folders as a container's root makes them: others may look in."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _check(target: str) -> None:
    if target == "/" or (any(is_below(target, each) for each in FORBIDDEN) and not is_below(target, ALLOWED)):
        raise ValueError(f"nothing can be mounted at {target}, which the sandbox of jobs needs")


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _depth(path: str) -> int:
    return path.rstrip("/").count("/")
