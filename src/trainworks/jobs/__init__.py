"""The SDK: train, batch, logs, metrics, by boto3 calls alone; the same for AWS and the twin.

    from trainworks.jobs import submit_batch, train, wait

    job = train("train.py", inputs={"training": "data/"}, hyperparameters={"epochs": 10})
    wait(job)
    for line in job.logs(tail=20):
        print(line.message)
    job.download("result")
    wait(submit_batch("predict.toml", inputs={"model": f"model:{job.name}"}))

`environment="NAME"` goes to an environment of `trainworks.toml`; without it, jobs go to the twin. Names are imported
when they are used, so `import trainworks.jobs` costs little.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainworks.config.job import BatchJobSpec, TrainingJobSpec, load_spec
    from trainworks.jobs.artifacts import Downloaded
    from trainworks.jobs.batch import BatchJob
    from trainworks.jobs.job import Follow, Job, JobFilter, JobSnapshot, JobSummary, Transition, Waiting, wait
    from trainworks.jobs.logs import LogLine
    from trainworks.jobs.metrics import MetricSeries, Point
    from trainworks.jobs.platform import Platform
    from trainworks.jobs.training import TrainingJob

_HOMES = {
    "trainworks.jobs.artifacts": ("Downloaded",),
    "trainworks.jobs.batch": ("BatchJob",),
    "trainworks.jobs.job": ("Follow", "Job", "JobSummary", "JobSnapshot", "Transition", "Waiting", "JobFilter", "wait"),
    "trainworks.jobs.logs": ("LogLine",),
    "trainworks.jobs.metrics": ("MetricSeries", "Point"),
    "trainworks.jobs.platform": ("Platform",),
    "trainworks.jobs.training": ("TrainingJob",),
    "trainworks.config.job": ("BatchJobSpec", "TrainingJobSpec", "load_spec"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BatchJob",
    "BatchJobSpec",
    "Downloaded",
    "Follow",
    "Job",
    "JobFilter",
    "JobSnapshot",
    "JobSummary",
    "LogLine",
    "MetricSeries",
    "Platform",
    "Point",
    "TrainingJob",
    "TrainingJobSpec",
    "Transition",
    "Waiting",
    "load_spec",
    "open_platform",
    "submit_batch",
    "train",
    "wait",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: who needs a session alone does not pay for the rest (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def open_platform(environment: str = "local", start_dir: Path | None = None) -> Platform:
    """The platform of an environment of `trainworks.toml`; `local` is the twin."""
    from trainworks.config.environment import load_environment
    from trainworks.jobs.platform import Platform

    return Platform(load_environment(environment, start_dir))


def train(
    spec: TrainingJobSpec | Path | str,
    *,
    environment: str = "local",
    name: str | None = None,
    overrides: Mapping[str, object] | None = None,
    **values: object,
) -> TrainingJob:
    """Start a training job: of a script, the TOML file of a spec, or a spec.

    `values` and `overrides` are keys of a spec (`inputs`, `hyperparameters`, `source_dir`, `spot` ...); they replace
    those of a file or spec. Where one is called as a parameter of this function, it goes into `overrides`.
    """
    from trainworks.jobs.specs import training_spec

    return open_platform(environment).train(training_spec(spec, {**(overrides or {}), **values}), name)


def submit_batch(
    spec: BatchJobSpec | Path | str,
    *,
    environment: str = "local",
    name: str | None = None,
    overrides: Mapping[str, object] | None = None,
    **values: object,
) -> BatchJob:
    """Submit a batch job: of a script, the TOML file of a spec, or a spec; `values` and `overrides` as of `train`."""
    from trainworks.jobs.specs import batch_spec

    return open_platform(environment).submit_batch(batch_spec(spec, {**(overrides or {}), **values}), name)
