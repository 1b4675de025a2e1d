"""The main job, step by step, through the same doors that users take; nothing here knows that it is a demo.

deploy --> upload --> train (one spot interruption) --> predict --> evaluate
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from trainworks.application.environments import connect
from trainworks.application.platform import up
from trainworks.deploy.plan import UpOptions
from trainworks.errors import JobError, RequestError
from trainworks.jobs import BatchJobSpec, Follow, LogLine, TrainingJobSpec, load_spec
from trainworks.s3 import objects_below

if TYPE_CHECKING:
    from trainworks.deploy.deployer import UpResult
    from trainworks.deploy.progress import Report
    from trainworks.jobs import BatchJob, Platform, TrainingJob
    from trainworks.jobs.job import Progress

INTERRUPT_AFTER_EPOCH = 4
NOTICE_SECONDS = 2.0
"""A spot interruption comes two minutes after its notice on AWS; nobody wants to watch that."""

_EPOCH = re.compile(r"epoch=(?P<epoch>\d+) ")

Show = Callable[["Progress"], None]


@dataclass(slots=True)
class Stopwatch:
    """Seconds that each step took, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = monotonic()
        yield
        self.seconds[name] = monotonic() - started


@dataclass(frozen=True, slots=True)
class Trained:
    """A training job that was interrupted and completed; `epochs` are those that its log names, in order."""

    job: TrainingJob
    epochs: tuple[int, ...]

    @property
    def repeated_epochs(self) -> int:
        """Epochs that ran more than once: the work that the interruption cost."""
        return len(self.epochs) - len(set(self.epochs))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many predictions in S3 agree with the held-out labels."""

    correct: int
    total: int
    predictions_uri: str

    @property
    def share(self) -> float:
        return self.correct / self.total


def example_folder() -> Path:
    """`examples/digits` of the clone. Raises `RequestError` if trainworks was installed without it."""
    folder = Path(__file__).resolve().parents[3] / "examples" / "digits"
    if not (folder / "train.toml").is_file():
        raise RequestError(
            f"the demo's script and data are not at {folder}",
            fix="run it in a clone of the repository: python3 dev.py demo",
        )
    return folder


def deploy(report: Report) -> UpResult:
    """Deploy the environment `local`; where it is as it should be, nothing is done."""
    return up(*connect("local"), report, UpOptions())


@contextmanager
def digits(example: Path) -> Iterator[Path]:
    """The data set in a scratch folder: `train`, `heldout` without labels, and `labels`, which are never uploaded."""
    with tempfile.TemporaryDirectory(prefix="trainworks-digits-") as scratch:
        made = subprocess.run(
            [sys.executable, example / "data.py", scratch], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise JobError(f"{example / 'data.py'} failed:\n{made.stderr.strip()}", fix="pip install scikit-learn")
        yield Path(scratch)


def upload(platform: Platform, data: Path) -> list[str]:
    """Put the training and held-out images into the platform's dataset bucket; their S3 URIs."""
    return [platform.upload_dataset(f"digits/{part}", data / part) for part in ("train", "heldout")]


def here() -> dict[str, object]:
    """The image of the demo's jobs: the interpreter in use, which has scikit-learn, so that nothing is downloaded.

    The specs name AWS's scikit-learn image; `trainworks train` makes that on first use.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"image": f"public.ecr.aws/docker/library/python:{version}"}


def train(platform: Platform, example: Path, show: Show) -> Trained:
    """Train on managed spot, interrupt the instance once in the middle, follow the job to its end.

    Raises `JobError` unless it completed after having been interrupted.
    """
    spec = load_spec(example / "train.toml", {**here(), "hyperparameters": {"epochs": 10, "min-epoch-seconds": 0.75}})
    if not isinstance(spec, TrainingJobSpec):
        raise RequestError(f"{example / 'train.toml'} is not a spec of a training job")
    job = platform.train(spec)
    follow = Follow(job)
    epochs: list[int] = []
    for progress in follow:
        show(progress)
        found = _EPOCH.match(progress.message) if isinstance(progress, LogLine) else None
        if found is None:
            continue
        epochs.append(int(found["epoch"]))
        if epochs.count(INTERRUPT_AFTER_EPOCH) == 1 and epochs[-1] == INTERRUPT_AFTER_EPOCH:
            job.interrupt(NOTICE_SECONDS)
    follow.result()
    if not job.facts()["interruptions"]:
        raise JobError(
            f"{job.name} completed without the spot interruption that the demo injects",
            fix=f"trainworks describe {job.name}",
        )
    return Trained(job, tuple(epochs))


def predict(platform: Platform, example: Path, model: TrainingJob, show: Show) -> BatchJob:
    """Predict the held-out images with the trained model, as an array job of 8 on the platform's queue."""
    spec = load_spec(example / "predict.toml", {**here(), "inputs": {"model": f"model:{model.name}"}})
    if not isinstance(spec, BatchJobSpec):
        raise RequestError(f"{example / 'predict.toml'} is not a spec of a batch job")
    job = platform.submit_batch(spec)
    follow = Follow(job)
    for progress in follow:
        show(progress)
    follow.result()
    return job


def evaluate(platform: Platform, job: BatchJob, labels: Path) -> Accuracy:
    """Compare what the batch job wrote to S3 with the labels. Raises `JobError` unless each image has a prediction."""
    import numpy as np  # noqa: PLC0415 - in a clone alone, as the demo is

    expected = np.load(labels / "digits.npz")["labels"]
    bucket, prefix = platform.outputs.model_bucket, f"predictions/{job.name}/"
    predicted: dict[int, int] = {}
    for line in _lines(platform, bucket, prefix):
        record = json.loads(line)
        predicted[record["index"]] = record["digit"]
    if sorted(predicted) != list(range(len(expected))):
        raise JobError(
            f"s3://{bucket}/{prefix} has predictions for {len(predicted)} of {len(expected)} images",
            fix=f"trainworks logs {job.name}",
        )
    correct = sum(predicted[index] == int(digit) for index, digit in enumerate(expected))
    return Accuracy(correct, len(expected), f"s3://{bucket}/{prefix}")


def _lines(platform: Platform, bucket: str, prefix: str) -> Iterator[str]:
    s3 = platform.client("s3")
    for each in objects_below(s3, bucket, prefix):
        yield from io.StringIO(s3.get_object(Bucket=bucket, Key=each.key)["Body"].read().decode())
