"""Where a task finds its files: in a copy of the slot's view, or, without namespaces, by rewritten paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from trainworks.twin.compute.agent.task import Task, TaskMount
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.copies import copy_tree, empty_folder
from trainworks.twin.compute.sandbox.interpreters import prefixes_of
from trainworks.twin.compute.sandbox.mount_points import Mounted, attach_anywhere, is_below
from trainworks.twin.compute.sandbox.packages import FOLDER, KeptPackages
from trainworks.twin.compute.sandbox.shared_memory import SharedMemory
from trainworks.twin.compute.sandbox.view import ML_ROOT, DetachedMount, View
from trainworks.twin.compute.sandbox.volumes import Volumes
from trainworks.twin.job_files import remove_tree

_LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_PACKAGES_BESIDE_TMP = "/.python"
"""Where the task's Python environment is when a volume lies over /tmp."""
_BASICS = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108


@dataclass(frozen=True)
class Command:
    """The command to execute: `argv` with `env` in the current folder, with `log_fd` as its output."""

    argv: tuple[str, ...]
    env: dict[str, str]
    log_fd: int


class TaskView(Protocol):
    def enter(self, task: Task) -> Command:
        """Make the task's files visible to the next process started. Raises `OSError` or `ValueError`."""

    def leave(self) -> bool:
        """Undo `enter` and delete what the task left in private places; False when the slot must not be used again."""

    def shared_bytes(self) -> int:
        """Memory that the task holds in files and segments, whether a process has them mapped or not."""


