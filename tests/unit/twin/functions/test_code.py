"""Archives of functions and layers: unpacked once, a later layer over an earlier one, nothing outside the folder."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from trainworks.twin.functions.code import CodeStore
from trainworks.twin.ports import ApiError


def archive(files: dict[str, str], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
        for name, target in (links or {}).items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            opened.writestr(member, target)
    return buffer.getvalue()


def test_the_same_archive_is_unpacked_once(tmp_path: Path) -> None:
    store = CodeStore(tmp_path / "code")
    first = store.code(archive({"index.py": "x", "package/module.py": "y"}))
    assert (first / "package" / "module.py").read_text() == "y"
    made = first.stat().st_mtime_ns
    assert store.code(archive({"index.py": "x", "package/module.py": "y"})).stat().st_mtime_ns == made
    assert store.code(archive({"index.py": "z"})) != first


def test_a_later_layer_lies_over_an_earlier_one(tmp_path: Path) -> None:
    one = archive({"a/kept": "1", "a/replaced": "1"}, {"link": "a/kept"})
    two = archive({"a/replaced": "2", "link": "2"})
    place = CodeStore(tmp_path / "code").layers((one, two))
    found = {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}
    assert found == {"a/kept": "1", "a/replaced": "2", "link": "2"}
    assert not (place / "link").is_symlink()


@pytest.mark.parametrize(
    "hostile",
    [
        archive({"../outside": "x"}),
        archive({"/outside": "x"}),
        b"no archive",
        archive({"index.py": "x"})[:-30],
    ],
    ids=["up", "absolute", "nothing", "cut"],
)
def test_what_leads_out_or_is_damaged_is_refused_and_leaves_no_folder(tmp_path: Path, hostile: bytes) -> None:
    store = CodeStore(tmp_path / "code")
    for _ in range(2):
        with pytest.raises(ApiError, match="InvalidZipFileException"):
            store.code(hostile)
    assert [path for path in tmp_path.iterdir() if path.name != "code"] == []
    assert [path for path in (tmp_path / "code").iterdir() if path.suffix != ".unpacking"] == []


def test_what_nobody_uses_any_more_is_deleted(tmp_path: Path) -> None:
    now = 0.0
    store = CodeStore(tmp_path / "code", lambda: now)
    places = []
    for number in range(20):
        now = float(number)
        places.append(store.code(archive({"index.py": str(number)})))
    store.prune(())
    assert all(place.exists() for place in places)
    now = 100.0
    store.prune({places[0]})
    assert [place.exists() for place in places] == [True, *[False] * 4, *[True] * 15]
    assert store.code(archive({"index.py": "1"})) == places[1]
    assert (places[1] / "index.py").read_text() == "1"
