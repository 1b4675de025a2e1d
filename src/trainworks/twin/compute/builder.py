"""Commands of builds (`venv`, `pip`) run as user code: in the sandbox of jobs, with a clean environment, and an end.

A build backend is code that somebody else wrote. It sees the folder that is built, the interpreter, and what the
user's own configuration of pip names; no credentials, no other folder of the homes, nothing of the server's variables.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from trainworks.twin.compute.sandbox.command import BROKEN
from trainworks.twin.compute.sandbox.interpreters import prefixes_of
from trainworks.twin.compute.sandbox.namespaces import SandboxMode
from trainworks.twin.compute.sandbox.trial import try_sandbox
from trainworks.twin.job_files import remove_tree

BUILD_SECONDS = 1800.0
"""How long one command of a build may take."""
_LAST_LINES = 12
_LONGEST_LINE = 8000
_COMMAND = Path(__file__).parent / "sandbox" / "command.py"
_SOURCE_ROOT = Path(__file__).resolve().parents[3]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle")
_PIP_KEYS = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy",
    "default-timeout", "timeout", "retries", "constraint", "only-binary", "no-binary", "prefer-binary", "pre",
)  # fmt: skip
_PATH_KEYS = ("find-links", "cert", "client-cert", "constraint", "extra-index-url", "index-url")

_LOG = logging.getLogger(__name__)
Progress = Callable[[str], None]


def no_progress(_: str) -> None:
    """For callers that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its exit code and the last lines of its output.

    `timed_out` if it took too long and was ended.
    """

    exit_code: int
    lines: tuple[str, ...]
    timed_out: bool = False

    @property
    def words(self) -> str:
        """What went wrong, for a message."""
        if self.timed_out:
            return f"took over {BUILD_SECONDS:.0f} s"
        return f"failed with exit code {self.exit_code}: " + "\n".join(self.lines)


class Builder:
    """Runs build commands for the twin at `home`. `sandbox` is "auto" or "off" as for jobs."""

    def __init__(self, home: Path, *, sandbox: str = "auto") -> None:
        self._home = home
        self._sandbox = sandbox
        self._lock = threading.Lock()

    def run(
        self,
        argv: Sequence[str],
        *,
        writable: Path,
        readable: Sequence[Path] = (),
        cwd: Path | None = None,
        settings: PipSettings | None = None,
        progress: Progress = no_progress,
    ) -> Result:
        """Run `argv` until it ends. `writable` is the one folder that it may change, `readable` are others it sees.

        Each line of output is given to `progress`. Raises `OSError` if no process can be started.
        """
        with self._lock:
            mode = self._mode
        with tempfile.TemporaryDirectory(prefix="trainworks-build-", dir=self._scratch()) as scratch:
            given = settings or PipSettings()
            tmp = scratch if mode is SandboxMode.OFF else "/tmp"  # noqa: S108 - the sandbox's own
            hidden = self._hidden()
            visible = [sys.prefix, sys.base_prefix, str(_SOURCE_ROOT)]
            visible += prefixes_of(Path(argv[0]), (*hidden, "/tmp", "/run"), visible)  # noqa: S108
            shown = [str(path) for path in (*readable, *given.files) if Path(path).exists()]
            return _Run(
                {
                    "mode": mode.value,
                    "argv": list(argv),
                    "cwd": str(cwd or writable),
                    "env": {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": tmp, "TMPDIR": tmp, **given.variables},
                    "hidden": hidden,
                    "visible": visible,
                    "readable": [path for path in dict.fromkeys(shown) if _has_to_be_shown(path, hidden)],
                    "writable": [str(writable)],
                    "tmp": scratch,
                },
                progress,
            ).result()

    @cached_property
    def _mode(self) -> SandboxMode:
        """The sandbox that this machine gives, found out once; without one, `server.log` says so once."""
        mode, why_not = ("off", "it is switched off") if self._sandbox == "off" else try_sandbox()
        if mode == SandboxMode.OFF:
            _LOG.warning("images are built without a sandbox: %s", why_not)
        return SandboxMode(mode)

    def _scratch(self) -> Path:
        folder = self._home / "builds"
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        return folder

    def clear(self) -> None:
        """Delete what builds of a server that was killed left."""
        remove_tree(self._home / "builds")

    def _hidden(self) -> list[str]:
        homes = {os.environ.get("HOME", "/"), _home_of_user(), str(self._home.resolve())}
        return sorted(str(Path(home).resolve()) for home in homes if home and home != "/")


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What the user's variables and configuration files tell pip of indexes and the network, and files they name."""

    variables: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def pip_settings(python: Path, environ: Mapping[str, str] = os.environ) -> PipSettings:
    """Ask pip itself, which knows its files and their order; it runs no code but its own for that."""
    own = {name: value for name, value in environ.items() if not name.startswith(("PYTHON", "AWS_"))}
    listed = subprocess.run(
        [str(python), "-m", "pip", "config", "list"],
        env=own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listed.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + ".") and (name := key[len(section) + 1 :]) in _PIP_KEYS:
                found[name] = _unquoted(value)
    variables = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in found.items()}
    variables |= {name: value for name, value in environ.items() if name.lower() in _NETWORK}
    certificates = [value for name, value in variables.items() if name.lower() in _NETWORK]
    words = [word for name in _PATH_KEYS for word in found.get(name, "").split()] + certificates
    paths = [Path(word.removeprefix("file://")) for word in words]
    return PipSettings(
        {**variables, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"},
        tuple(path for path in paths if path.is_absolute()),
    )


class _Run:
    """One command, from its start to its end."""

    def __init__(self, settings: Mapping[str, object], progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)

    def result(self) -> Result:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", str(_COMMAND)],
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise OSError("a process without pipes")
            reader = threading.Thread(target=self._read, args=(process.stdout,), name="build-output", daemon=True)
            reader.start()
            process.stdin.write(json.dumps(self._settings).encode() + b"\n")
            process.stdin.flush()
            timed_out = False
            try:
                process.wait(BUILD_SECONDS)
            except subprocess.TimeoutExpired:
                timed_out = True
            process.stdin.close()  # which ends it, if it has not ended
            code = process.wait()
            reader.join(10)
        if code == BROKEN and not timed_out:
            raise OSError(self._lines[-1] if self._lines else "the sandbox cannot be made")
        return Result(code, tuple(self._lines), timed_out)

    def _read(self, output: IO[bytes]) -> None:
        while piece := output.readline(_LONGEST_LINE):
            line = piece.decode(errors="replace").rstrip()
            if line.strip():
                self._lines.append(line)
                self._progress(line)


def _has_to_be_shown(path: str, hidden: Sequence[str]) -> bool:
    """Whether the view would hide it otherwise."""
    return any(Path(path).is_relative_to(folder) for folder in (*hidden, "/tmp", "/var/tmp", "/run"))  # noqa: S108


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
