"""Job specs: what a user writes to have something trained or run, in Python or as a TOML file.

    [training_job]                            [batch_job]
    script = "train.py"                       script = "predict.py"
    image = "scikit-learn"                    image = "scikit-learn"
    instance_type = "ml.m5.large"             array_size = 8
    max_runtime_seconds = 600                 vcpus = 1
                                              memory_mib = 1024
    [training_job.inputs]
    training = "data/train.npz"               [batch_job.inputs]
    [training_job.hyperparameters]            model = "model:digits-20260101-120000"
    epochs = 10
    [training_job.metrics]
    train_loss = "train_loss=([0-9.]+)"

An input is a local file or folder (uploaded once), an `s3://` URI, `dataset:NAME` (`datasets/NAME` of the platform's
dataset bucket), or `model:JOB` (the model.tar.gz of a training job). Local paths are relative to the spec file.
Fields follow `CreateTrainingJob` and `SubmitJob`; limits are those of the SageMaker and Batch API references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from trainworks.config.toml_lines import error_at, read_toml
from trainworks.errors import ConfigurationError

DAY_SECONDS = 24 * 3600

_Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}$")]
_Channel = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_Variable = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=512)]
_Location = Annotated[str, Field(min_length=1, max_length=1024)]


class _Spec(BaseModel):
    """What training and batch jobs share. `name` is the base of the job's name; the script's where absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name | None = None
    """The first part of the job's name; the script's name where absent."""
    script: Path | None = None
    """A Python file, relative to the spec; inside `source_dir` if that is given."""
    source_dir: Path | None = None
    """A folder that goes to the job whole: modules, data, `requirements.txt`."""
    inputs: dict[_Channel, _Location] = Field(
        default={}, examples=["a local path", "s3://BUCKET/PREFIX", "dataset:NAME", "model:JOB"]
    )
    """A name for each: a local path, `s3://BUCKET/PREFIX`, `dataset:NAME`, `model:JOB`."""
    environment: dict[_Variable, str] = {}
    """Environment variables of the job."""
    tags: dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=256)]] = {}
    """Tags of the job, in addition to those of the platform."""
    base_dir: Path = Field(default=Path(), exclude=True)

    @field_validator("environment", "tags", mode="before")
    @classmethod
    def _scalars_as_text(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {key: _as_text(each) for key, each in value.items()}

    @model_validator(mode="after")
    def _source_dir_has_a_script(self) -> Self:
        if self.source_dir is not None and self.script is None:
            raise ValueError("source_dir needs script, the file in it that is run")
        return self

    @property
    def script_path(self) -> Path | None:
        """The script on this machine; inside `source_dir` if that is given."""
        if self.script is None:
            return None
        return self.base_dir / (self.source_dir or Path()) / self.script

    @property
    def source_path(self) -> Path | None:
        """The folder that is packaged; None if the script alone is."""
        return None if self.source_dir is None else self.base_dir / self.source_dir

    @property
    def base_name(self) -> str:
        """The first part of the job's name."""
        return self.name or _name_of(self.script) or "job"


class TrainingJobSpec(_Spec):
    """A training job. Without `script` the image's own `train` is run.

    `image` is a framework (`scikit-learn`, `pytorch:2.6.0`) or an image URI. `metrics` maps a metric's name to a
    regular expression with one group. `checkpoints` is whether `/opt/ml/checkpoints` is kept in S3, or an `s3://` URI
    to keep it at (to resume from another job). The run and wait times default to the platform's; a wait time holds
    for spot only and counts from the start, so it is never below the run time.
    """

    image: Annotated[str, Field(min_length=1, max_length=255)] = "scikit-learn"
    """A framework (`scikit-learn`, `pytorch:2.6.0`), a repository of `trainworks image build`, or an image URI."""
    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$", examples=["ml.m5.large"])] = (
        "ml.m5.large"
    )
    """A type of SageMaker."""
    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    """Above one, instances are called `algo-1`, `algo-2`, ... and reach one another."""
    volume_size_in_gb: Annotated[int, Field(ge=1, le=16384)] = 30
    """The volume for input, checkpoints and the model."""
    hyperparameters: dict[Annotated[str, Field(min_length=1, max_length=256)], JsonValue] = {}
    """Arguments of the script: `epochs = 10` becomes `--epochs 10`."""
    metrics: dict[Annotated[str, Field(min_length=1, max_length=255)], str] = Field(
        default={}, examples=["loss=([0-9.]+)"]
    )
    """Names, each with a regular expression of one group, looked for in the log."""
    spot: bool = True
    """Managed spot training."""
    checkpoints: bool | Annotated[str, Field(pattern=r"^s3://[^/]+(/.*)?$")] = True
    """Whether `/opt/ml/checkpoints` is kept in S3; or where, to go on from another job's."""
    max_runtime_seconds: Annotated[int, Field(ge=1, le=28 * DAY_SECONDS)] | None = None
    """The job is stopped after this long; the platform's default if absent."""
    max_wait_seconds: Annotated[int, Field(ge=1, le=28 * DAY_SECONDS)] | None = None
    """Run time and waiting for spot capacity together."""
    enable_network_isolation: bool = False
    """The job has no network at all."""

    @field_validator("hyperparameters")
    @classmethod
    def _values_are_json(cls, hyperparameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in hyperparameters.items():
            try:
                json.dumps(value, allow_nan=False)
            except ValueError:
                raise ValueError(f"{name}: {value!r} is not a value that JSON has; give it as text") from None
        return hyperparameters

    @field_validator("metrics")
    @classmethod
    def _expressions_compile(cls, metrics: dict[str, str]) -> dict[str, str]:
        for name, expression in metrics.items():
            try:
                groups = re.compile(expression).groups
            except re.error as error:
                raise ValueError(f"{name}: not a regular expression: {error}") from None
            if groups != 1:
                raise ValueError(f"{name}: needs exactly one group, the value; {expression!r} has {groups}")
        return metrics

    @model_validator(mode="after")
    def _wait_covers_runtime(self) -> Self:
        if self.max_wait_seconds is None:
            return self
        if not self.spot:
            raise ValueError("max_wait_seconds holds for spot jobs only; remove it or set spot = true")
        if self.max_runtime_seconds is not None and self.max_wait_seconds < self.max_runtime_seconds:
            raise ValueError(
                f"max_wait_seconds ({self.max_wait_seconds}) is below max_runtime_seconds ({self.max_runtime_seconds})"
            )
        return self

    @model_validator(mode="after")
    def _something_to_run(self) -> Self:
        if self.script is None and "/" not in self.image:
            raise ValueError(
                f"a framework image ({self.image}) needs script; only an image with a train program of its own does not"
            )
        return self


class BatchJobSpec(_Spec):
    """A batch job: a script with arguments, or a command of the image. `array_size` makes it an array job.

    `inputs` reach the job as variables `INPUT_<NAME>` holding S3 URIs. `image` None is the image of the platform's
    job definition; sizes and limits that are None are that definition's.
    """

    image: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """As for a training job; the image of the platform's job definition where absent."""
    command: tuple[str, ...] = ()
    """What is run, instead of a script."""
    arguments: tuple[str, ...] = ()
    """Arguments of the script."""
    array_size: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Makes it an array job of this many children, each with its `AWS_BATCH_JOB_ARRAY_INDEX`."""
    vcpus: Annotated[float, Field(ge=0.25, le=192)] | None = None
    """vCPUs of each child."""
    memory_mib: Annotated[int, Field(ge=4)] | None = None
    """Memory of each child."""
    retries: Annotated[int, Field(ge=0, le=9)] | None = None
    """Further attempts after the first."""
    timeout_seconds: Annotated[int, Field(ge=60)] | None = None
    """An attempt is ended after this long."""

    @field_validator("arguments", mode="before")
    @classmethod
    def _arguments_as_text(cls, value: object) -> object:
        return tuple(_as_text(each) for each in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one_thing_to_run(self) -> Self:
        if (self.script is None) == (not self.command):
            raise ValueError("give either script or command")
        if self.command and self.arguments:
            raise ValueError("arguments belong to script; put them into command")
        return self


JobSpec = TrainingJobSpec | BatchJobSpec
_Kind = TypeVar("_Kind", TrainingJobSpec, BatchJobSpec)
_KINDS = ("training_job", "batch_job")
_TYPE_PARTS = frozenset({"bool", "int", "float", "str", "list", "dict", "[key]"})
"""What pydantic puts into the place of an error that is not a key of the file."""


def load_spec(path: Path, overrides: Mapping[str, object] | None = None) -> JobSpec:
    """The job spec in a TOML file. `overrides` replace keys; where both are tables they are merged.

    Raises `ConfigurationError` naming file, line, key, value and what is allowed.
    """
    if path.suffix == ".py":
        raise ConfigurationError(
            f"{path}: is a Python script; allowed: a job spec, a TOML file that names the script",
            fix=f"give a spec's values instead: TrainingJobSpec(script={str(path)!r}), or run trainworks train {path}",
        )
    text, document = read_toml(path, "job spec")
    if len(document) != 1 or next(iter(document)) not in _KINDS:
        close = [kind for name in document for kind in get_close_matches(name, _KINDS, 1)]
        raise ConfigurationError(
            f"{path}: has the tables {sorted(document)}; allowed: exactly one of {', '.join(_KINDS)}",
            fix=f"did you mean [{close[0]}]?"
            if len(document) == len(close) == 1
            else "write [training_job] or [batch_job] as the first line",
        )
    (kind, table), *_ = document.items()
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {kind}: is {table!r}; allowed: a table", fix=f"write [{kind}]")
    values, place = merged(table, overrides or {}), _Place(path, text, kind)
    if kind == "training_job":
        return _build(TrainingJobSpec, values, path.parent, place)
    return _build(BatchJobSpec, values, path.parent, place)


def training_job_spec(values: Mapping[str, object], base_dir: Path) -> TrainingJobSpec:
    """A training job spec of plain values, as a command line gives them. Raises `ConfigurationError`."""
    return _build(TrainingJobSpec, dict(values), base_dir, _Place(None, "", "training_job"))


def batch_job_spec(values: Mapping[str, object], base_dir: Path) -> BatchJobSpec:
    """A batch job spec of plain values, as a command line gives them. Raises `ConfigurationError`."""
    return _build(BatchJobSpec, dict(values), base_dir, _Place(None, "", "batch_job"))


class _Place:
    """Where values came from, so that an error can say so."""

    def __init__(self, path: Path | None, text: str, table: str) -> None:
        self.path, self.text, self.table = path, text, table

    def error(self, keys: tuple[str, ...], message: str, fix: str) -> ConfigurationError:
        if self.path is None:
            return ConfigurationError(f"{'.'.join((self.table, *keys))}: {message}", fix=fix)
        return error_at(self.path, self.text, (self.table, *keys), message, fix)


def _build(kind: type[_Kind], values: dict[str, Any], base: Path, place: _Place) -> _Kind:
    if "base_dir" in values:
        raise place.error(("base_dir",), "unknown key", "remove the key")
    try:
        return kind.model_validate({**values, "base_dir": base})
    except ValidationError as error:
        raise _explained(kind, error, place) from None


def _explained(kind: type[BaseModel], error: ValidationError, place: _Place) -> ConfigurationError:
    """All that is wrong, at once; where one value may be of several types, one problem."""
    found: dict[tuple[str, ...], ConfigurationError] = {}
    for details in error.errors(include_url=False):
        keys = tuple(str(part) for part in details["loc"] if isinstance(part, int) or part not in _TYPE_PARTS)
        found.setdefault(keys, _explained_one(kind, keys, details, place))
    if len(found) == 1:
        return next(iter(found.values()))
    lines = [f"  {each.message} (fix: {each.fix})" for each in found.values()]
    return ConfigurationError("\n".join([f"{len(found)} values are wrong:", *lines]), fix="correct each of them")


def _explained_one(
    kind: type[BaseModel], keys: tuple[str, ...], details: ErrorDetails, place: _Place
) -> ConfigurationError:
    if details["type"] == "extra_forbidden":
        allowed = sorted(set(kind.model_fields) - {"base_dir"})
        close = get_close_matches(keys[-1], allowed, 1)
        return place.error(
            keys,
            f"unknown key; allowed: {', '.join(allowed)}",
            f"did you mean {close[0]}?" if close else "remove the key",
        )
    field = kind.model_fields.get(keys[0]) if keys else None
    examples = (field.examples or []) if field else []
    fix = f"give an allowed value, such as {', '.join(map(str, examples))}" if examples else "give an allowed value"
    if details["type"] == "value_error":
        return place.error(
            keys, details["msg"].removeprefix("Value error, "), fix if examples else "change the value that is named"
        )
    context = details.get("ctx", {})
    if "pattern" in context:
        allowed_text = f"text matching {context['pattern']}"
    else:
        allowed_text = re.sub(r"^(Input should be |String should have )(a valid )?", "", details["msg"])
    return place.error(keys, f"is {details['input']!r}; allowed: {allowed_text}", fix)


def merged(table: Mapping[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    """`table` with the keys of `overrides` in place of its own; where both are tables they are merged."""
    merged = dict(table)
    for key, value in overrides.items():
        present = merged.get(key)
        merged[key] = {**present, **value} if isinstance(present, dict) and isinstance(value, Mapping) else value
    return merged


def _as_text(value: object) -> object:
    """Numbers and truth values of TOML as the text that a process gets; the rest is left for validation to refuse."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _name_of(script: Path | None) -> str:
    """A job name's first part from a script: its stem with what AWS does not allow replaced by hyphens."""
    stem = "" if script is None else script.stem
    return re.sub(r"[^a-zA-Z0-9]+", "-", stem).strip("-")[:40].strip("-")
