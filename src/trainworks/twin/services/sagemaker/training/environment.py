"""The variables and arguments of a training container: what AWS sets, and in script mode the toolkit's `SM_*` contract.

Source: "Environment variables" of the SageMaker training toolkit (ENVIRONMENT_VARIABLES.md) and "How Amazon SageMaker
provides training information" in the developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from trainworks.aws.instance_types import instance_type
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker.training.failures import client_error
from trainworks.twin.services.sagemaker.training.inputs import channels_of
from trainworks.twin.services.sagemaker.training.records import TrainingJob

NETWORK_INTERFACE = "lo"
"""The instances of a job find one another through addresses of the loopback interface."""
GROUP = "homogeneousCluster"
_FRAMEWORK_PARAMETERS = "sagemaker_"
_LOG_LEVEL = "sagemaker_container_log_level"
_LOG_LEVEL_INFO = 20
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ScriptMode:
    """What the hyperparameters say about script mode. `program` is a path below /opt/ml/code, or empty."""

    program: str
    submit_directory: str
    user_hyperparameters: Mapping[str, Any]
    framework_parameters: Mapping[str, Any]

    @property
    def arguments(self) -> list[str]:
        return command_line_arguments(self.user_hyperparameters)


def script_mode(job: TrainingJob) -> ScriptMode:
    """Hyperparameters are JSON in text where they can be read as such, else text."""
    decoded = {name: _decoded(text) for name, text in job.request.get("HyperParameters", {}).items()}
    environment = job.request.get("Environment", {})
    return ScriptMode(
        program=str(decoded.get("sagemaker_program") or environment.get("SAGEMAKER_PROGRAM") or ""),
        submit_directory=str(
            decoded.get("sagemaker_submit_directory") or environment.get("SAGEMAKER_SUBMIT_DIRECTORY") or ""
        ),
        user_hyperparameters={k: v for k, v in decoded.items() if not k.startswith(_FRAMEWORK_PARAMETERS)},
        framework_parameters={k: v for k, v in decoded.items() if k.startswith(_FRAMEWORK_PARAMETERS)},
    )


def command_line_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """`{"epochs": 3, "lr": 0.1}` as `--epochs 3 --lr 0.1`, in order of names.

    One letter gets one hyphen; `null` is an empty text.
    """
    arguments: list[str] = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, Mapping):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return arguments


def container_environment(
    job: TrainingJob, runtime: Runtime, host: str, endpoint_url: str, gpus: int
) -> dict[str, str]:
    """All variables of the container on `host`, which really has `gpus` GPUs.

    Precedence, lowest first: image, platform, `Environment`, `SM_*`.
    """
    variables = {**runtime.env, **_platform_variables(job, endpoint_url)}
    variables |= {str(name): str(value) for name, value in job.request.get("Environment", {}).items()}
    mode = script_mode(job)
    if mode.program:
        path = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = f"/opt/ml/code:{path}" if path else "/opt/ml/code"
    return {**variables, **toolkit_variables(job, host, mode, gpus)}


def _platform_variables(job: TrainingJob, endpoint_url: str) -> dict[str, str]:
    variables = {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "AWS_REGION": job.region,
        "AWS_DEFAULT_REGION": job.region,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "UTF-8",
        "NVIDIA_VISIBLE_DEVICES": "all",
    }
    if job.request.get("EnableNetworkIsolation"):
        # As on AWS: an isolated container has no credentials and could reach nothing with them.
        return variables
    return variables | {
        "AWS_ACCESS_KEY_ID": job.own_credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": job.own_credentials.secret_access_key,
        "AWS_SESSION_TOKEN": job.own_credentials.session_token,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _log_level(mode: ScriptMode) -> int:
    """Raises `JobFailedError` for what is not a number."""
    given = mode.framework_parameters.get(_LOG_LEVEL, _LOG_LEVEL_INFO)
    try:
        return int(given)
    except (TypeError, ValueError, OverflowError):
        raise client_error(
            f"The hyperparameter {_LOG_LEVEL} is {str(given)[:_SHOWN]!r}, not a level of Python's logging such as 20"
        ) from None


def toolkit_variables(job: TrainingJob, host: str, mode: ScriptMode, gpus: int) -> dict[str, str]:
    """The `SM_*` variables. Paths are the container's; lists and maps are JSON."""
    size = instance_type(job.instance_type)
    channels = {channel.name: channel.target for channel in channels_of(job)}
    module = PurePosixPath(mode.program).stem if mode.program.endswith(".py") else mode.program
    plain: dict[str, Any] = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_INPUT_DIR": "/opt/ml/input",
        "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "SM_OUTPUT_DIR": "/opt/ml/output",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
        "SM_NUM_CPUS": size.vcpus,
        "SM_NUM_GPUS": gpus,
        "SM_NUM_NEURONS": size.accelerators,
        "SM_HOSTS": list(job.hosts),
        "SM_CURRENT_HOST": host,
        "SM_MASTER_HOST": job.hosts[0],
        "SM_CURRENT_INSTANCE_TYPE": job.instance_type,
        "SM_CURRENT_INSTANCE_GROUP": GROUP,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": list(job.hosts),
        "SM_INSTANCE_GROUPS": [GROUP],
        "SM_INSTANCE_GROUPS_DICT": {GROUP: instance_group(job)},
        "SM_IS_HETERO": False,
        "SM_NETWORK_INTERFACE_NAME": NETWORK_INTERFACE,
        "SM_CHANNELS": sorted(channels),
        "SM_HPS": dict(mode.user_hyperparameters),
        "SM_USER_ARGS": mode.arguments,
        "SM_USER_ENTRY_POINT": mode.program,
        "SM_MODULE_NAME": module,
        "SM_MODULE_DIR": mode.submit_directory,
        "SM_LOG_LEVEL": _log_level(mode),
        "SM_FRAMEWORK_MODULE": "",
        "SM_FRAMEWORK_PARAMS": dict(mode.framework_parameters),
        "SM_INPUT_DATA_CONFIG": input_data_config(job),
        "SM_RESOURCE_CONFIG": resource_config(job, host),
    }
    plain["SM_TRAINING_ENV"] = _training_env(plain, channels, job)
    plain |= {f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()}
    plain |= {f"SM_HP_{name.upper()}": value for name, value in mode.user_hyperparameters.items()}
    return {name: _text(value) for name, value in plain.items()}


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


def _training_env(variables: Mapping[str, Any], channels: Mapping[str, str], job: TrainingJob) -> dict[str, Any]:
    """`SM_TRAINING_ENV`: the same as one document, by the toolkit's own names."""
    left_out = ("SM_HPS", "SM_CHANNELS", "SM_USER_ARGS", "SM_FRAMEWORK_PARAMS")
    document = {name.removeprefix("SM_").lower(): value for name, value in variables.items() if name not in left_out}
    return {
        **document,
        "job_name": job.name,
        "is_master": variables["SM_CURRENT_HOST"] == job.hosts[0],
        "channel_input_dirs": dict(channels),
        "hyperparameters": variables["SM_HPS"],
        "additional_framework_parameters": variables["SM_FRAMEWORK_PARAMS"],
    }


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    """As the toolkit writes a value into a variable; nothing (`null`) is an empty text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)
