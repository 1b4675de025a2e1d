"""Code on its way into a job."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainworks.errors import RequestError
from trainworks.jobs.source import archive, package_folder, package_source


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_a_script_alone_is_packaged_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "secret.txt").write_text("no")
    bundle = package_source(tmp_path / "train.py")
    assert (bundle.entry, names(bundle.data)) == ("train.py", ["train.py"])


def test_a_folder_is_packaged_without_caches_and_environments(tmp_path: Path) -> None:
    for name in (
        "src/train.py",
        "src/lib/a.py",
        "src/.git/config",
        "src/__pycache__/a.pyc",
        "src/.venv/x",
        "src/b.pyc",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    bundle = package_source(tmp_path / "src" / "lib" / "a.py", tmp_path / "src")
    assert bundle.entry == "lib/a.py"
    assert names(bundle.data) == ["lib/a.py", "train.py"]


def test_equal_files_are_equal_archives_whatever_their_times(tmp_path: Path) -> None:
    packed = []
    for folder, moment in (("one", 1), ("two", 10**9)):
        (tmp_path / folder).mkdir()
        for name in ("b.py", "a.py"):
            (tmp_path / folder / name).write_text(name)
            os.utime(tmp_path / folder / name, (moment, moment))
        packed.append(package_folder(tmp_path / folder))
    assert packed[0] == packed[1]


def test_only_the_execute_bit_is_kept(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("#!/bin/sh\n")
    (tmp_path / "train").chmod(0o700)
    (tmp_path / "data").write_text("x")
    (tmp_path / "data").chmod(0o600)
    with tarfile.open(fileobj=io.BytesIO(package_folder(tmp_path))) as tar:
        assert {member.name: member.mode for member in tar} == {"train": 0o755, "data": 0o644}


@pytest.mark.parametrize("name", ["missing.py", "."])
def test_a_script_that_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="script"):
        package_source(tmp_path / name)


def test_a_script_outside_its_source_dir_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "other.py").write_text("")
    with pytest.raises(RequestError, match="is not in source_dir"):
        package_source(tmp_path / "other.py", tmp_path / "src")


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "inner"])
def test_a_link_out_of_the_folder_or_to_a_folder_is_refused(tmp_path: Path, target: str) -> None:
    source = tmp_path / "src"
    (source / "inner").mkdir(parents=True)
    (source / "train.py").write_text("")
    (source / "link").symlink_to(target)
    with pytest.raises(RequestError, match="is a link"):
        package_source(source / "train.py", source)


def test_a_link_that_leads_to_no_file_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "lock").symlink_to("nothing")
    assert package_source(tmp_path / "train.py", tmp_path).files == 1


@settings(max_examples=25)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary(max_size=200), max_size=6))
def test_an_archive_holds_exactly_what_went_in(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    given_files = []
    for number, (name, content) in enumerate(sorted(files.items())):
        (folder / str(number)).write_bytes(content)
        given_files.append((name, folder / str(number)))
    with tarfile.open(fileobj=io.BytesIO(archive(given_files))) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert found == files
