"""What a user names to start a job - a script, the file of a spec, a spec - and values beside it, as a spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trainworks.config.job import BatchJobSpec, TrainingJobSpec, batch_job_spec, load_spec, merged, training_job_spec
from trainworks.errors import RequestError

SPEC_SUFFIX = ".toml"


def training_spec(target: TrainingJobSpec | Path | str, values: Mapping[str, object]) -> TrainingJobSpec:
    """The spec of a training job. `values` replace keys; local paths in them are relative to the working folder.

    Raises `ConfigurationError` for a wrong value, `RequestError` for the spec of another kind.
    """
    if isinstance(target, TrainingJobSpec):
        return training_job_spec(_changed(target, values), target.base_dir) if values else target
    _refuse_spec(target, "train", TrainingJobSpec)
    path = Path(target)
    if path.suffix != SPEC_SUFFIX:
        return training_job_spec(of_script(path, values), Path.cwd())
    spec = load_spec(path, absolute(values))
    if not isinstance(spec, TrainingJobSpec):
        raise RequestError(f"{path} is the spec of a batch job", fix=f"trainworks batch submit {path}, or submit_batch")
    return spec


def batch_spec(target: BatchJobSpec | Path | str, values: Mapping[str, object]) -> BatchJobSpec:
    """The spec of a batch job, as `training_spec`."""
    if isinstance(target, BatchJobSpec):
        return (
            batch_job_spec(merged(target.model_dump(exclude_unset=True), values), target.base_dir) if values else target
        )
    _refuse_spec(target, "submit_batch", BatchJobSpec)
    path = Path(target)
    if path.suffix != SPEC_SUFFIX:
        return batch_job_spec(of_script(path, values), Path.cwd())
    spec = load_spec(path, absolute(values))
    if not isinstance(spec, BatchJobSpec):
        raise RequestError(f"{path} is the spec of a training job", fix=f"trainworks train {path}, or train")
    return spec


def of_script(script: Path, values: Mapping[str, object]) -> dict[str, object]:
    """The script as the spec wants it: relative to `source_dir` where one is given."""
    source_dir = values.get("source_dir")
    if source_dir is None:
        return {**values, "script": str(script)}
    inside, root = script.resolve(), Path(str(source_dir)).resolve()
    relative = inside.relative_to(root) if inside.is_relative_to(root) else script
    return {**values, "source_dir": str(root), "script": str(relative)}


def absolute(values: Mapping[str, object]) -> dict[str, object]:
    """Local paths beside a spec file are relative to where they were given, not to the file."""
    found = dict(values)
    if found.get("source_dir") is not None:
        found["source_dir"] = str(Path(str(found["source_dir"])).resolve())
    inputs = found.get("inputs")
    if isinstance(inputs, Mapping):
        found["inputs"] = {name: _absolute(where) for name, where in inputs.items()}
    return found


def _absolute(where: object) -> object:
    if not isinstance(where, str | Path):
        return where
    text = str(where)
    return str(Path(text).resolve()) if ":" not in text or Path(text).exists() else text


def _changed(spec: TrainingJobSpec | BatchJobSpec, values: Mapping[str, object]) -> dict[str, object]:
    return merged(spec.model_dump(exclude_unset=True), absolute(values))


def _refuse_spec(target: object, method: str, kind: type[TrainingJobSpec | BatchJobSpec]) -> None:
    if not isinstance(target, str | Path):
        raise RequestError(
            f"{method} takes a script, the file of a spec, or a {kind.__name__}, not a {type(target).__name__}",
            fix=f'{method}("train.py"), or {method}({kind.__name__}(...))',
        )
