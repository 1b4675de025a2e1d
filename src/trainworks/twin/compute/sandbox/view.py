"""The file system as a task sees it.

    /                read-only, setuid bits without effect
    /opt/ml          the job's own folder
    /tmp, /var/tmp   private and on disk; emptied after each task
    /dev             null, zero, full, random, urandom, tty, pts, shm, mqueue, and GPUs for tasks that have any
    /proc            of the task's own PID namespace
    /run             empty but for the name resolver's files
    the user's home and the twin's home    empty but for the interpreters' prefixes and what the task declares

A slot builds the *base view* once; each task gets a copy of it (one `unshare`) with its own mounts.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.compute.sandbox import linux

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_RESOLVER_FILES = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman")
_PROC_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")
ML_ROOT = "/opt/ml"
_NO_PROGRAMS_OR_DEVICES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV


@dataclass(frozen=True)
class DetachedMount:
    """A detached mount and where it will be attached."""

    fd: int
    target: str
    is_directory: bool


@dataclass(frozen=True)
class ViewSpec:
    """What a slot's base view depends on. `hidden` are folders to mask; `visible` stay readable below them.

    `devices` are `(path here, path in the view)` of files and folders below /dev, in addition to those that every task
    has.
    """

    hidden: tuple[str, ...]
    visible: tuple[str, ...]
    tmp: str
    devices: tuple[tuple[str, str], ...] = ()


class View:
    """The base view of a slot. `build` runs inside the slot's own mount namespace and changes it permanently."""

    def __init__(self, spec: ViewSpec) -> None:
        self._spec = spec
        self.masks = _outermost([path for path in spec.hidden if Path(path).is_dir()])
        self.visible = spec.visible
        self.shared_memory = -1
        self.message_queues = -1

    def build(self) -> None:
        kept = {path: linux.open_tree(path) for path in _existing([*self._spec.visible, *_RESOLVER_FILES])}
        devices = [
            DetachedMount(linux.open_tree(path, recursive=False), target, Path(path).is_dir())
            for path, target in self._devices()
        ]
        tmp = linux.open_tree(self._spec.tmp)
        var_tmp = linux.open_tree(self._spec.tmp)
        linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        linux.restrict_all_mounts()
        _mount_dev(devices)
        self.shared_memory = _mount_shared_memory()
        self.message_queues = _mount_message_queues()
        linux.set_read_only("/dev", True)
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
        for path in _existing(_PROC_READ_ONLY):
            _bind_read_only(path)
        linux.move_mount(tmp, "/tmp")  # noqa: S108 - the sandbox's own
        linux.move_mount(var_tmp, "/var/tmp")  # noqa: S108
        self._mask(kept)
        _make_ml_root()

    def attach(self, trees: list[DetachedMount]) -> None:
        """Put detached mounts in place, in a task's copy of the view, making mount points where it can hold them.

        Takes what it has attached out of `trees`, and what it could not is left to the caller to close.
        """
        in_masks = any(tree.target.startswith(mask + "/") for tree in trees for mask in self.masks)
        if in_masks:
            self._set_masks_writable(True)
        while trees:
            tree = trees[0]
            if not os.path.exists(tree.target):  # noqa: PTH110 - a tenth of the time of pathlib, once a task
                make_mount_point(Path(tree.target), is_directory=tree.is_directory)
            linux.move_mount(trees.pop(0).fd, tree.target)
        if in_masks:
            self._set_masks_writable(False)

    def _set_masks_writable(self, writable: bool) -> None:
        for mask in self.masks:
            linux.set_read_only(mask, not writable)

    def _devices(self) -> list[tuple[str, str]]:
        common = [(f"/dev/{name}", f"/dev/{name}") for name in _DEVICES]
        return [(path, target) for path, target in (*common, *self._spec.devices) if Path(path).exists()]

    def _mask(self, kept: dict[str, int]) -> None:
        run_is_dir = Path("/run").is_dir()
        for mask in [*self.masks, *(["/run"] if run_is_dir else [])]:
            linux.move_mount(linux.new_mount("tmpfs", {"mode": "0755", "size": "16m"}, linux.MOUNT_ATTR_NOSUID), mask)
        for path, tree in kept.items():
            if not Path(path).exists():
                make_mount_point(Path(path), is_directory=True)
                linux.make_read_only(tree)
                linux.move_mount(tree, path)
            else:
                os.close(tree)
        if run_is_dir:
            linux.set_read_only("/run", True)
        self._set_masks_writable(False)


