"""The variables and arguments of a training container: what AWS sets, and what the toolkit of its image adds.

The toolkit's part is in `aws/script_start.py`. Source: "How Amazon SageMaker AI provides training information" in the
developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.aws import script_start
from trainworks.aws.instance_types import instance_type
from trainworks.aws.script_start import GROUP
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker.container_variables import platform_variables
from trainworks.twin.services.sagemaker.training.failures import client_error
from trainworks.twin.services.sagemaker.training.records import TrainingJob

NETWORK_INTERFACE = "lo"
"""The instances of a job find one another through addresses of the loopback interface."""


@dataclass(frozen=True, slots=True)
class ScriptMode:
    """What the hyperparameters say about script mode. `program` is a path below /opt/ml/code, or empty."""

    program: str
    submit_directory: str
    user_hyperparameters: Mapping[str, Any]
    framework_parameters: Mapping[str, Any]

    @property
    def arguments(self) -> list[str]:
        return script_start.command_line_arguments(self.user_hyperparameters)


def script_mode(job: TrainingJob) -> ScriptMode:
    """Hyperparameters are JSON in text where they can be read as such, else text."""
    decoded = {name: script_start.decoded(text) for name, text in job.request.get("HyperParameters", {}).items()}
    environment = job.request.get("Environment", {})
    return ScriptMode(
        program=str(decoded.get("sagemaker_program") or environment.get("SAGEMAKER_PROGRAM") or ""),
        submit_directory=str(
            decoded.get("sagemaker_submit_directory") or environment.get("SAGEMAKER_SUBMIT_DIRECTORY") or ""
        ),
        user_hyperparameters=script_start.of_the_user(decoded),
        framework_parameters=script_start.of_the_user(decoded, are=False),
    )


def container_environment(
    job: TrainingJob, runtime: Runtime, host: str, endpoint_url: str, gpus: int
) -> dict[str, str]:
    """All variables of the container on `host`, which really has `gpus` GPUs.

    Precedence, lowest first: image, platform, `Environment`, `SM_*`.
    """
    variables = {**runtime.env, **_platform_variables(job, endpoint_url)}
    variables |= {str(name): str(value) for name, value in job.request.get("Environment", {}).items()}
    mode = script_mode(job)
    if not runs_by_toolkit(job, runtime, mode):
        return variables
    path = variables.get("PYTHONPATH")
    variables["PYTHONPATH"] = f"/opt/ml/code:{path}" if path else "/opt/ml/code"
    return {**variables, **toolkit_variables(job, host, mode, gpus)}


def runs_by_toolkit(job: TrainingJob, runtime: Runtime, mode: ScriptMode) -> bool:
    """Whether SageMaker's training toolkit starts a script: one is named, and the container runs its image's `train`,
    which is the toolkit's."""
    return bool(mode.program) and runtime.has_toolkit and "ContainerEntrypoint" not in _algorithm(job)


def _algorithm(job: TrainingJob) -> Mapping[str, Any]:
    algorithm: Mapping[str, Any] = job.request["AlgorithmSpecification"]
    return algorithm


def _platform_variables(job: TrainingJob, endpoint_url: str) -> dict[str, str]:
    is_isolated = bool(job.request.get("EnableNetworkIsolation"))
    return {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "NVIDIA_VISIBLE_DEVICES": "all",
        **platform_variables(job.region, job.own_credentials, endpoint_url, is_isolated=is_isolated),
    }


def toolkit_variables(job: TrainingJob, host: str, mode: ScriptMode, gpus: int) -> dict[str, str]:
    """The `SM_*` variables as the toolkit sets them. Raises `JobFailedError` for a log level that is not a number."""
    size = instance_type(job.instance_type)
    try:
        return script_start.toolkit_variables(
            {**mode.user_hyperparameters, **mode.framework_parameters},
            mode.program,
            mode.submit_directory,
            resources=resource_config(job, host),
            inputs=input_data_config(job),
            sizes={"CPUS": size.vcpus, "GPUS": gpus, "NEURONS": size.accelerators},
            job_name=job.name,
        )
    except ValueError as error:
        raise client_error(str(error)) from None


def resource_config(job: TrainingJob, host: str) -> dict[str, Any]:
    """The content of resourceconfig.json."""
    return {
        "current_host": host,
        "current_instance_type": job.instance_type,
        "current_group_name": GROUP,
        "hosts": list(job.hosts),
        "instance_groups": [instance_group(job)],
        "network_interface_name": NETWORK_INTERFACE,
    }


def instance_group(job: TrainingJob) -> dict[str, Any]:
    return {"instance_group_name": GROUP, "instance_type": job.instance_type, "hosts": list(job.hosts)}


def input_data_config(job: TrainingJob) -> dict[str, Any]:
    """The content of inputdataconfig.json."""
    default = job.request["AlgorithmSpecification"]["TrainingInputMode"]
    config: dict[str, Any] = {}
    for entry in job.request.get("InputDataConfig", []):
        source = entry["DataSource"]["S3DataSource"]
        channel = {
            "TrainingInputMode": entry.get("InputMode", default),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": entry.get("RecordWrapperType", "None"),
        }
        if "ContentType" in entry:
            channel["ContentType"] = entry["ContentType"]
        config[entry["ChannelName"]] = channel
    return config
