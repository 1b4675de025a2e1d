"""Packing is deterministic; what cannot be packed is refused."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainworks.deploy.assets import write_zip


def _packed(folder: Path) -> bytes:
    target = io.BytesIO()
    write_zip(folder, target)
    return target.getvalue()


def test_equal_content_gives_equal_bytes_whatever_the_times_and_order(tmp_path: Path) -> None:
    for name, files in (("one", ["b.py", "a.py"]), ("two", ["a.py", "b.py"])):
        for index, file in enumerate(files):
            path = tmp_path / name / "package" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"print({file!r})")
            os.utime(path, (1_000_000 * (index + 1), 1_000_000 * (index + 1)))
    assert _packed(tmp_path / "one") == _packed(tmp_path / "two")


def test_the_execute_bit_is_content(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    plain = _packed(tmp_path)
    script.chmod(0o755)
    assert _packed(tmp_path) != plain


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "é", "x y"]), st.binary(max_size=200), max_size=5))
def test_what_is_packed_is_what_was_there(files: dict[str, bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        with zipfile.ZipFile(io.BytesIO(_packed(Path(scratch)))) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == files
