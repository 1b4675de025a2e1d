"""Code on its way into a job: one deterministic archive, uploaded once.

Equal files give an equal archive, whose digest is part of its key (`code/<digest>/sourcedir.tar.gz`); so code that did
not change is never uploaded again, and a job's code can never change under it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trainworks.errors import RequestError
from trainworks.jobs.faults import is_absent_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_SOURCE_BYTES = 256 * 1024**2
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    | {".ipynb_checkpoints", "node_modules", "cdk.out", ".DS_Store"}
)


@dataclass(frozen=True, slots=True)
class SourceBundle:
    """An archive of code. `entry` is the script's path in it, with forward slashes; `digest` is SHA-256 in hex."""

    entry: str
    data: bytes = field(repr=False)
    digest: str

    @property
    def key(self) -> str:
        """Where it lies in the model bucket."""
        return f"code/{self.digest[:32]}/sourcedir.tar.gz"


def package_source(script: Path, source_dir: Path | None = None) -> SourceBundle:
    """Archive `source_dir`, or the script alone where there is none.

    Left out are version control, virtual environments and caches. Raises `RequestError` when the script is missing or
    not in `source_dir`, when a link leads out of it, or when it is larger than 256 MiB.
    """
    if source_dir is not None and not source_dir.is_dir():
        raise RequestError(f"source_dir {source_dir} is not a folder", fix="give the folder that holds the script")
    if not script.is_file():
        what = "is a folder" if script.is_dir() else "does not exist"
        fix = "give the path of a Python file"
        if source_dir is not None:
            fix += f" in source_dir, which is {source_dir}: that folder is all that the job gets"
        raise RequestError(f"script {script} {what}", fix=fix)
    if source_dir is None:
        files = [(script.name, script)]
        entry = script.name
    else:
        files = sorted(_files(source_dir))
        try:
            entry = script.resolve().relative_to(source_dir.resolve()).as_posix()
        except ValueError:
            raise RequestError(
                f"script {script} is not in source_dir {source_dir}", fix="script is relative to source_dir"
            ) from None
    data = archive(files)
    return SourceBundle(entry, data, hashlib.sha256(data).hexdigest())


def package_folder(folder: Path) -> bytes:
    """A folder's files as a deterministic archive, under the same rules."""
    return archive(sorted(_files(folder)))


def archive(files: list[tuple[str, Path]]) -> bytes:
    """A gzipped tar of `(name, file)` in the given order, without owners and times; only the execute bit is kept."""
    raw = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files:
            data = path.read_bytes()
            total += len(data)
            if total > MOST_SOURCE_BYTES:
                raise RequestError(
                    f"the code is larger than {MOST_SOURCE_BYTES // 1024**2} MiB (at {path})",
                    fix="keep data out of the folder and give it to the job as an input",
                )
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as zipped:
        zipped.write(raw.getvalue())
    return packed.getvalue()


def upload_source(s3: S3Client, bucket: str, bundle: SourceBundle) -> str:
    """Put the archive where it belongs, unless it is there; returns its `s3://` URI."""
    try:
        s3.head_object(Bucket=bucket, Key=bundle.key)
    except ClientError as error:
        if not is_absent_object(error):
            raise
        s3.put_object(Bucket=bucket, Key=bundle.key, Body=bundle.data)
    return f"s3://{bucket}/{bundle.key}"


def _files(folder: Path, inside: Path | None = None, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of everything below `folder`; a linked folder is refused, it may hold itself."""
    inside = inside or folder.resolve()
    for path in folder.iterdir():
        if path.name in _LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(inside)):
            raise RequestError(
                f"{path} is a link to a folder or out of {inside}", fix="replace the link by what it points to"
            )
        if path.is_dir():
            yield from _files(path, inside, f"{prefix}{path.name}/")
        elif path.is_file():
            yield prefix + path.name, path
