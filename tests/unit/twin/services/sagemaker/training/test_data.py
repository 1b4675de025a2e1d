"""Data on its way out of a job: checkpoints whole or not at all, archives equal byte by byte."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.unit.twin.services.sagemaker.doubles import FolderObjects
from tests.unit.twin.services.sagemaker.training.records import job
from trainworks.twin.job_files import JobFiles
from trainworks.twin.services.sagemaker.training.checkpoints import CheckpointSync
from trainworks.twin.services.sagemaker.training.failures import JobFailedError
from trainworks.twin.services.sagemaker.training.folders import JobFolder
from trainworks.twin.services.sagemaker.training.outputs import merged, pack, upload_outputs
from trainworks.twin.services.sagemaker.training.transfer import TransferCancelledError

CHECKPOINTS = {"CheckpointConfig": {"S3Uri": "s3://models/checkpoints/job-1"}}
EXACT = {"CheckpointConfig": {"S3Uri": "s3://models/checkpoints/job-1/"}}


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "job")
    for name in ("checkpoints", "model", "output/data"):
        (made.ml_root(0, "algo-1") / name).mkdir(parents=True)
    return made


def test_a_file_is_uploaded_once_it_is_settled(objects: FolderObjects, folder: JobFolder) -> None:
    sync = CheckpointSync(job(CHECKPOINTS), folder, objects)
    file = folder.ml_root(0, "algo-1") / "checkpoints" / "sub" / "a"
    file.parent.mkdir()
    file.write_text("half")
    assert sync.scan() == 0, "it may still be written to"
    assert sync.scan() == 1
    assert sync.scan() == 0, "it did not change"
    file.write_text("more than half")
    assert sync.scan() == 0
    assert sync.scan(final=True) == 1
    assert objects.body("models", "checkpoints/job-1/sub/a") == b"more than half"


def test_a_file_that_changes_while_it_is_read_is_not_uploaded(folder: JobFolder, tmp_path: Path) -> None:
    file = folder.ml_root(0, "algo-1") / "checkpoints" / "a"
    file.write_text("first")

    class Racing(FolderObjects):
        def put_object(self, bucket, key, body, caller, *, kms_key_id=None):  # type: ignore[no-untyped-def]
            file.write_text("written to meanwhile")
            return super().put_object(bucket, key, body, caller)

    objects = Racing(tmp_path / "racing")
    (tmp_path / "racing").mkdir()
    assert CheckpointSync(job(CHECKPOINTS), folder, objects).scan(final=True) == 0
    assert objects.keys("models") == []


def test_links_out_of_the_folder_are_not_followed(objects: FolderObjects, folder: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("secret")
    checkpoints = folder.ml_root(0, "algo-1") / "checkpoints"
    (checkpoints / "file").symlink_to(tmp_path / "private")
    (checkpoints / "folder").symlink_to(tmp_path)
    assert CheckpointSync(job(CHECKPOINTS), folder, objects).scan(final=True) == 0


@pytest.mark.parametrize("replaced", ["model", "output"])
def test_a_link_in_the_place_of_a_folder_is_a_failure(
    objects: FolderObjects, folder: JobFolder, tmp_path: Path, replaced: str
) -> None:
    (tmp_path / "host" / "data").mkdir(parents=True)
    (tmp_path / "host" / "data" / "private").write_text("secret")
    root = folder.ml_root(0, "algo-1")
    shutil.rmtree(root / replaced)
    (root / replaced).symlink_to(tmp_path / "host")
    with pytest.raises(JobFailedError, match="a symbolic link is in the place of a folder"):
        upload_outputs(job(), folder, objects)
    assert objects.keys("models") == []


def test_what_is_restored_is_not_uploaded_again(objects: FolderObjects, folder: JobFolder) -> None:
    objects.put("models", "checkpoints/job-1/deep/a", b"1")
    objects.put("models", "checkpoints/job-10/b", b"2")
    sync = CheckpointSync(job(EXACT), folder, objects)
    assert sync.restore() == 1
    restored = folder.ml_root(0, "algo-1") / "checkpoints" / "deep" / "a"
    assert restored.read_bytes() == b"1"
    assert not restored.samefile(objects.get_object("models", "checkpoints/job-1/deep/a", None).path)
    assert sync.scan(final=True) == 0


def test_a_new_server_uploads_only_what_is_missing(objects: FolderObjects, folder: JobFolder) -> None:
    checkpoints = folder.ml_root(0, "algo-1") / "checkpoints"
    (checkpoints / "a").write_text("1")
    CheckpointSync(job(CHECKPOINTS), folder, objects).scan(final=True)
    (checkpoints / "b").write_text("2")
    again = CheckpointSync(job(CHECKPOINTS), folder, objects)
    again.resume()
    assert again.scan(final=True) == 1


def test_equal_content_gives_an_equal_archive(tmp_path: Path) -> None:
    packed = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "b").write_text("b")
        (folder / "a").write_text("a")
        (folder / "link").symlink_to("a")
        os.mkfifo(folder / "pipe")
        os.utime(folder / "a", (number, number))
        with JobFiles(tmp_path) as files:
            pack(merged([files], str(number)), tmp_path / f"{number}.tar.gz")
        packed.append((tmp_path / f"{number}.tar.gz").read_bytes())
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(packed[0])) as tar:
        assert tar.getnames() == ["a", "link", "sub", "sub/b"]
        assert tar.getmember("link").linkname == "a"


def test_an_upload_that_was_cut_off_is_not_done_twice(objects: FolderObjects, folder: JobFolder) -> None:
    (folder.ml_root(0, "algo-1") / "model" / "m").write_text("m")
    uri = "s3://models/output/job-1/output/model.tar.gz"
    assert upload_outputs(job(), folder, objects) == uri
    assert upload_outputs(job(), folder, objects) == uri
    assert objects.puts == ["models/output/job-1/output/model.tar.gz"]


def test_files_without_compression(objects: FolderObjects, folder: JobFolder) -> None:
    (folder.ml_root(0, "algo-1") / "model" / "m").write_text("m")
    (folder.ml_root(0, "algo-1") / "output" / "data" / "d").write_text("d")
    plain = job({"OutputDataConfig": {"S3OutputPath": "s3://models/output/", "CompressionType": "NONE"}})
    assert upload_outputs(plain, folder, objects) == "s3://models/output/job-1/output/model/"
    assert objects.keys("models") == ["output/job-1/output/data/d", "output/job-1/output/model/m"]


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_a_sparse_file_larger_than_the_volume_is_refused(
    objects: FolderObjects, folder: JobFolder, compression: str
) -> None:
    root = folder.ml_root(0, "algo-1")
    for path in ("model/weights", "checkpoints/weights"):
        with (root / path).open("wb") as file:
            file.truncate(3 << 40)
    asked = job({"OutputDataConfig": {"S3OutputPath": "s3://models/output/", "CompressionType": compression}})
    with pytest.raises(JobFailedError, match=rf"have {3 << 40} bytes, and the volume of an instance holds \d+ GB"):
        upload_outputs(asked, folder, objects)
    with pytest.raises(JobFailedError, match="in /opt/ml/checkpoints have"):
        CheckpointSync(job(CHECKPOINTS), folder, objects).scan(final=True)
    assert objects.keys("models") == []


def test_a_file_that_grows_without_end_is_read_no_further_than_it_was(folder: JobFolder, tmp_path: Path) -> None:
    file = folder.ml_root(0, "algo-1") / "checkpoints" / "a"
    file.write_text("first")

    class Growing(FolderObjects):
        def put_object(self, bucket, key, body, caller, *, kms_key_id=None):  # type: ignore[no-untyped-def]
            read = 0
            while chunk := body.read(1 << 20):
                read += len(chunk)
                assert read <= len("first")
                with file.open("ab") as more:
                    more.write(b"x" * (2 << 20))
            raise AssertionError("the change was not noticed")

    assert CheckpointSync(job(CHECKPOINTS), folder, Growing(tmp_path / "growing")).scan(final=True) == 0


@pytest.mark.parametrize(
    ("name", "why"), [(b"\xff\xfe", "its name is not UTF-8"), (b"x" * 250 + b"/" + b"y" * 250, "its key would have")]
)
def test_a_name_that_s3_cannot_have_fails_the_job_and_says_which(
    objects: FolderObjects, folder: JobFolder, name: bytes, why: str
) -> None:
    path = folder.ml_root(0, "algo-1") / "checkpoints" / os.fsdecode(b"/".join([name] * 3))
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(JobFailedError, match=why):
        CheckpointSync(job(CHECKPOINTS), folder, objects).scan(final=True)


def test_an_upload_is_cancelled_between_two_reads(objects: FolderObjects, folder: JobFolder) -> None:
    with (folder.ml_root(0, "algo-1") / "model" / "m").open("wb") as file:
        file.truncate(5 << 30)
    looks = iter([False] * 5)
    with pytest.raises(TransferCancelledError):
        upload_outputs(job(), folder, objects, lambda: next(looks, True))
    assert objects.keys("models") == []
    assert not folder.uploads.exists()


def test_no_model_is_no_artefact(objects: FolderObjects, folder: JobFolder) -> None:
    assert upload_outputs(job(), folder, objects) is None
    assert objects.keys("models") == []


def test_a_full_disk_is_a_failure_with_a_reason(folder: JobFolder, tmp_path: Path) -> None:
    class Full(FolderObjects):
        def put_object(self, bucket, key, body, caller, *, kms_key_id=None):  # type: ignore[no-untyped-def]
            raise OSError(28, "No space left on device")

    (folder.ml_root(0, "algo-1") / "model" / "m").write_text("m")
    with pytest.raises(JobFailedError, match="no space left on device"):
        upload_outputs(job(), folder, Full(tmp_path / "full"))


def test_a_prefix_without_a_slash_brings_siblings_too_and_says_so(objects: FolderObjects, folder: JobFolder) -> None:
    for key in ("checkpoints/job-1/own", "checkpoints/job-10/deep/foreign"):
        objects.put("models", key, b"1")
    sync = CheckpointSync(job(CHECKPOINTS), folder, objects)
    assert sync.restore() == 2
    saved = folder.ml_root(0, "algo-1") / "checkpoints"
    assert (saved / "own").is_file()
    assert (saved / "job-10" / "deep" / "foreign").is_file()
    assert "brought 1 files of other folders" in sync.note
    assert sync.scan(final=True) == 0
    exact = CheckpointSync(job(EXACT), folder, objects)
    assert (exact.restore(), exact.note) == (1, "")
