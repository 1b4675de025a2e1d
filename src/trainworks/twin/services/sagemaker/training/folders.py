"""Where a job's files are: all its paths in one class.

<jobs>/<job id>/attempt-<n>/              one attempt: removed when the next begins or the job has ended
    input/<channel>/                      staged once for all instances (hard links), shown as an overlay
    algo-<n>/ml/                          /opt/ml of an instance
    algo-<n>/input/<channel>/             its shard of a ShardedByS3Key channel
<jobs>/<job id>/logs/attempt-<n>-algo-<n>.log
<jobs>/<job id>/upload/                   archives on their way to S3
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.services.sagemaker.training.records import TrainingJob


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The folder of one job."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def uploads(self) -> Path:
        return self.path / "upload"

    def attempt(self, number: int) -> Path:
        return self.path / f"attempt-{number}"

    def input(self, attempt: int) -> Path:
        return self.attempt(attempt) / "input"

    def shard(self, attempt: int, host: str) -> Path:
        return self.attempt(attempt) / host / "input"

    def ml_root(self, attempt: int, host: str) -> Path:
        return self.attempt(attempt) / host / "ml"

    def log(self, attempt: int, host: str) -> Path:
        return self.logs / f"attempt-{attempt}-{host}.log"


def job_folder(jobs_dir: Path, job: TrainingJob) -> JobFolder:
    return JobFolder(jobs_dir / job.job_id)


def below_ml_root(path: str) -> str:
    """`path`, as the container sees it, relative to /opt/ml."""
    return path.removeprefix("/opt/ml/").strip("/")


def local_path(ml_root: Path, path: str) -> Path:
    """Where a path below /opt/ml, as the container sees it, is on this machine. Only while no task runs."""
    return ml_root / below_ml_root(path)
