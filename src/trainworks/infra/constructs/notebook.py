"""The notebook instance, which stops when nobody uses it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from aws_cdk import Fn, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from trainworks.config.profile import NotebookProfile
from trainworks.infra.constructs.policy import allow
from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine

IDLE_PREFIX = "notebook-idle/"
_IDLE_KEY = f"{IDLE_PREFIX}stop"
_PLATFORM_IDENTIFIER = "notebook-al2023-v1"


@dataclass(frozen=True, slots=True)
class NotebookPlacement:
    """Where a notebook runs and as whom."""

    subnet_id: str
    security_group_id: str
    role_arn: str
    kms_key_id: str
    signal_bucket_name: str


class Notebook(Construct):
    """A notebook instance without internet of its own, root access or IMDSv1, on an encrypted volume.

    It has no physical name: those block replacement. `notebook_instance_name` is the generated one.
    """

    def __init__(self, scope: Construct, id: str, *, profile: NotebookProfile, placement: NotebookPlacement) -> None:
        super().__init__(scope, id)
        lifecycle_config = sagemaker.CfnNotebookInstanceLifecycleConfig(
            self,
            "LifecycleConfig",
            on_start=[
                sagemaker.CfnNotebookInstanceLifecycleConfig.NotebookInstanceLifecycleHookProperty(
                    content=_on_start(placement.signal_bucket_name, Stack.of(self).region, profile.idle_minutes)
                )
            ],
        )
        self.resource = sagemaker.CfnNotebookInstance(
            self,
            "Resource",
            instance_type=profile.instance_type,
            role_arn=placement.role_arn,
            subnet_id=placement.subnet_id,
            security_group_ids=[placement.security_group_id],
            direct_internet_access="Disabled",
            root_access="Disabled",
            kms_key_id=placement.kms_key_id,
            platform_identifier=_PLATFORM_IDENTIFIER,
            volume_size_in_gb=profile.volume_size_in_gb,
            default_code_repository=profile.default_code_repository,
            lifecycle_config_name=lifecycle_config.attr_notebook_instance_lifecycle_config_name,
            instance_metadata_service_configuration=(
                sagemaker.CfnNotebookInstance.InstanceMetadataServiceConfigurationProperty(
                    minimum_instance_metadata_service_version="2"
                )
            ),
        )
        self.notebook_instance_name = self.resource.attr_notebook_instance_name
        self.idle_stop = _idle_stop(self, self.resource, placement.signal_bucket_name)


def _on_start(bucket_name: str, region: str, idle_minutes: int) -> str:
    """The script, with the bucket's name filled in when the stack is deployed."""
    script = files(__package__).joinpath("notebook_idle_stop.sh").read_text(encoding="utf-8")
    values = {"KEY": _IDLE_KEY, "IDLE_MINUTES": str(idle_minutes), "REGION": region, "BUCKET": bucket_name}
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return Fn.base64(script)


def _idle_stop(scope: Construct, notebook: sagemaker.CfnNotebookInstance, bucket_name: str) -> TriggeredStateMachine:
    """Stops `notebook` when it writes its signal object."""
    stack = Stack.of(scope)
    return TriggeredStateMachine(
        scope,
        "IdleStop",
        definition={
            "StartAt": "Stop",
            "States": {
                "Stop": {
                    "Type": "Task",
                    "Resource": f"arn:{stack.partition}:states:::aws-sdk:sagemaker:stopNotebookInstance",
                    "Parameters": {"NotebookInstanceName": notebook.attr_notebook_instance_name},
                    "End": True,
                }
            },
        },
        statements=[allow("Stop", ["sagemaker:StopNotebookInstance"], [notebook.ref])],
        trigger={
            "event_pattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [bucket_name]}, "object": {"key": [_IDLE_KEY]}},
            }
        },
    )
