"""Environments of runtime images: safe to unpack, whole or absent, honest when they cannot be made."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from trainworks.jobs.source import package_folder
from trainworks.twin.compute.builder import Builder
from trainworks.twin.compute.environments import PythonEnvironments, unpack
from trainworks.twin.ports import ApiError


def digest_of(layer: bytes) -> str:
    return f"sha256:{hashlib.sha256(layer).hexdigest()}"


def layer_with(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


def wheel(folder: Path, name: str) -> None:
    """A wheel with one module, made by hand, so that no index is needed."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "VALUE = 42\n")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def environments(folder: Path) -> PythonEnvironments:
    return PythonEnvironments(folder / "images", Path(sys.executable), Builder(folder))


def test_requirements_are_installed_and_nothing_else_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "wheels").mkdir(parents=True)
    wheel(source / "wheels", "tinymodule")
    (source / "requirements.txt").write_text("--no-index --find-links wheels\ntinymodule\n")
    layer = package_folder(source)
    environment = environments(tmp_path).ready(digest_of(layer), lambda: layer)
    code = "import importlib.util, tinymodule; print(tinymodule.VALUE, importlib.util.find_spec('boto3'))"
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout == "42 None\n"


def test_requirements_that_cannot_be_installed_say_so_and_leave_nothing_ready(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("--no-index --find-links .\nno-such-package-anywhere\n")
    layer = package_folder(source)
    for _ in range(2):
        with pytest.raises(ApiError, match="no-such-package-anywhere"):
            environments(tmp_path).ready(digest_of(layer), lambda: layer)


def test_a_half_built_rest_is_built_anew(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "train").write_text("x")
    layer = package_folder(source)
    rest = tmp_path / "images" / digest_of(layer).removeprefix("sha256:") / "root"
    rest.mkdir(parents=True)
    (rest / "left").write_text("over")
    environment = environments(tmp_path).ready(digest_of(layer), lambda: layer)
    assert sorted(path.name for path in environment.root.iterdir()) == ["train"]
    # So is one whose Python has gone from the machine.
    environment.python.unlink()
    environment.python.symlink_to(tmp_path / "a-python-that-was-removed")
    assert environments(tmp_path).ready(digest_of(layer), lambda: layer).python.exists()


def test_many_at_once_build_it_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "train").write_text("x")
    layer = package_folder(source)
    fetched = []

    def fetch() -> bytes:
        fetched.append(1)
        return layer

    threads = [threading.Thread(target=lambda: environments(tmp_path).ready(digest_of(layer), fetch)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1


def test_a_layer_that_is_not_its_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="damaged"):
        environments(tmp_path).ready("sha256:" + "0" * 64, lambda: b"something else")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ApiError, match="leads out of its folder"):
        unpack(layer_with(tarfile.TarInfo(name), b"x"), tmp_path / "root")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_anything_but_files_and_folders_is_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("member")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(ApiError, match=r"is a link|is neither a file"):
        unpack(layer_with(member), tmp_path / "root")


@pytest.mark.parametrize(
    "layer", [b"", b"not gzip", gzip.compress(b"not tar" * 200)], ids=["nothing", "no gzip", "gzip of no tar"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, layer: bytes) -> None:
    with pytest.raises(ApiError, match="cannot be unpacked"):
        unpack(layer, tmp_path / "root")
