"""Makes a spec of what a user names to start a job (a script, a spec or its file) and the values given with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from trainworks.config.job import (
    BatchJobSpec,
    JobSpec,
    TrainingJobSpec,
    batch_job_spec,
    load_spec,
    merged,
    training_job_spec,
)
from trainworks.errors import RequestError

SPEC_SUFFIX = ".toml"


def training_spec(target: TrainingJobSpec | Path | str, values: Mapping[str, object]) -> TrainingJobSpec:
    """The spec of a training job. `values` replace keys; local paths in them are relative to the working folder.

    Raises `ConfigurationError` for a wrong value, `RequestError` for the spec of another kind.
    """
    spec = _spec(target, values, TrainingJobSpec, training_job_spec, "train")
    if not isinstance(spec, TrainingJobSpec):
        raise RequestError(
            f"{target} is the spec of a batch job", fix=f"trainworks batch submit {target}, or submit_batch"
        )
    return spec


def batch_spec(target: BatchJobSpec | Path | str, values: Mapping[str, object]) -> BatchJobSpec:
    """The spec of a batch job, as `training_spec`."""
    spec = _spec(target, values, BatchJobSpec, batch_job_spec, "submit_batch")
    if not isinstance(spec, BatchJobSpec):
        raise RequestError(f"{target} is the spec of a training job", fix=f"trainworks train {target}, or train")
    return spec


def _spec(
    target: JobSpec | Path | str,
    values: Mapping[str, object],
    kind: type[JobSpec],
    make: Callable[[Mapping[str, object], Path], JobSpec],
    method: str,
) -> JobSpec:
    """What `target` names with `values`; the file of a spec may be of the other kind."""
    if isinstance(target, kind):
        given = merged(target.model_dump(exclude_unset=True), absolute(values))
        return make(given, target.base_dir) if values else target
    if not isinstance(target, str | Path):
        raise RequestError(
            f"{method} takes a script, the file of a spec, or a {kind.__name__}, not a {type(target).__name__}",
            fix=f'{method}("train.py"), or {method}({kind.__name__}(...))',
        )
    path = Path(target)
    if path.suffix != SPEC_SUFFIX:
        return make(of_script(path, values), Path.cwd())
    return load_spec(path, absolute(values))


def of_script(script: Path, values: Mapping[str, object]) -> dict[str, object]:
    """The script as the spec needs it: relative to `source_dir` if one is given."""
    source_dir = values.get("source_dir")
    if source_dir is None:
        return {**values, "script": str(script)}
    inside, root = script.resolve(), Path(str(source_dir)).resolve()
    relative = inside.relative_to(root) if inside.is_relative_to(root) else script
    return {**values, "source_dir": str(root), "script": str(relative)}


def absolute(values: Mapping[str, object]) -> dict[str, object]:
    """Local paths given with a spec file are relative to where they were given, not to the file."""
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
