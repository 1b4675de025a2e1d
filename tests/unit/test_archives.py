"""Unpacking archives: nothing leads out, nothing fills memory, disk or time, and every refusal names its reason."""

from __future__ import annotations

import io
import lzma
import resource
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.archives import ArchiveError, Links, UnpackLimits, unpack_tar, unpack_zips

Member = tuple[str, bytes, str]  # name, type, target of a link
FILE, FOLDER, LINK, HARD_LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
LIMITS = UnpackLimits(total_bytes=1 << 30)


def archive(*members: Member, mode: int = 0o644, compression: str = "gz") -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{compression}") as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, mode
            content = b"content" if kind == FILE else b""
            member.size = len(content)
            member.uid = member.gid = 4242
            tar.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed


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
        pytest.param([("link/file.py", FILE, ""), ("link", LINK, "a")], id="link in the place of a folder"),
        pytest.param([("link", HARD_LINK, "/etc/hostname")], id="hard link to an absolute path"),
        pytest.param([("a/b/l", LINK, "../../x"), ("l", HARD_LINK, "a/b/l")], id="hard link to a link"),
        pytest.param([("device", tarfile.CHRTYPE, "")], id="device"),
        pytest.param([("pipe", tarfile.FIFOTYPE, "")], id="pipe"),
        pytest.param([("a", FILE, ""), ("a/b", FILE, "")], id="file as a folder"),
        pytest.param([("x" * 300, FILE, "")], id="long name"),
        pytest.param([("x/" * 600 + "y", FILE, "")], id="long path"),
    ],
)
def test_what_leads_out_or_cannot_be_is_refused(members: list[Member], tmp_path: Path) -> None:
    target = tmp_path / "outer" / "code"
    with pytest.raises(ArchiveError, match=members[-1][0][:20] if members[-1][0][0] != "/" else "/absolute.py"):
        unpack_tar(archive(*members), target, LIMITS)
    assert {path.name for path in tmp_path.iterdir()} == {"outer"}
    assert {path.name for path in (tmp_path / "outer").iterdir()} == {"code"}


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_links_inside_are_kept_and_files_are_the_servers(compression: str, tmp_path: Path) -> None:
    packed = archive(
        ("a", FOLDER, ""),
        ("a/train.py", FILE, ""),
        ("a/link", LINK, "../b/data"),
        ("b/data", FILE, ""),
        ("same.py", HARD_LINK, "a/train.py"),
        ("./a/train.py", FILE, ""),
        mode=0o6777,
        compression=compression,
    )
    code = tmp_path / "code"
    unpack_tar(packed, code, LIMITS)
    assert (code / "a/link").read_bytes() == (code / "same.py").read_bytes() == b"content"
    status = (code / "a/train.py").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (code.stat().st_uid, 0o755)


def _header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("header")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


class _Zeros(io.RawIOBase):
    """`head`, then zeros without end."""

    def __init__(self, head: bytes) -> None:
        super().__init__()
        self._head = io.BytesIO(head)

    def read(self, size: int = -1) -> bytes:
        return self._head.read(size) or bytes(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._head.seek(offset, whence)


def _sparse_map() -> bytes:
    """A PAX sparse file whose map has more entries than any memory."""
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    return (
        _header(tarfile.XHDTYPE, len(records)) + records.ljust(512, b"\0") + _header(FILE, 1 << 40) + b"9" * 18 + b"\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(_header(tarfile.XHDTYPE, 1_200 << 20), id="PAX header"),
        pytest.param(_header(tarfile.XGLTYPE, 1_200 << 20), id="global PAX header"),
        pytest.param(_header(tarfile.GNUTYPE_LONGNAME, 1_200 << 20), id="long name"),
        pytest.param(_header(tarfile.GNUTYPE_LONGLINK, 1_200 << 20), id="long link"),
        pytest.param(_header(tarfile.XGLTYPE, 0) * 2000, id="headers without a member"),
        pytest.param(_header(FILE, 1 << 50), id="large file"),
        pytest.param(_header(FOLDER, 1 << 50) + _header(FILE, 1), id="large folder"),
        pytest.param(_sparse_map(), id="sparse map"),
    ],
)
def test_headers_and_sizes_are_bounded_before_they_are_read(head: bytes, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArchiveError):
        unpack_tar(_Zeros(head), tmp_path / "code", UnpackLimits(total_bytes=64 << 20))  # type: ignore[arg-type]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB"


def test_number_time_and_memory_are_bounded(tmp_path: Path) -> None:
    many = archive(*((f"{number}", FILE, "") for number in range(11)))
    with pytest.raises(ArchiveError, match="over 10 members"):
        unpack_tar(many, tmp_path / "many", UnpackLimits(total_bytes=1 << 20, members=10))
    many.seek(0)
    with pytest.raises(ArchiveError, match="it takes over 0 s"):
        unpack_tar(many, tmp_path / "slow", UnpackLimits(total_bytes=1 << 20, seconds=0))
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    greedy = io.BytesIO(lzma.compress(b"x", lzma.FORMAT_XZ, filters=filters)[:-4])
    with pytest.raises(ArchiveError):
        unpack_tar(greedy, tmp_path / "greedy", LIMITS)


def test_a_zip_is_held_to_the_same(tmp_path: Path) -> None:
    def zipped(write: Callable[[zipfile.ZipFile], object]) -> io.BytesIO:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            write(file)
        packed.seek(0)
        return packed

    first = zipped(lambda file: file.writestr("pkg/app.py", "first"))
    unpack_zips([first, zipped(lambda file: file.writestr("pkg\\app.py", "content"))], tmp_path / "good", LIMITS)
    assert (tmp_path / "good/pkg/app.py").read_text() == "content"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    anywhere = UnpackLimits(total_bytes=1 << 20, links=Links.ANYWHERE)
    unpack_zips([zipped(lambda file: file.writestr(link, "/opt/lib"))], tmp_path / "linked", anywhere)
    assert str((tmp_path / "linked" / "link").readlink()) == "/opt/lib"
    for write in (
        lambda file: file.writestr("../up.py", "x"),
        lambda file: file.writestr(link, "/etc/passwd"),
        lambda file: file.writestr("bomb", bytes(2 << 20)),
        lambda file: [file.writestr(str(number), "") for number in range(11)],
    ):
        with pytest.raises(ArchiveError):
            unpack_zips([zipped(write)], tmp_path / "bad", UnpackLimits(total_bytes=1 << 20, members=10))
    with pytest.raises(ArchiveError):
        unpack_zips([io.BytesIO(b"no zip")], tmp_path / "bad", LIMITS)


@given(st.binary(max_size=2000), st.integers(0, 1500), st.sampled_from(["", "gz", "bz2", "xz"]))
def test_damage_is_an_archive_error_and_nothing_else(noise: bytes, at: int, compression: str) -> None:

    packed = bytearray(
        archive(("a", FILE, ""), ("b/c", FILE, ""), ("d", LINK, "a"), compression=compression).getvalue()
    )
    packed[at : at + len(noise)] = noise
    with tempfile.TemporaryDirectory() as name:
        for unpack in (unpack_tar, lambda file, *rest: unpack_zips([file], *rest)):
            try:
                unpack(io.BytesIO(bytes(packed)), Path(name, "code"), UnpackLimits(total_bytes=1 << 20))
            except ArchiveError:
                continue
        assert {path.name for path in Path(name).iterdir()} <= {"code"}
