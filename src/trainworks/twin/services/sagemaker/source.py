"""The source directory of script mode: `sagemaker_submit_directory`, unpacked to /opt/ml/code."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from trainworks.twin.ports import ApiError, ObjectStore
from trainworks.twin.services.sagemaker.failures import client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.folders import JobFolder
from trainworks.twin.services.sagemaker.records import TrainingJob
from trainworks.twin.services.sagemaker.requests import split_s3_uri

_MOST_UNPACKED_BYTES = 10 * 1024**3
_CHANNELS = "/opt/ml/input/data/"


def unpack_source(job: TrainingJob, submit_directory: str, code: Path, folder: JobFolder, objects: ObjectStore) -> None:
    """Unpack the archive `submit_directory` (`s3://...` or a file of a channel) into `code`.

    Raises `JobFailedError` for an archive that is missing, forbidden, damaged, or that leads out of its folder.
    """
    if submit_directory == "/opt/ml/code":
        return
    try:
        archive = _archive(job, submit_directory, folder, objects)
        extract(archive, code)
    except ApiError as error:
        raise s3_failure(f"The source directory {submit_directory} cannot be read", error) from error
    except (tarfile.TarError, EOFError) as error:
        raise client_error(f"The source directory {submit_directory} is not a tar.gz archive: {error}") from error
    except OSError as error:
        raise disk_failure(f"The source directory {submit_directory} cannot be unpacked", error) from error


def _archive(job: TrainingJob, submit_directory: str, folder: JobFolder, objects: ObjectStore) -> Path:
    if submit_directory.startswith("s3://"):
        bucket, key = split_s3_uri(submit_directory)
        return objects.get_object(bucket, key, job.role).path
    channel, _, relative = submit_directory.removeprefix(_CHANNELS).partition("/")
    path = folder.input(job.attempt) / channel / relative
    is_inside = ".." not in Path(relative).parts and path.is_file()
    if not submit_directory.startswith(_CHANNELS) or not is_inside:
        raise client_error(
            f"sagemaker_submit_directory '{submit_directory}' is neither s3://bucket/key.tar.gz nor a file of a channel"
        )
    return path


def extract(archive: Path, target: Path) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) below `target`: no absolute paths, no `..`, no devices, no link out of it.

    The rules are checked here and not left to tarfile, whose filters came with Python 3.11.4: Debian 12 has 3.11.2.

    Raises `tarfile.TarError`, naming the member, for one that is not allowed.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "r:*") as tar:
        members = tar.getmembers()
        if sum(member.size for member in members) > _MOST_UNPACKED_BYTES:
            raise tarfile.TarError(f"it unpacks to more than {_MOST_UNPACKED_BYTES} bytes")
        free = shutil.disk_usage(target).free
        if sum(member.size for member in members) > free:
            raise tarfile.TarError(f"it unpacks to more than the {free} bytes that are free")
        _check_members(members)
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # a Python without filters takes no notice
        tar.extractall(target, [_owned_by_nobody_else(member) for member in members])  # noqa: S202  (checked above)


def _check_members(members: list[tarfile.TarInfo]) -> None:
    """Refuse what could be written outside of the folder, without asking the disk.

    No member lies below a link, so every folder on its way is a real one. A link's target begins with the `..` that
    stay inside and has none after that, so it can only go down, through links for which the same holds.
    """
    links = {_parts(member.name) for member in members if member.issym()}
    files = {_parts(member.name) for member in members if member.isreg()}
    for member in members:
        parts = _parts(member.name)
        if member.name.startswith("/") or ".." in parts:
            raise tarfile.TarError(f"{member.name} leads out of its folder")
        if any(parts[:depth] in links for depth in range(1, len(parts))):
            raise tarfile.TarError(f"{member.name} is below a link")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise tarfile.TarError(f"{member.name} is neither a file, a folder nor a link")
        if member.issym() and not _stays_inside(member.linkname, depth=len(parts) - 1):
            raise tarfile.TarError(f"{member.name} links to {member.linkname}, which is not inside")
        if member.islnk() and (_parts(member.linkname) not in files or _parts(member.linkname) in links):
            raise tarfile.TarError(f"{member.name} links to {member.linkname}, which is no file of the archive")


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _stays_inside(target: str, *, depth: int) -> bool:
    parts = _parts(target)
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return not target.startswith("/") and ups <= depth and ".." not in parts[ups:]


def _owned_by_nobody_else(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """What the `data` filter does to owner and mode: the job's files are the server's, and nothing is setuid."""
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    member.mode = member.mode & 0o755 | (0o700 if member.isdir() else 0o600)
    return member
