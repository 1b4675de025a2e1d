"""The packages of a job's requirements.txt, installed once on top of its image: `ports.PackageResolver`.

    <home>/requirements/<key>/layer/env       a virtual environment on top of the image's (`sandbox/packages.py`)
    <home>/requirements/<key>/layer/source    requirements.txt, and all beside it where it names files there
    <home>/requirements/<key>/ready           written last; `environments.py` says how it is made, locked and removed

The key is made from all that decides what is installed: the image and what it has, the requirements, the files that
they may name, and the variables that pip and builds read. Jobs see the folder read-only. What runs while it is made
sees `layer` alone, so that it can neither mark itself complete nor change what another key gets.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.compute.builder import Builder, pip_settings
from trainworks.twin.compute.environments import PythonEnvironments, Unused
from trainworks.twin.compute.making import Makings, OnEnd
from trainworks.twin.compute.making_log import MakingLog, PipOutput
from trainworks.twin.compute.sandbox.packages import Packages, site_packages_of
from trainworks.twin.ports import ApiError, ImageBeingMadeError, Runtime

BEING_INSTALLED = "The requirements are being installed"
_PIP = ("install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
_MOST_BYTES = 1 << 20
_MADE = "made.json"
_SHOWN = 12

_PLAIN_OPTIONS = frozenset({
    "-i", "--index-url", "--extra-index-url", "--no-index", "--pre", "--prefer-binary", "--only-binary", "--no-binary",
    "--trusted-host", "--require-hashes", "--use-feature",
})  # fmt: skip
_OF_AN_INDEX = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^]]*\])?\s*(?:$|[<>=!~;(]|@\s*(?:\w+\+)?https?://|--hash=)")
_ADDRESS = re.compile(r"(?:\w+\+)?https?://\S+")
_ABSOLUTE = re.compile(r"(?:^|[\s=@'\"])(?:file:|/)", re.MULTILINE)
"""A path of the job's container, which is not there before the job runs."""
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_READ_BY_BUILDS = re.compile(
    r"(?:PIP|CMAKE|SETUPTOOLS)_\w+|\w*FLAGS|CC|CXX|TORCH_CUDA_ARCH_LIST|SSL_CERT_\w+|REQUESTS_CA_BUNDLE"
    r"|(?i:https?|all|no)_(?i:proxy)"
)
_PIP_OF_ITS_OWN = re.compile(r"PIP_(?:TARGET|PREFIX|ROOT|USER|SRC|LOG|CONFIG_FILE|PYTHON|DRY_RUN|REPORT|REQUIREMENT)")


class Requirements:
    """See `ports.PackageResolver`. `folder` holds the environments, `python` runs pip; `unused` is for `Retention`."""

    def __init__(
        self, folder: Path, python: Path, builder: Builder, is_in_use: Callable[[Path], bool] = lambda _: False
    ) -> None:
        self._python = python
        self._builder = builder
        self.environments = PythonEnvironments(
            folder, python, builder, what=f"The environment of {REQUIREMENTS}", env="layer/env"
        )
        self._makings = Makings(self.environments)
        self.unused = Unused(self.environments, is_in_use)

    def on_made(self, told: OnEnd) -> None:
        """See `ports.PackageResolver`."""
        self._makings.on_end(told)

    def check(self, waiter: str) -> None:
        """See `ports.PackageResolver`."""
        with _of_requirements():
            self._makings.check(waiter)

    def installed(self, runtime: Runtime, source: Path, variables: Mapping[str, str], waiter: str) -> Runtime | None:
        """See `ports.PackageResolver`."""
        wanted = _wanted(source, variables)
        if wanted is None:
            return None
        key = _key(runtime, source, wanted)

        def build(place: Path, making_log: MakingLog) -> None:
            making_log.say(f"installing {REQUIREMENTS}: it is done once for these requirements and this image")
            self._install(runtime, source, wanted, place, making_log)

        with _of_requirements():
            place = self._makings.ready(key, build, waiter)
        told = self._makings.told(waiter)
        note = f"{REQUIREMENTS} is installed and kept for other jobs" if told else _taken(place)
        env = place / "layer" / "env"
        path = os.pathsep.join([str(env / "bin"), *filter(None, [runtime.env.get("PATH", "")])])
        return replace(
            runtime,
            python=env / "bin" / "python",
            env={**runtime.env, "PATH": path},
            folders=(*runtime.folders, place),
            note="\n".join(filter(None, [runtime.note, note])),
            made=told,
            has_requirements=True,
        )

    def _install(self, runtime: Runtime, source: Path, wanted: _Wanted, place: Path, making_log: MakingLog) -> None:
        layer = place / "layer"
        env, copy = layer / "env", layer / "source"
        layer.mkdir(mode=0o700)
        if wanted.names_files:
            shutil.copytree(source, copy, symlinks=True)
        else:
            copy.mkdir()
            (copy / REQUIREMENTS).write_bytes(wanted.text)
        Packages(runtime.python, env).make(env)
        settings = pip_settings(self._python)
        settings = replace(settings, variables={**settings.variables, **wanted.variables})
        argv = [str(self._python), "-m", "pip", "--python", str(env / "bin" / "python"), *_PIP]
        with PipOutput(place, making_log) as output:
            result = self._builder.run(
                [*argv, "--requirement", REQUIREMENTS],
                writable=layer,
                readable=runtime.folders,
                cwd=copy,
                settings=settings,
                progress=output,
            )
        if result.exit_code != 0:
            said = "\n".join(output.last_lines)
            took = " in time" if result.timed_out else ""
            raise ApiError("InstallRequirementsError", f"pip could not install {REQUIREMENTS}{took}:\n{said}")
        made = {"at": time.time(), "packages": sorted(_distributions(site_packages_of(env / "bin" / "python")))}
        (place / _MADE).write_text(json.dumps(made))