class NamespaceView:
    """A mount namespace for each task, copied from the slot's base view; between tasks the slot has the host's view.

    A task that needs no mounts of its own gets the base view itself: it may not mount anything, so it cannot change it,
    and to copy and dissolve a namespace costs as much as to start a process.
    """

    def __init__(self, view: View, host_namespace: int, tmp: Path, scratch: Path) -> None:
        self._view = view
        self._host = host_namespace
        self._base = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        # These folders are hidden from the base view, and taken hold of in the host's.
        linux.setns(self._host, linux.CLONE_NEWNS)
        self._tmp = os.open(tmp, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._packages = KeptPackages(tmp / FOLDER, Path("/tmp", FOLDER))  # noqa: S108 - the task's own
        self._shared_memory = SharedMemory(view.shared_memory, view.message_queues)
        self._volumes = Volumes(scratch.parent, scratch)
        self._scratch = scratch
        self._kept = frozenset(_folders_below(tmp))
        self._overlays = 0
        self._host_name = ""
        self._prefixes_of_programs: dict[str, list[str]] = {}

    def enter(self, task: Task) -> Command:
        log_fd = open_log(task.log_path, task.log_head)
        trees: list[DetachedMount] = []
        mounts: list[Mounted] = []
        try:
            self._shared_memory.limit(task.memory_bytes, task.shared_memory_bytes)
            env = {**_BASICS, **task.env}
            place = _place_of_packages(task)
            command = _command(task, env, log_fd, self._packages, place)
            trees = self._collect(task)
            if task.volume_targets:
                mounts = self._collect_volumes(task, place)
            linux.setns(self._base, linux.CLONE_NEWNS)
            if trees or mounts:
                linux.unshare(linux.CLONE_NEWNS)
                self._view.attach(trees)
            if mounts:
                attach_anywhere(mounts)
            if task.cwd != "/":
                os.chdir(task.cwd)
            if task.hostname != self._host_name:
                linux.set_host_name(task.hostname)
                self._host_name = task.hostname
        except (OSError, ValueError):
            os.close(log_fd)
            raise
        finally:
            for descriptor in (*(tree.fd for tree in trees), *(mount.fd for mount in mounts)):
                os.close(descriptor)
        return command

    def leave(self) -> bool:
        linux.setns(self._host, linux.CLONE_NEWNS)
        for number in range(self._overlays):
            remove_tree(self._scratch / f"overlay-{number}")
        self._overlays = 0
        kept = self._kept | {FOLDER} if self._packages.is_unchanged() else self._kept
        is_clear = self._volumes.clear()
        return empty_folder(self._tmp, kept) and self._shared_memory.clear() and is_clear

    def shared_bytes(self) -> int:
        return self._shared_memory.used_bytes() + self._volumes.used_bytes()

    def _collect(self, task: Task) -> list[DetachedMount]:
        """Detached mounts of everything that the task will see, taken in the host's view."""
        wanted: list[tuple[Callable[[], int], str, bool]] = []
        for prefix in self._prefixes(task):
            wanted.append((lambda path=prefix: _read_only_tree(path), prefix, True))  # type: ignore[misc]
        if task.ml_root is not None:
            wanted.append((lambda: linux.open_tree(task.ml_root or ""), ML_ROOT, True))
        for path in task.writable:
            wanted.append((lambda path=path: linux.open_tree(path), path, Path(path).is_dir()))  # type: ignore[misc]
        for mount in task.mounts:
            wanted.append((lambda mount=mount: self._tree_of(mount), mount.target, Path(mount.source).is_dir()))  # type: ignore[misc]
        if task.hosts and Path("/etc/hosts").exists():
            wanted.append((lambda: linux.open_tree(str(self._write_hosts(task))), "/etc/hosts", False))
        trees: list[DetachedMount] = []
        try:
            for open_it, target, is_directory in wanted:
                trees.append(DetachedMount(open_it(), target, is_directory))
        except OSError:
            for tree in trees:
                os.close(tree.fd)
            raise
        return trees

    def _collect_volumes(self, task: Task, place: Path | None) -> list[Mounted]:
        """Detached mounts of the task's volumes, and of what its programs need, should a volume hide that."""
        targets = tuple(os.path.realpath(target) for target in task.volume_targets)
        hidden = [path for path in self._view.visible if any(is_below(path, target) for target in targets)]
        # The image's interpreter is the machine's own. Any other program in a volume is meant to be the volume's.
        hidden += prefixes_of(Path(task.python or task.argv[0]), targets, hidden)
        hidden += [mount.target for mount in task.mounts if any(is_below(mount.target, each) for each in targets)]
        mounts = self._volumes.open(task.volumes, task.tmpfs)
        try:
            if place is not None:
                mounts.append(Mounted(linux.open_tree(str(self._packages.folder)), str(place), is_kept=True))
            for path in dict.fromkeys(hidden):
                mounts.append(Mounted(_read_only_tree(path), path, is_kept=True))
        except (OSError, ValueError):
            for mount in mounts:
                os.close(mount.fd)
            raise
        return mounts

    def _prefixes(self, task: Task) -> list[str]:
        return list(dict.fromkeys(prefix for program in _programs(task) for prefix in self._prefixes_of(program)))

    def _prefixes_of(self, executable: str) -> list[str]:
        if executable not in self._prefixes_of_programs:
            hidden = (*self._view.masks, "/tmp", "/var/tmp", "/run")  # noqa: S108
            self._prefixes_of_programs[executable] = prefixes_of(Path(executable), hidden, self._view.visible)
        return self._prefixes_of_programs[executable]

    def _tree_of(self, mount: TaskMount) -> int:
        if mount.overlay:
            return self._overlay(Path(mount.source))
        return _read_only_tree(mount.source) if mount.read_only else linux.open_tree(mount.source)

    def _overlay(self, source: Path) -> int:
        folder = self._scratch / f"overlay-{self._overlays}"
        self._overlays += 1
        try:
            return mount_overlay(source, folder)
        except OSError:
            remove_tree(folder)
            folder.mkdir(parents=True)
            copy_tree(source, folder / "copy")
            return linux.open_tree(str(folder / "copy"))

    def _write_hosts(self, task: Task) -> Path:
        path = self._scratch / "hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(hosts_file(task))
        return path


class PlainView:
    """No namespaces: `/opt/ml` is rewritten to the job's folder in arguments, environment and working folder.

    Not guaranteed in this case: a read-only rest of the machine, private `/tmp` and home, no network, host names, exact
    ends.
    """

    def __init__(self, tmp: Path) -> None:
        self._tmp_path = tmp
        self._tmp = os.open(tmp, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._packages = KeptPackages(tmp / FOLDER, tmp / FOLDER)

    def enter(self, task: Task) -> Command:
        for target in task.volume_targets:
            raise ValueError(f"a volume at {target} needs namespaces, which this machine does not allow")
        for mount in task.mounts:
            self._show(task, mount)
        log_fd = open_log(task.log_path, task.log_head)
        try:
            os.chdir(_rewritten(task, task.cwd))
            command = _command(task, self._env(task), log_fd, self._packages)
        except OSError:
            os.close(log_fd)
            raise
        return replace(command, argv=tuple(_rewritten(task, argument) for argument in command.argv))

    def _env(self, task: Task) -> dict[str, str]:
        basics = {**_BASICS, "HOME": str(self._tmp_path), "TMPDIR": str(self._tmp_path)}
        if task.ml_root is not None:
            basics["SAGEMAKER_BASE_DIR"] = task.ml_root
        return {**basics, **{name: _rewritten(task, value) for name, value in task.env.items()}}

    def leave(self) -> bool:
        os.chdir("/")
        return empty_folder(self._tmp, frozenset([FOLDER]) if self._packages.is_unchanged() else frozenset())

    def shared_bytes(self) -> int:
        return 0

    def _show(self, task: Task, mount: TaskMount) -> None:
        target = Path(_rewritten(task, mount.target))
        if str(target) == mount.source:
            return
        if task.ml_root is None or not target.is_relative_to(task.ml_root):
            raise ValueError(f"a mount at {mount.target} needs namespaces, which this machine does not allow")
        if target.is_symlink():
            target.unlink()
        with suppress(FileNotFoundError):
            target.rmdir() if target.is_dir() else target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        if mount.overlay:
            copy_tree(Path(mount.source), target)
        else:
            target.symlink_to(mount.source)


def _place_of_packages(task: Task) -> Path | None:
    """Where the task sees its Python environment: None for its usual place, which a volume may hide."""
    targets = [os.path.realpath(target) for target in task.volume_targets]
    usual = str(Path("/tmp", FOLDER))  # noqa: S108 - the task's own
    is_hidden = any(is_below(usual, target) or is_below(target, usual) for target in targets)
    return Path(_PACKAGES_BESIDE_TMP) if is_hidden and task.python is not None else None


def _programs(task: Task) -> tuple[str, ...]:
    return (task.argv[0],) if task.python is None else (task.argv[0], task.python)


def _command(task: Task, env: dict[str, str], log_fd: int, kept: KeptPackages, place: Path | None = None) -> Command:
    """How the task starts, with an environment of its own on top of its image's, which it sees at `place`."""
    if task.python is None:
        return Command(task.argv, env, log_fd)
    packages = kept.of(Path(task.python), place)
    return Command(packages.argv(task.argv), packages.env(env), log_fd)


def mount_overlay(source: Path, folder: Path) -> int:
    """An overlay over `source` with its upper layer in `folder`. Raises `OSError` if the file system cannot."""
    upper, work = folder / "upper", folder / "work"
    upper.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    options: dict[str, str | None] = {"lowerdir": _escaped(source), "upperdir": str(upper), "workdir": str(work)}
    return linux.new_mount("overlay", {**options, "userxattr": None})


def open_log(path: str, head: str = "") -> int:
    """The log's descriptor, opened for appending behind `head`; its folder is made where absent."""
    try:
        descriptor = os.open(path, _LOG_FLAGS, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _LOG_FLAGS, 0o600)
    try:
        os.write(descriptor, head.encode())
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def hosts_file(task: Task) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    return "\n".join([*lines, *(f"{address} {name}" for name, address in task.hosts)]) + "\n"


def _read_only_tree(path: str) -> int:
    tree = linux.open_tree(path)
    linux.make_read_only(tree)
    return tree


def _folders_below(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()]


def _rewritten(task: Task, text: str) -> str:
    return text if task.ml_root is None else text.replace(ML_ROOT, task.ml_root)


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
