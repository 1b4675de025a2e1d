"""Which files of a local folder become an input."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainworks.errors import RequestError
from trainworks.jobs.inputs import Inputs


class Bucket:
    """Takes uploads."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        return [{}]

    def upload_file(self, path: str, bucket: str, key: str, Callback: object = None) -> None:
        self.keys.append(key)


def _uploaded(folder: Path) -> list[str]:
    bucket: Any = Bucket()
    Inputs(bucket, "data", lambda job: "").upload(folder, "in/")
    return bucket.keys  # type: ignore[no-any-return]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "images.csv").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "labels.csv").symlink_to(tmp_path / "elsewhere" / "deep" / "images.csv")
    (tmp_path / "data" / "one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "two").symlink_to(tmp_path / "elsewhere")
    assert _uploaded(tmp_path / "data") == ["in/labels.csv", "in/one/deep/images.csv", "in/two/deep/images.csv"]


def _broken(folder: Path) -> None:
    (folder / "away").symlink_to(folder / "nothing")


def _circle(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to(folder)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _bytes(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/name-\xff")).write_text("1")


@pytest.mark.parametrize(
    ("make", "named"), [(_broken, "away"), (_circle, "up"), (_pipe, "pipe"), (_bytes, "name-.* is not UTF-8")]
)
def test_what_cannot_be_uploaded_is_refused_by_name(tmp_path: Path, make: Callable[[Path], None], named: str) -> None:
    (tmp_path / "a.csv").write_text("1")
    make(tmp_path)
    with pytest.raises(RequestError, match=named):
        _uploaded(tmp_path)
