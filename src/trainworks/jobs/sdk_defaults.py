"""A platform as the defaults of the SageMaker Python SDK: where it puts things, as which role, in which network.

The SDK reads them from a file that `SAGEMAKER_USER_CONFIG_OVERRIDE` names, of the form that it calls "configuring and
using defaults". With them a user's script names neither role nor bucket, and does not ask STS for the account:
the SDK makes a bucket of that name, with a client for STS's public host, only where no default bucket is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainworks.jobs.outputs import PlatformOutputs

OUTPUT_PREFIX = "output"
"""Below it the training role may write, and what the SDK puts there it may read."""


def sdk_defaults(outputs: PlatformOutputs, *, is_twin: bool) -> dict[str, Any]:
    """The document of the platform. On the twin the SDK sends no telemetry: it would go to AWS."""
    config = outputs.training_job_config
    vpc = config["VpcConfig"]
    modules: dict[str, Any] = {
        "Session": {"DefaultS3Bucket": outputs.model_bucket, "DefaultS3ObjectKeyPrefix": OUTPUT_PREFIX},
        # Here and not as TrainingJob.VpcConfig: the SDK's `ModelTrainer` reads no subnets from that.
        "ModelTrainer": {
            "networking": {"subnets": vpc["Subnets"], "security_group_ids": vpc["SecurityGroupIds"]},
        },
    }
    if is_twin:
        modules["TelemetryOptOut"] = True
    return {
        "SchemaVersion": "1.0",
        "SageMaker": {"PythonSDK": {"Modules": modules}, "TrainingJob": {"RoleArn": config["RoleArn"]}},
    }
