"""Code on its way into a job: one deterministic archive, uploaded once.

Equal files give an equal archive, whose digest is part of its key (`code/<digest>/sourcedir.tar.gz`); so code that did
not change is never uploaded again, and a job's code can never change under it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.errors import RequestError
from trainworks.jobs.artifacts import Tell, counted, silent
from trainworks.jobs.ignore import OWN_FILE, Ignore, always_left_out, ignore_above
from trainworks.s3 import is_stored

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_SOURCE_BYTES = 256 * 1024**2
_COMPRESSION_LEVEL = 6
_MOST_NAMED = 1000


def _nobody(bundle: SourceBundle) -> None:
    del bundle


@dataclass(frozen=True, slots=True)
class UploadListener:
    """Who hears how code and inputs reach S3: what was packed, and how far each transfer is."""

    packed: Callable[[SourceBundle], None] = _nobody
    transfer: Tell = silent


NOBODY = UploadListener()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that an ignore file keeps out; `path` is below the packed folder, a folder's ends in `/`."""

    path: str
    pattern: str


@dataclass(frozen=True, slots=True)
class SourceBundle:
    """An archive of code. `entry` is the script's path in it, with forward slashes; `digest` is SHA-256 in hex.

    `files` and `bytes` are what is in it; `left_out` names what ignore files kept out, each with the pattern.
    """

    entry: str
    data: bytes = field(repr=False)
    digest: str
    files: int = 0
    bytes: int = 0
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """Where it lies in the model bucket."""
        return f"code/{self.digest[:32]}/sourcedir.tar.gz"


def package_source(script: Path, source_dir: Path | None = None, tell: Tell = silent) -> SourceBundle:
    """Archive `source_dir`, or only the script if there is none.

    Left out are version control, virtual environments, caches, and what ignore files name (`ignore`). Raises
    `RequestError` when the script is missing, not in `source_dir` or left out, when a link leads out of it, or when it
    is larger than 256 MiB.
    """
    check_script(script, source_dir)
    if source_dir is None:
        files, left_out, entry = [(script.name, script)], list[LeftOut](), script.name
    else:
        files, left_out = folder_files(source_dir)
        try:
            entry = script.resolve().relative_to(source_dir.resolve()).as_posix()
        except ValueError:
            raise RequestError(
                f"script {script} is not in source_dir {source_dir}", fix="script is relative to source_dir"
            ) from None
        _refuse_left_out(entry, files, left_out, source_dir)
    data = archive(files, tell)
    size = sum(path.stat().st_size for _, path in files)
    return SourceBundle(entry, data, hashlib.sha256(data).hexdigest(), len(files), size, tuple(left_out))


def check_script(script: Path, source_dir: Path | None) -> None:
    """Raises `RequestError` if the script, or the folder that it is to be in, is not there."""
    if source_dir is not None and not source_dir.is_dir():
        raise RequestError(f"source_dir {source_dir} is not a folder", fix="give the folder that holds the script")
    if not script.is_file():
        what = "is a folder" if script.is_dir() else "does not exist"
        fix = "give the path of a Python file"
        if source_dir is not None:
            fix += f" in source_dir, which is {source_dir}: the job gets only that folder"
        raise RequestError(f"script {script} {what}", fix=fix)


def _refuse_left_out(
    entry: str, files: Sequence[tuple[str, Path]], left_out: Sequence[LeftOut], source_dir: Path
) -> None:
    """The script itself has to go along."""
    if any(name == entry for name, _ in files):
        return
    pattern = next((each.pattern for each in left_out if entry == each.path or entry.startswith(each.path)), "")
    why = f"by {pattern}" if pattern else "with what is never packed: version control, environments, caches"
    raise RequestError(
        f"script {entry} is left out of the job's code {why}",
        fix=f"write !{entry} into {source_dir / OWN_FILE}, which is read last" if pattern else "move the script",
    )


def folder_files(folder: Path) -> tuple[list[tuple[str, Path]], list[LeftOut]]:
    """(name, file) of what travels below a folder, by name, and what ignore files keep out of it."""
    left_out: list[LeftOut] = []
    folder = folder.resolve()
    return sorted(_files(folder, ignore_above(folder), left_out)), left_out


def package_folder(folder: Path) -> bytes:
    """All files of a folder as a deterministic archive, but those that never travel: an image is what its folder is."""
    return archive(sorted(_files(folder.resolve(), None, [])))


def archive(files: list[tuple[str, Path]], tell: Tell = silent) -> bytes:
    """A gzipped tar of `(name, file)` in the given order, without owners and times; only the execute bit is kept."""
    raw = io.BytesIO()
    total, size = 0, sum(path.stat().st_size for _, path in files)
    if size > MOST_SOURCE_BYTES:
        largest = max(files, key=lambda each: each[1].stat().st_size)[1]
        raise _too_large(f"it has {size // 1024**2} MiB, the largest file is {largest}")
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files:
            data = path.read_bytes()
            total += len(data)
            if total > MOST_SOURCE_BYTES:
                raise _too_large(f"at {path}")
            tell("packing", total, size)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, packed, mtime=0) as zipped:
        zipped.write(raw.getvalue())
    return packed.getvalue()


def _too_large(where: str) -> RequestError:
    return RequestError(
        f"the code is larger than {MOST_SOURCE_BYTES // 1024**2} MiB ({where})",
        fix=f"exclude data from it by a line in {OWN_FILE}, and give it to the job as an input",
    )


def upload_source(s3: S3Client, bucket: str, bundle: SourceBundle, tell: Tell = silent) -> str:
    """Put the archive where it belongs, unless it is there; returns its `s3://` URI."""
    return put_once(s3, bucket, bundle.key, bundle.data, tell)


def put_once(s3: S3Client, bucket: str, key: str, data: bytes, tell: Tell = silent) -> str:
    """Put what its key names by its content, unless it is there; returns its `s3://` URI."""
    if not is_stored(s3, bucket, key):
        s3.upload_fileobj(io.BytesIO(data), bucket, key, Callback=counted(f"s3://{bucket}/{key}", len(data), tell))
    return f"s3://{bucket}/{key}"


def _files(
    folder: Path, ignore: Ignore | None, left_out: list[LeftOut], inside: Path | None = None, prefix: str = ""
) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of what travels below `folder`; a linked folder is refused, it may hold itself.

    What an ignore file keeps out goes to `left_out`, of a folder the folder alone. `ignore` None: none is read.
    """
    inside = inside or folder
    ignore = None if ignore is None else ignore.within(folder)
    for path in sorted(folder.iterdir()):
        if always_left_out(path):
            continue
        is_folder = path.is_dir()
        if ignore is not None and (pattern := ignore.reason(path, is_folder)):
            if is_folder and not path.is_symlink() and ignore.brings_back:
                yield from _files(path, ignore, [], inside, f"{prefix}{path.name}/")
            if len(left_out) < _MOST_NAMED:
                left_out.append(LeftOut(f"{prefix}{path.name}{'/' if is_folder else ''}", pattern))
            continue
        # Not `Path.resolve`: it raises for a link to itself, which leads to no file, as other broken links do.
        if path.is_symlink() and (is_folder or not Path(os.path.realpath(path)).is_relative_to(inside)):
            raise RequestError(
                f"{path} is a link to a folder or out of {inside}", fix="replace the link by what it points to"
            )
        if is_folder:
            yield from _files(path, ignore, left_out, inside, f"{prefix}{path.name}/")
        elif path.is_file():
            yield prefix + path.name, path