def make_mount_point(path: Path, *, is_directory: bool) -> None:
    if is_directory:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _mount_dev(devices: list[DetachedMount]) -> None:
    """A small `/dev`, still writable."""
    linux.move_mount(linux.new_mount("tmpfs", {"mode": "0755", "size": "1m"}, linux.MOUNT_ATTR_NOSUID), "/dev")
    for tree in devices:
        make_mount_point(Path(tree.target), is_directory=tree.is_directory)
        linux.move_mount(tree.fd, tree.target)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path("/dev", name).symlink_to(target)
    with suppress(OSError):  # a kernel without devpts instances: no pseudo terminals, which jobs do without
        pts = linux.new_mount("devpts", {"newinstance": None, "ptmxmode": "0666", "mode": "0620"})
        Path("/dev/pts").mkdir()
        linux.move_mount(pts, "/dev/pts")
        Path("/dev/ptmx").symlink_to("pts/ptmx")


def _mount_shared_memory() -> int:
    """A descriptor of the slot's own `/dev/shm`."""
    shm = Path("/dev/shm")  # noqa: S108
    shm.mkdir()
    linux.move_mount(linux.new_mount("tmpfs", {"mode": "1777", "size": "64m"}, _NO_PROGRAMS_OR_DEVICES), str(shm))
    return os.open(shm, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _mount_message_queues() -> int:
    """A descriptor of `/dev/mqueue`; -1 if the kernel has no POSIX message queues."""
    try:
        tree = linux.new_mount("mqueue", {}, _NO_PROGRAMS_OR_DEVICES)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return -1
        raise
    Path("/dev/mqueue").mkdir()
    linux.move_mount(tree, "/dev/mqueue")
    return os.open("/dev/mqueue", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _bind_read_only(path: str) -> None:
    tree = linux.open_tree(path)
    linux.make_read_only(tree)
    linux.move_mount(tree, path)


def _make_ml_root() -> None:
    """`/opt/ml` does not exist on hosts: put a file system with it in place of `/opt`, which gets back what it held."""
    if Path(ML_ROOT).is_dir():
        return
    children = sorted(Path("/opt").iterdir()) if Path("/opt").is_dir() else []
    links = {child: child.readlink() for child in children if child.is_symlink()}
    held = {child: linux.open_tree(str(child)) for child in children if child not in links}
    linux.move_mount(linux.new_mount("tmpfs", {"mode": "0755", "size": "1m"}, linux.MOUNT_ATTR_NOSUID), "/opt")
    for child, tree in held.items():
        make_mount_point(child, is_directory=os.path.isdir(f"/proc/self/fd/{tree}"))  # noqa: PTH112
        linux.move_mount(tree, str(child))
    for link, destination in links.items():
        link.symlink_to(destination)
    Path(ML_ROOT).mkdir()
    linux.set_read_only("/opt", True)


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if Path(path).exists()]


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """The folders that lie in no other one, nor below what the view replaces anyway."""
    chosen: list[str] = []
    covered = ["/tmp", "/var/tmp", "/run", "/dev", "/proc"]  # noqa: S108
    for path in sorted({str(Path(path).resolve()) for path in paths}, key=len):
        if path != "/" and not any(path == above or path.startswith(above + "/") for above in [*covered, *chosen]):
            chosen.append(path)
    return tuple(chosen)
