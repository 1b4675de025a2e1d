from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from trainworks.whole_file import write_whole


def test_a_file_keeps_its_mode_its_link_and_its_ends_of_lines(tmp_path: Path) -> None:
    file, link = tmp_path / "real" / "a.toml", tmp_path / "a.toml"
    file.parent.mkdir()
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, "é\r\nb\n")
    assert link.is_symlink()
    assert file.read_bytes() == "é\r\nb\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [each.name for each in file.parent.iterdir()] == ["a.toml"]


def test_what_cannot_be_written_leaves_what_was(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "a\ud800")
    assert file.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    with pytest.raises(OSError, match=str(tmp_path / "none" / "a")):
        write_whole(tmp_path / "none" / "a", "x")


def test_a_new_file_has_the_mode_that_is_asked_for_or_that_of_the_process(tmp_path: Path) -> None:
    write_whole(tmp_path / "private", "x", mode=0o600)
    write_whole(tmp_path / "new", "x")
    descriptor = os.open(tmp_path / "other", os.O_CREAT, 0o666)
    os.close(descriptor)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "new", "other")]
    assert modes[0] == 0o600
    assert modes[1] == modes[2]
