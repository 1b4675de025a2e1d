"""The source directory of script mode: `sagemaker_submit_directory`, unpacked to /opt/ml/code."""

from __future__ import annotations

from pathlib import Path

from trainworks.archives import ArchiveError, UnpackLimits, unpack_tar
from trainworks.twin.ports import ApiError, ObjectStore
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.training.failures import JobFailedError, client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.training.folders import JobFolder
from trainworks.twin.services.sagemaker.training.records import TrainingJob

_LIMITS = UnpackLimits(total_bytes=10 * 1024**3)
_CHANNELS = "/opt/ml/input/data/"


def unpack_source(job: TrainingJob, submit_directory: str, code: Path, folder: JobFolder, objects: ObjectStore) -> None:
    """Unpack the archive `submit_directory` (`s3://...` or a file of a channel) into `code`.

    Raises `JobFailedError` for an archive that is missing, forbidden, damaged, or that leads out of its folder.
    """
    if submit_directory == "/opt/ml/code":
        return
    try:
        archive = _archive(job, submit_directory, folder, objects)
        with archive.open("rb") as file:
            unpack_tar(file, code, _LIMITS)
    except ApiError as error:
        raise s3_failure(f"The source directory {submit_directory} cannot be read", error) from error
    except ArchiveError as error:
        raise client_error(f"The source directory {submit_directory} cannot be unpacked: {error}") from error
    except OSError as error:
        raise disk_failure(f"The source directory {submit_directory} cannot be unpacked", error) from error


def is_in_channel(submit_directory: str) -> bool:
    """Whether the archive comes with the inputs."""
    return submit_directory.startswith(_CHANNELS)


def _archive(job: TrainingJob, submit_directory: str, folder: JobFolder, objects: ObjectStore) -> Path:
    if submit_directory.startswith("s3://"):
        if job.request.get("EnableNetworkIsolation"):
            raise JobFailedError(
                f"AlgorithmError: the toolkit in the container cannot download {submit_directory}: "
                "EnableNetworkIsolation leaves it no network and no credentials. Give the code as an input channel, "
                f"and sagemaker_submit_directory as {_CHANNELS}CHANNEL/sourcedir.tar.gz, exit code: 1"
            )
        bucket, key = split_s3_uri(submit_directory)
        return objects.get_object(bucket, key, job.role).path
    channel, _, relative = submit_directory.removeprefix(_CHANNELS).partition("/")
    path = folder.input(job.attempt) / channel / relative
    is_inside = ".." not in Path(relative).parts and path.is_file()
    if not is_in_channel(submit_directory) or not is_inside:
        raise client_error(
            f"sagemaker_submit_directory '{submit_directory}' is neither s3://bucket/key.tar.gz nor a file of a channel"
        )
    return path
