"""File assets of an assembly: which of them are missing in the bootstrap bucket, packed and uploaded in parallel.

An object key is the hash of the asset's content, so what is there need not be sent again, and two uploads of the same
key are the same bytes: a folder is packed into a zip whose entries are sorted and carry no time of their own.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from trainworks.errors import DeployError
from trainworks.s3 import is_stored

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PARALLEL = 8
_SMALL_BYTES = 8 * 1024 * 1024
_COPY_BYTES = 1024 * 1024
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class AssetUpload:
    """One object that a template refers to. `packaging` is `file`, or `zip` for a folder to be packed."""

    path: Path
    packaging: str
    bucket_name: str
    object_key: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket_name}/{self.object_key}"


def missing_assets(s3: S3Client, assets: Sequence[AssetUpload]) -> tuple[AssetUpload, ...]:
    """Those of `assets` that S3 does not show, in their order."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        present = list(pool.map(lambda asset: is_stored(s3, asset.bucket_name, asset.object_key), assets))
    return tuple(asset for asset, there in zip(assets, present, strict=True) if not there)


def upload_assets(s3: S3Client, assets: Sequence[AssetUpload], uploaded: Callable[[AssetUpload], None]) -> None:
    """Upload `assets` in parallel and call `uploaded` for each one, from the calling thread, in their order."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for asset, _ in zip(assets, pool.map(lambda asset: _upload(s3, asset), assets), strict=True):
            uploaded(asset)


def write_zip(folder: Path, target: IO[bytes]) -> None:
    """Pack `folder` so that equal content gives equal bytes: sorted names, one fixed time, the execute bit alone."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(
            (p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.relative_to(folder).as_posix()
        ):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            executable = path.stat().st_mode & stat.S_IXUSR
            entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as packed:
                while chunk := source.read(_COPY_BYTES):
                    packed.write(chunk)


def _upload(s3: S3Client, asset: AssetUpload) -> None:
    with _packed(asset) as body:
        size = body.seek(0, 2)
        body.seek(0)
        if size <= _SMALL_BYTES:
            s3.put_object(Bucket=asset.bucket_name, Key=asset.object_key, Body=body)
        else:
            s3.upload_fileobj(body, asset.bucket_name, asset.object_key)


@contextmanager
def _packed(asset: AssetUpload) -> Iterator[IO[bytes]]:
    if asset.packaging == "zip" and asset.path.is_dir():
        with tempfile.TemporaryFile() as packed:
            write_zip(asset.path, packed)
            yield packed
    elif asset.packaging in {"file", "zip"} and asset.path.is_file():
        with asset.path.open("rb") as file:
            yield file
    else:
        raise DeployError(
            f"asset {asset.path} cannot be packed as {asset.packaging!r}",
            fix="trainworks synth --fresh" if not asset.path.exists() else "use a file or a folder as the asset",
        )
