"""Unpacking source archives: what leads out is refused on every Python, with tarfile's filters or without."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trainworks.twin.services.sagemaker.source import extract

Member = tuple[str, bytes, str]  # name, type, target of a link


def _archive(folder: Path, *members: Member, mode: int = 0o644) -> Path:
    path = folder / "sourcedir.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, mode
            content = b"content" if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            member.uid = member.gid = 4242
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(params=["filters", "no filters"])
def extract_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Extract as this Python does, and as one of before 3.11.4, which has no filters."""
    if request.param == "no filters" and hasattr(tarfile, "data_filter"):
        monkeypatch.delattr(tarfile, "data_filter")
        monkeypatch.setattr(tarfile.TarFile, "_get_filter_function", lambda *_: lambda member, _path: member)
    return extract


FILE, FOLDER, LINK, HARD_LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("/absolute.py", FILE, "")], id="absolute"),
        pytest.param([("../up.py", FILE, "")], id="up"),
        pytest.param([("a/../../up.py", FILE, "")], id="down and up"),
        pytest.param([("link", LINK, "/etc")], id="link to an absolute path"),
        pytest.param([("a/link", LINK, "../../etc")], id="link to above"),
        pytest.param([("a/b/link", LINK, "../.."), ("out", LINK, "a/b/link/..")], id="link above a link"),
        pytest.param([("link", LINK, "a"), ("link/file.py", FILE, "")], id="file below a link"),
        pytest.param([("link", HARD_LINK, "/etc/hostname")], id="hard link to an absolute path"),
        pytest.param([("a/b/l", LINK, "../../x"), ("l", HARD_LINK, "a/b/l")], id="hard link to a link"),
        pytest.param([("device", tarfile.CHRTYPE, "")], id="device"),
        pytest.param([("pipe", tarfile.FIFOTYPE, "")], id="pipe"),
    ],
)
def test_what_leads_out_is_refused_and_nothing_is_written(
    extract_as: Callable[[Path, Path], None], members: list[Member], tmp_path: Path
) -> None:
    target = tmp_path / "outer" / "code"
    archive = _archive(tmp_path, *members)
    with pytest.raises(tarfile.TarError, match=members[-1][0].split("/", maxsplit=1)[0] or members[-1][0]):
        extract_as(archive, target)
    assert list((tmp_path / "outer").rglob("*")) == [target]


def test_links_inside_are_kept_and_files_are_the_servers(
    extract_as: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    archive = _archive(
        tmp_path,
        ("a", FOLDER, ""),
        ("a/train.py", FILE, ""),
        ("a/link", LINK, "../b/data"),
        ("b/data", FILE, ""),
        ("same.py", HARD_LINK, "a/train.py"),
        mode=0o6777,
    )
    code = tmp_path / "code"
    extract_as(archive, code)
    assert (code / "a/link").read_bytes() == (code / "same.py").read_bytes() == b"content"
    status = (code / "a/train.py").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (code.stat().st_uid, 0o755)
