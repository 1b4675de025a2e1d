"""Inputs of a job as S3 URIs: what is local is uploaded once, what is named is checked to be there.

data/train.npz  data/        --> datasets/uploads/<digest>/... of the dataset bucket, unless it is there
dataset:digits               --> datasets/digits/ of the dataset bucket
s3://bucket/prefix           --> itself
model:JOB                    --> the model.tar.gz of a training job
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ParamValidationError

from trainworks.aws.object_keys import split_uri
from trainworks.errors import RequestError
from trainworks.jobs.artifacts import Tell, counted, silent
from trainworks.jobs.faults import code_of, message_of
from trainworks.s3 import has_objects, objects_below

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATASETS = "datasets/"
UPLOADS = f"{DATASETS}uploads/"
"""What was uploaded without a name."""
_FIXES = {
    "AccessDenied": "allow s3:ListBucket on that bucket to the one who starts the job, or name another bucket",
    "PermanentRedirect": "the bucket is in another region: copy the data to a bucket of the environment's region",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Resolves inputs. `model_of` gives the artefact's URI of a training job by its name."""

    s3: S3Client
    dataset_bucket: str
    model_of: Callable[[str], str]
    tell: Tell = silent

    def resolve(self, name: str, location: str, base_dir: Path) -> str:
        """The S3 URI of the input `name`. Raises `RequestError` if there is nothing at its location."""
        kind, separator, rest = location.partition(":")
        if location.startswith("s3://"):
            return self._checked(name, location)
        if separator and kind in ("dataset", "model") and not rest.strip("/"):
            raise RequestError(
                f"input {name!r}: {location!r} names no {'dataset' if kind == 'dataset' else 'job'}",
                fix="give dataset:NAME, as trainworks data list shows it, or model:JOB",
            )
        if separator and kind == "dataset":
            return self._checked(name, f"s3://{self.dataset_bucket}/{DATASETS}{rest.strip('/')}/")
        if separator and kind == "model":
            return self.model_of(rest)
        path = base_dir / Path(location).expanduser()
        if not path.exists():
            raise RequestError(
                f"input {name!r}: {path} does not exist",
                fix="give a local path, s3://BUCKET/PREFIX, dataset:NAME or model:JOB",
            )
        return self.upload(path)

    def upload(self, path: Path, key_prefix: str | None = None) -> str:
        """Upload a file or folder to the dataset bucket; returns the URI of its folder there.

        Without `key_prefix` the key is made from the content's digest, so nothing is uploaded twice.
        """
        files = files_of(path)
        prefix = key_prefix or content_prefix(files)
        present = self._present(prefix) if key_prefix is None else {}
        missing = [each for each in files if present.get(prefix + each[0]) != each[1].stat().st_size]
        upload_files(self.s3, self.dataset_bucket, prefix, missing, self.tell)
        return f"s3://{self.dataset_bucket}/{prefix}"

    def _present(self, prefix: str) -> dict[str, int]:
        return {each.key: each.bytes for each in objects_below(self.s3, self.dataset_bucket, prefix)}

    def _checked(self, name: str, uri: str) -> str:
        bucket, prefix = split_uri(uri)
        try:
            found = has_objects(self.s3, bucket, prefix)
        except ParamValidationError as error:
            raise RequestError(
                f"input {name!r}: {bucket!r} is not a name of a bucket ({uri})",
                fix="write s3://BUCKET/PREFIX; a bucket's name is 3 to 63 small letters, digits, hyphens and dots",
            ) from error
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                raise RequestError(
                    f"input {name!r}: bucket {bucket!r} does not exist ({uri})",
                    fix=f"correct the bucket's name, or give a local path, which is uploaded to {self.dataset_bucket}",
                ) from error
            raise RequestError(
                f"input {name!r}: {uri}: {code_of(error)}: {message_of(error)}", fix=_FIXES.get(code_of(error), "")
            ) from error
        if not found:
            raise RequestError(
                f"input {name!r}: there is nothing at {uri}",
                fix=f"put the data there: {self._way_to(prefix, uri)}, or give a local path, which is uploaded",
            )
        return uri

    def _way_to(self, prefix: str, uri: str) -> str:
        name = prefix.removeprefix(DATASETS).strip("/")
        is_own = uri.startswith(f"s3://{self.dataset_bucket}/{DATASETS}") and name
        return f"trainworks data put FOLDER {name}" if is_own else f"aws s3 cp --recursive FOLDER {uri}"


def upload_files(s3: S3Client, bucket: str, prefix: str, files: Sequence[tuple[str, Path]], tell: Tell) -> None:
    """Put files below a prefix; `tell` hears how far it is."""
    count = counted(f"s3://{bucket}/{prefix}", sum(file.stat().st_size for _, file in files), tell)
    for relative, file in files:
        s3.upload_file(str(file), bucket, prefix + relative, Callback=count)


def content_prefix(files: list[tuple[str, Path]]) -> str:
    """Where files lie that have no name of their own: by what is in them."""
    return f"{UPLOADS}{_digest(files)[:32]}/"


def files_of(path: Path) -> list[tuple[str, Path]]:
    """(name below the folder, file). Links are followed; what cannot be uploaded is refused, and never left out."""
    if path.is_file():
        files = [(path.name, path)]
    elif path.is_dir():
        files = sorted(_below(path, "", (path.resolve(),)))
    else:
        raise RequestError(f"{path} is neither a file nor a folder", fix="give a file or a folder")
    if not files:
        raise RequestError(f"{path} has no files", fix="put the input's files into it")
    for name, file in files:
        if not _is_text(name):
            raise RequestError(f"the name of {str(file)!a} is not UTF-8, as keys in S3 are", fix="rename the file")
    return files


def _below(folder: Path, prefix: str, inside: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    for path in folder.iterdir():
        if path.is_dir():
            target = path.resolve()
            if target in inside:
                raise RequestError(f"{path} is a link to a folder that it is in", fix="remove the link")
            yield from _below(path, f"{prefix}{path.name}/", (*inside, target))
        elif path.is_file():
            yield prefix + path.name, path
        elif path.is_symlink():
            raise RequestError(
                f"{path} is a link to {path.readlink()}, where there is nothing", fix="correct the link, or remove it"
            )
        else:
            raise RequestError(f"{path} is neither a file nor a folder", fix="remove it from the input's folder")


def _is_text(name: str) -> bool:
    """Whether a file's name is UTF-8; Python has other bytes of it as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(files: list[tuple[str, Path]]) -> str:
    """SHA-256 over names and contents."""
    total = hashlib.sha256()
    for name, path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        total.update(len(name.encode()).to_bytes(4) + name.encode() + content)
    return total.hexdigest()
