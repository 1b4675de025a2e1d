"""The assembly of a request: from the cache where it is there, else synthesized and published.

An entry is a folder named by the request's key. It is written under another name and renamed, so that it is complete or
absent; a lock per key lets a second synthesis of the same request wait for the first instead of doing it again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainworks.assembly.cloud_assembly import CloudAssembly
from trainworks.assembly.request import SynthRequest
from trainworks.config.variables import cache_folder
from trainworks.errors import SynthesisError
from trainworks.meanwhile import Meanwhile, untold

_MAX_ENTRIES = 64

Synthesize = Callable[[SynthRequest, Path], None]


def user_cache_dir() -> Path:
    """Where the assemblies of this user are."""
    return cache_folder() / "assemblies"


def synthesize(
    request: SynthRequest, cache_dir: Path, run: Synthesize | None = None, meanwhile: Meanwhile = untold
) -> CloudAssembly:
    """The cloud assembly of `request`. `run` writes an assembly into a folder; by default a fresh CDK process does.

    `meanwhile` is told of a synthesis, not of what is in the cache.

    Raises `SynthesisError` if the CDK app fails; nothing is cached then.
    """
    entry = cache_dir / request.cache_key()
    if entry.is_dir():
        os.utime(entry)  # what is used is not what goes first
        return CloudAssembly.load(entry)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SynthesisError(
            f"the cache of assemblies {cache_dir} cannot be made: {error.strerror}", fix="make its parent writable"
        ) from error
    with meanwhile(f"synthesizing {request.stack_name}"), locked(cache_dir / f"{entry.name}.lock"):
        if not entry.is_dir():
            _publish(request, entry, run or _run_once)
            _evict(cache_dir, keep=entry)
    return CloudAssembly.load(entry)


def _run_once(request: SynthRequest, output_dir: Path) -> None:
    # A cached synthesis never gets here, so it need not pay for the import.
    from trainworks.assembly.synthesizer import Synthesizer  # noqa: PLC0415

    with Synthesizer() as synthesizer:
        synthesizer.synthesize(request, output_dir)


def _publish(request: SynthRequest, entry: Path, run: Synthesize) -> None:
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".synthesis-") as scratch:
        output_dir = Path(scratch) / "assembly"
        output_dir.mkdir()
        run(request, output_dir)
        CloudAssembly.load(output_dir)
        try:
            output_dir.rename(entry)
        except OSError as error:
            # Where locks do not work (some network file systems) another process may have published first.
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise


def _evict(cache_dir: Path, keep: Path) -> None:
    """Remove the entries that were asked for longest ago, beyond `_MAX_ENTRIES`."""
    entries = [path for path in cache_dir.iterdir() if path.is_dir() and not path.name.startswith(".") and path != keep]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[_MAX_ENTRIES - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with the lock file `path`: another process waits at the same one."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