@contextmanager
def _of_requirements() -> Iterator[None]:
    """Who waits is told for what."""
    try:
        yield
    except ImageBeingMadeError as making:
        making.what = BEING_INSTALLED
        raise


class _Wanted:
    """What decides, besides the image, what is installed."""

    def __init__(self, text: bytes, variables: Mapping[str, str], *, names_files: bool) -> None:
        self.text = text
        self.variables = variables
        self.names_files = names_files


def _wanted(source: Path, variables: Mapping[str, str]) -> _Wanted | None:
    """None if only the job itself can install it: it names paths of the container, or settings of pip that lead
    elsewhere than into an environment."""
    path = source / REQUIREMENTS
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
        return None
    text = path.read_bytes()
    lines = list(_lines(text))
    if not lines or any(_is_the_jobs_own(name, value) for name, value in variables.items()):
        return None
    names_files = not all(_is_of_an_index(line) for line in lines)
    texts = [text.decode(errors="replace")]
    if names_files:
        texts = [each.read_text(errors="replace") for each in sorted(source.glob("*.txt")) if not each.is_symlink()]
    if any(_ABSOLUTE.search(_ADDRESS.sub("", each)) for each in texts):
        return None
    named = {name for each in texts for name in _VARIABLE.findall(each)}
    read = {name: value for name, value in variables.items() if name in named or _READ_BY_BUILDS.fullmatch(name)}
    return _Wanted(text, read, names_files=names_files)


def _is_the_jobs_own(name: str, value: str) -> bool:
    """Whether a setting of pip names a path of the job's container, or another place to install to."""
    if _PIP_OF_ITS_OWN.fullmatch(name):
        return True
    return bool(_READ_BY_BUILDS.fullmatch(name) and _ABSOLUTE.search(_ADDRESS.sub("", value)))


def _lines(text: bytes) -> Iterator[str]:
    """The lines that say something, as pip joins and strips them."""
    for line in text.decode(errors="replace").replace("\\\n", " ").splitlines():
        said = re.sub(r"(?:^|\s)#.*$", "", line).strip()
        if said:
            yield said


def _is_of_an_index(line: str) -> bool:
    """Whether a line names no file next to requirements.txt. A line of options may have several."""
    if line.startswith("-"):
        options = [word.partition("=")[0] for word in line.split() if word.startswith("-")]
        return all(option in _PLAIN_OPTIONS for option in options)
    return bool(_OF_AN_INDEX.match(line) or _ADDRESS.match(line)) and not line.endswith((".whl", ".zip", ".tar.gz"))


def _key(runtime: Runtime, source: Path, wanted: _Wanted) -> str:
    digest = hashlib.sha256()

    def add(*parts: str | bytes) -> None:
        for part in parts:
            data = part if isinstance(part, bytes) else os.fsencode(part)
            digest.update(len(data).to_bytes(8, "big") + data)

    add(str(runtime.python), *sorted(_distributions(site_packages_of(runtime.python))))
    add(*(str(folder) for folder in runtime.folders), wanted.text)
    for name in sorted(wanted.variables):
        add(name, wanted.variables[name])
    if wanted.names_files:
        for path in _files(source):
            add(str(path.relative_to(source)), *_content(path))
    return digest.hexdigest()[:40]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path


def _content(path: Path) -> tuple[bytes, bytes]:
    """The digest of a file and whether it may be executed, or where a link leads; nothing else is read."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return b"link", os.fsencode(path.readlink())
    if not stat.S_ISREG(mode):
        return b"other", b""
    with path.open("rb") as file:
        return bytes([mode & 0o100 != 0]), hashlib.file_digest(file, "sha256").digest()


def _distributions(folder: Path) -> Collection[str]:
    """`name-version` of each package in a site-packages."""
    try:
        return {entry.removesuffix(".dist-info") for entry in os.listdir(folder) if entry.endswith(".dist-info")}  # noqa: PTH208
    except FileNotFoundError:
        return ()


def _taken(place: Path) -> str:
    made = json.loads((place / _MADE).read_text())
    packages = made["packages"]
    more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
    shown = ", ".join(each.replace("-", " ", 1) for each in packages[:_SHOWN]) or "nothing that the image lacks"
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made["at"]))
    return f"{REQUIREMENTS} was installed at {at} and is taken from there: {shown}{more}"
