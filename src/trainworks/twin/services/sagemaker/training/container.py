"""The container of one instance: the files below /opt/ml, and the command that it runs.

/opt/ml/input/config/   hyperparameters.json inputdataconfig.json resourceconfig.json checkpointconfig.json
                        metric-definition-regex.json trainingjobconfig.json
/opt/ml/input/data/     a folder for each channel
/opt/ml/code  /opt/ml/model  /opt/ml/output/data  /opt/ml/checkpoints
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker.image_programs import cannot_start, find_program
from trainworks.twin.services.sagemaker.script_requirements import python_command
from trainworks.twin.services.sagemaker.training.environment import (
    ScriptMode,
    input_data_config,
    resource_config,
    runs_by_toolkit,
)
from trainworks.twin.services.sagemaker.training.failures import client_error
from trainworks.twin.services.sagemaker.training.folders import local_path
from trainworks.twin.services.sagemaker.training.inputs import channels_of
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.requests import checkpoints_path

CODE_DIR = "/opt/ml/code"


def write_contract(job: TrainingJob, host: str, ml_root: Path) -> None:
    """Make the folders and configuration files of /opt/ml."""
    config = ml_root / "input" / "config"
    for folder in (config, ml_root / "code", ml_root / "model", ml_root / "output" / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    for channel in channels_of(job):
        local_path(ml_root, channel.target).mkdir(parents=True, exist_ok=True)
    if "CheckpointConfig" in job.request:
        path = checkpoints_path(job.request)
        local_path(ml_root, path).mkdir(parents=True, exist_ok=True)
    for name, content in _config_files(job, host).items():
        (config / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _config_files(job: TrainingJob, host: str) -> dict[str, Any]:
    files: dict[str, Any] = {
        "hyperparameters.json": job.request.get("HyperParameters", {}),
        "inputdataconfig.json": input_data_config(job),
        "resourceconfig.json": resource_config(job, host),
        "metric-definition-regex.json": job.request["AlgorithmSpecification"].get("MetricDefinitions", []),
        "trainingjobconfig.json": {"TrainingJobName": job.name, "TrainingJobArn": job.arn, **job.request},
    }
    if "CheckpointConfig" in job.request:
        files["checkpointconfig.json"] = job.request["CheckpointConfig"]
    return files


def command(job: TrainingJob, runtime: Runtime, mode: ScriptMode, ml_root: Path) -> tuple[tuple[str, ...], str]:
    """The command and its working folder: ContainerEntrypoint, or what `docker run IMAGE train` runs.

    That is the image's entry point, or a `train` of it; where that is the toolkit's, the script that it starts. Raises
    `JobFailedError` if there is nothing to run.
    """
    algorithm = job.request["AlgorithmSpecification"]
    if "ContainerEntrypoint" in algorithm:
        given = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
        return tuple(_on_host(given, runtime)), runtime.working_dir
    if runs_by_toolkit(job, runtime, mode):
        return _script_command(runtime, mode, ml_root), CODE_DIR
    if runtime.entrypoint:
        return tuple(_on_host([*runtime.entrypoint, "train"], runtime)), runtime.working_dir
    if find_program("train", runtime) is not None:
        return tuple(_on_host(["train"], runtime)), runtime.working_dir
    raise client_error(_nothing_to_run(runtime, mode))


def _nothing_to_run(runtime: Runtime, mode: ScriptMode) -> str:
    """AWS's words for what cannot be started, and what is missing."""
    if runtime.root is None:
        return (
            f"The image {runtime.image_uri} has nothing to run: give the hyperparameters sagemaker_program and "
            "sagemaker_submit_directory, a ContainerEntrypoint, or an image with an executable 'train'"
        )
    cannot = cannot_start(runtime, "train")
    if not mode.program:
        return f"{cannot}. Put one into its folder (chmod +x train), or give a ContainerEntrypoint"
    return (
        f"{cannot} that would start {mode.program} (sagemaker_program). Put sagemaker-training into its "
        f"requirements.txt, begin its Dockerfile with an image of AWS's that has it, or give a ContainerEntrypoint, as "
        "trainworks train does"
    )


def installs_requirements(job: TrainingJob, runtime: Runtime, mode: ScriptMode, code: Path) -> bool:
    """Whether the job's requirements.txt is installed before its script: of a Python script that the toolkit starts."""
    is_python = not mode.program.endswith(".sh")
    return is_python and runs_by_toolkit(job, runtime, mode) and (code / REQUIREMENTS).is_file()


def _script_command(runtime: Runtime, mode: ScriptMode, ml_root: Path) -> tuple[str, ...]:
    script = local_path(ml_root, f"{CODE_DIR}/{mode.program}")
    if ".." in Path(mode.program).parts or not script.is_file():
        raise client_error(
            f"The script {mode.program} (sagemaker_program) is not in the source directory "
            f"{mode.submit_directory or '(sagemaker_submit_directory is not given)'}"
        )
    path = f"{CODE_DIR}/{mode.program}"
    if mode.program.endswith(".sh"):
        return ("/bin/sh", path, *mode.arguments)
    started = (path, *mode.arguments)
    return python_command(runtime, started, code=ml_root / "code", code_dir=CODE_DIR, ml_root=ml_root)


def _on_host(argv: list[str], runtime: Runtime) -> list[str]:
    """`argv` with an executable of this machine; what lies below /opt/ml is found by `env` in the sandbox."""
    program = argv[0]
    if program.startswith("/opt/ml/"):
        return ["/usr/bin/env", *argv]
    found = find_program(program, runtime)
    if found is None:
        raise client_error(f"The executable '{program}' of the training container was not found")
    return [found, *argv[1:]]
