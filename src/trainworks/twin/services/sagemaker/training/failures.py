"""Why a job failed, in SageMaker's words.

ClientError: ...            the request's fault: data, permissions, code archive
AlgorithmError: ..., exit code: N     the script's fault; what is in /opt/ml/output/failure is part of it
InternalServerError: ...    the platform's fault
"""

from __future__ import annotations

import errno
from pathlib import Path

from trainworks.twin.job_files import JobFiles
from trainworks.twin.ports import ApiError
from trainworks.twin.services.sagemaker.failure_reasons import MAX_REASON, FailureReasonError, end_of, log_tail
from trainworks.twin.services.sagemaker.training.records import Task, TrainingJob

_FAILURE_BYTES = 4096


class JobFailedError(FailureReasonError):
    """The job cannot go on; `reason` is its FailureReason."""


def client_error(message: str) -> JobFailedError:
    return JobFailedError(f"ClientError: {message}")


def s3_failure(doing: str, error: ApiError) -> JobFailedError:
    """A refused access to S3: who, what and on which resource are in the error's own message."""
    return client_error(f"{doing}: {error.code}: {error.message}")


def out_of_reach() -> JobFailedError:
    """S3 cannot be reached from the job's subnets, in SageMaker's own words."""
    return client_error(
        "Data download failed:Please ensure that the subnet's route table has a route to an S3 VPC endpoint or a NAT "
        "device, and both the security groups and the subnet's network ACL allow outbound traffic to S3."
    )


def disk_failure(doing: str, error: OSError) -> JobFailedError:
    """A failed file operation; a full disk is said plainly."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return client_error(f"{doing}: no space left on device ({error.filename or 'the disk of the twin'})")
    return client_error(f"{doing}: {error.strerror or error}: {error.filename or ''}")


def requirements_failure(error: ApiError) -> JobFailedError:
    """As the launcher of a script in the job reports it (`launch.py`), whose exit code is 1."""
    beginning, end = "AlgorithmError: InstallRequirementsError: ", ", exit code: 1"
    return JobFailedError(beginning + error.message[: MAX_REASON - len(beginning) - len(end)] + end)


def task_failure(job: TrainingJob, task: Task, ml_root: Path, log: Path) -> str:
    """The FailureReason for a task that ended badly."""
    if task.reason.startswith("cannot start"):
        return _cut(f"ClientError: the training container of {task.host} {task.reason}")
    if task.reason == "out of memory":
        return _cut(
            "ClientError: Please use an instance type with more memory, or reduce the size of training data processed "
            f"on an instance ({job.instance_type}, {task.host}), exit code: {task.exit_code}"
        )
    if task.reason == "disk full":
        return _cut(f"ClientError: no space left on device on {task.host}, exit code: {task.exit_code}")
    if task.reason.startswith("too many processes"):
        return _cut(f"ClientError: {task.reason} on {task.host}, exit code: {task.exit_code}")
    code = task.exit_code if task.exit_code is not None else "unknown"
    suffix = f", exit code: {code}"
    if job.instance_count > 1:
        suffix += f" ({task.host})"
    detail = _failure_file(ml_root) or _script_error(job, log, task) or ""
    prefix = "AlgorithmError: "
    return prefix + detail[: MAX_REASON - len(prefix) - len(suffix)] + suffix


def _failure_file(ml_root: Path) -> str:
    """What the algorithm wrote to /opt/ml/output/failure, its beginning."""
    try:
        with JobFiles(ml_root) as files, open(files.open_file("output/failure"), "rb") as file:  # noqa: PTH123
            return file.read(_FAILURE_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _script_error(job: TrainingJob, log: Path, task: Task) -> str:
    """The end of the log as the framework images report it: the last traceback, or the last lines."""
    tail = log_tail(log, own_bytes(log))
    if not tail:
        return ""
    program = job.request.get("HyperParameters", {}).get("sagemaker_program", "").strip('"')
    heading = "ExecuteUserScriptError:\n" if program else ""
    command = f'\nCommand "python {program}"' if program else ""
    room = MAX_REASON - len(heading) - len(command) - 120
    exit_code = f"ExitCode {task.exit_code}\n" if program else ""
    return f'{heading}{exit_code}ErrorMessage "{_error_message(tail, room)}"{command}'


def _error_message(tail: str, room: int) -> str:
    """The last traceback of a log; of a long one its beginning is left out, for the end says what went wrong."""
    at = tail.rfind("Traceback (most recent call last)")
    text = tail[at:].strip() if at >= 0 else "\n".join(tail.strip().splitlines()[-5:])
    return end_of(text, room)


def keep_own_bytes(log: Path) -> None:
    """Remember that all that a log has so far is the platform's, and no output of the job. Raises `OSError`."""
    _own_bytes_file(log).write_text(str(log.stat().st_size))


def own_bytes(log: Path) -> int:
    """How many bytes at the head of a log are the platform's."""
    try:
        return int(_own_bytes_file(log).read_text())
    except (FileNotFoundError, ValueError):  # a log without a head, or a crash while this was written
        return 0


def _own_bytes_file(log: Path) -> Path:
    return log.with_suffix(".own-bytes")


def _cut(reason: str) -> str:
    return reason[:MAX_REASON]
