"""The data that jobs are given: `datasets/` of the platform's dataset bucket, by name or by content.

data put FOLDER digits            --> datasets/digits/...            an input as `dataset:digits`
data put FOLDER digits/heldout    --> datasets/digits/heldout/...    the folder heldout of that dataset
data put FOLDER                   --> datasets/uploads/<digest>/...  an input by its URI; equal files are uploaded once

A dataset is all that lies below the first part of its name: an input is a prefix, which takes what lies deeper along.
So what follows a slash is a folder of the dataset. It can be put, listed and removed by itself, and goes with the
dataset; who replaces or removes one is asked, with what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.errors import RequestError
from trainworks.jobs.artifacts import Tell, silent
from trainworks.jobs.inputs import DATASETS, UPLOADS, Inputs, files_of, upload_files
from trainworks.s3 import delete_objects, objects_below

if TYPE_CHECKING:
    from trainworks.jobs.connection import Connection

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Dataset:
    """What lies below one name. `name` is `uploads/<digest>` for what was uploaded by content."""

    name: str
    location: str
    """As a job's input names it."""
    uri: str
    files: int
    bytes: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a dataset, by its path in it."""

    path: str
    uri: str
    bytes: int
    changed_at: datetime


Approve = Callable[[Sequence[DataFile]], None]
"""Hears which files are about to be removed, and raises where they are not to be."""


def approve_all(files: Sequence[DataFile]) -> None:
    """Lets everything be removed."""
    del files


def put_dataset(
    connection: Connection,
    path: Path,
    name: str | None = None,
    *,
    replace: bool = False,
    approve: Approve = approve_all,
    tell: Tell = silent,
) -> Dataset:
    """Upload a file or folder. Raises `RequestError` if the name has data, unless it may be replaced.

    In that case, files that are not in the folder are removed once everything else is uploaded. `approve` is called
    with them before anything is done, and raises if they may not be removed.
    """
    bucket, s3 = connection.outputs.dataset_bucket, connection.client("s3")
    if not path.exists():
        raise RequestError(f"{path} does not exist", fix="give a file or a folder")
    if name is None:
        if replace:
            raise RequestError("only data with a name is replaced", fix="give the name, or remove --replace")
        uri = Inputs(s3, bucket, str, tell).upload(path)
        return _dataset(connection, uri.removeprefix(f"s3://{bucket}/"))
    prefix = f"{DATASETS}{_checked(name)}/"
    if prefix.startswith(UPLOADS):
        raise RequestError(f"{name} is kept for data without a name", fix="choose another name, or leave it out")
    files = files_of(path)
    _refuse_below_a_file(connection, name)
    there = list(_objects(connection, prefix))
    if there and not replace:
        raise RequestError(
            f"dataset {name} exists: {len(there)} files at s3://{bucket}/{prefix}",
            fix="--replace, which also removes its files that are not in the new ones; or choose another name",
        )
    kept = {relative for relative, _ in files}
    gone = [each for each in there if each.path not in kept]
    if gone:
        approve(gone)
    upload_files(s3, bucket, prefix, files, tell)
    delete_objects(s3, bucket, [(f"{prefix}{each.path}", "") for each in gone])
    return _dataset(connection, prefix)


def list_datasets(connection: Connection) -> list[Dataset]:
    """All that is uploaded, by name; what was uploaded by content last."""
    found: dict[str, list[DataFile]] = {}
    for each in _objects(connection, DATASETS):
        parts = each.path.split("/")
        if len(parts) == 1:
            continue  # beside all datasets, not in one
        depth = 2 if parts[0] == "uploads" else 1
        found.setdefault("/".join(parts[:depth]), []).append(each)
    datasets = [_summary(connection, name, files) for name, files in found.items()]
    return sorted(datasets, key=lambda each: (each.name.startswith("uploads/"), each.name))


def names_beginning(connection: Connection, text: str) -> Iterator[str]:
    """The names of datasets that begin so. Their files are not listed: there may be many."""
    bucket, beginning = connection.outputs.dataset_bucket, f"{DATASETS}{text}"
    pages = connection.client("s3").get_paginator("list_objects_v2")
    for prefix in {beginning, UPLOADS} if UPLOADS.startswith(beginning) else {beginning}:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
            found = (each["Prefix"] for each in page.get("CommonPrefixes", []))
            yield from (each.removeprefix(DATASETS).removesuffix("/") for each in found if each != UPLOADS)


def dataset_files(connection: Connection, name: str) -> list[DataFile]:
    """The files of one dataset, by its name or URI. Raises `RequestError` if there is none."""
    return _files(connection, f"{DATASETS}{_named(connection, name)}/")


def find_dataset(connection: Connection, name: str) -> Dataset:
    """One dataset, by its name or URI. Raises `RequestError` if there is none."""
    return _dataset(connection, f"{DATASETS}{_named(connection, name)}/")


def remove_dataset(connection: Connection, dataset: Dataset) -> int:
    """Remove all files of a dataset; how many. Versions that the bucket keeps stay for as long as it keeps them."""
    prefix = f"{DATASETS}{dataset.name}/"
    if prefix == UPLOADS:
        raise RequestError(
            "uploads holds all data that was put without a name", fix="name one of it: trainworks data list"
        )
    files = list(_objects(connection, prefix))
    bucket = connection.outputs.dataset_bucket
    return delete_objects(connection.client("s3"), bucket, [(f"{prefix}{each.path}", "") for each in files])


def folders_of(files: Iterable[DataFile]) -> list[str]:
    """The folders that lie directly in a dataset, by name."""
    return sorted({each.path.partition("/")[0] for each in files if "/" in each.path})


def _dataset(connection: Connection, prefix: str) -> Dataset:
    return _summary(connection, _name_of(prefix), _files(connection, prefix))


def _files(connection: Connection, prefix: str) -> list[DataFile]:
    files = list(_objects(connection, prefix))
    if not files:
        raise RequestError(
            f"there is no dataset {_name_of(prefix)} in s3://{connection.outputs.dataset_bucket}/{DATASETS}",
            fix="see what there is: trainworks data list",
        )
    return files


def _name_of(prefix: str) -> str:
    return prefix.removeprefix(DATASETS).strip("/")


def _summary(connection: Connection, name: str, files: list[DataFile]) -> Dataset:
    uri = f"s3://{connection.outputs.dataset_bucket}/{DATASETS}{name}/"
    location = uri if name.startswith("uploads/") else f"dataset:{name}"
    size, changed = sum(each.bytes for each in files), max(each.changed_at for each in files)
    return Dataset(name, location, uri, len(files), size, changed)


def _objects(connection: Connection, prefix: str) -> Iterator[DataFile]:
    bucket = connection.outputs.dataset_bucket
    for each in objects_below(connection.client("s3"), bucket, prefix):
        yield DataFile(each.key.removeprefix(prefix), f"s3://{bucket}/{each.key}", each.bytes, each.changed_at)


def _refuse_below_a_file(connection: Connection, name: str) -> None:
    """A name whose beginning is a file of a dataset would make that a file and a folder, which no job can be given."""
    bucket, parts = connection.outputs.dataset_bucket, name.split("/")
    for depth in range(1, len(parts) + 1):
        key = f"{DATASETS}{'/'.join(parts[:depth])}"
        # The first of all keys that begin so, in their order.
        first = next(objects_below(connection.client("s3"), bucket, key), None)
        if first is not None and first.key == key:
            raise RequestError(
                f"s3://{bucket}/{key} is a file, and {name} would make it a folder", fix="choose another name"
            )


def _named(connection: Connection, name: str) -> str:
    """A dataset's name from its name, `dataset:NAME`, or the URI that `put` gave."""
    root = f"s3://{connection.outputs.dataset_bucket}/{DATASETS}"
    bare = name.removeprefix("dataset:").removeprefix(root).rstrip("/")
    # What was put there by other means may be called as S3 allows; all of `datasets/` is not a dataset.
    if not all(bare.split("/")) or bare.startswith("s3:"):
        raise RequestError(f"{name!r} is not a dataset of {root}", fix="see what there is: trainworks data list")
    return bare


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise RequestError(
            f"{name!r} is not a name of a dataset; allowed: letters, digits, dots, hyphens and underscores, in parts "
            "between slashes, each beginning with a letter or digit",
            fix="as digits, or digits/heldout",
        )
    return name
