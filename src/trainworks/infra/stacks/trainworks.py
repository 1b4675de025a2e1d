"""The root stack: five nested stacks, and the outputs that everything else discovers the platform by."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Environment, Stack, Tags
from constructs import Construct

from trainworks.infra.stacks.batch import BatchStack
from trainworks.infra.stacks.monitoring import MonitoringStack
from trainworks.infra.stacks.network import NetworkStack
from trainworks.infra.stacks.storage import StorageStack
from trainworks.infra.stacks.training import TrainingStack
from trainworks.spec.profile import EnvironmentProfile, TrainingProfile


class TrainworksStack(Stack):
    """The platform of one environment."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile,
        environment_suffix: str,
        env: Environment,
    ) -> None:
        super().__init__(
            scope,
            id,
            description=f"trainworks ML training platform, environment {environment_suffix}",
            termination_protection=profile.termination_protection,
            env=env,
            synthesizer=DefaultStackSynthesizer(
                # The rule would read an SSM parameter at each deployment; the CDK CLI checks the bootstrap by itself.
                generate_bootstrap_version_rule=False,
            ),
        )
        self.network = NetworkStack(self, "Network", profile=profile)
        self.storage = StorageStack(self, "Storage", profile=profile)
        self.training = TrainingStack(
            self,
            "Training",
            profile=profile,
            network=self.network,
            storage=self.storage,
            environment_suffix=environment_suffix,
        )
        self.monitoring = MonitoringStack(
            self,
            "Monitoring",
            profile=profile.monitoring,
            training_role_arn=self.training.training_role_arn,
            key=self.storage.operations_key,
        )
        self.batch = BatchStack(self, "Batch", profile=profile, network=self.network, storage=self.storage)
        for key, value in self._outputs(profile, environment_suffix).items():
            CfnOutput(self, key, value=value)
        for key, value in (("Project", "trainworks"), ("Environment", environment_suffix), ("Profile", profile.name)):
            Tags.of(self).add(key, value)

    def _outputs(self, profile: EnvironmentProfile, environment_suffix: str) -> dict[str, str]:
        storage, training, batch = self.storage, self.training, self.batch
        outputs = {
            "EnvironmentSuffix": environment_suffix,
            "Region": self.region,
            "VpcId": self.network.vpc.vpc_id,
            "PrivateSubnetIds": ",".join(training.subnet_ids),
            "DatasetBucketName": storage.dataset_bucket.bucket_name,
            "ModelBucketName": storage.model_bucket.bucket_name,
            "LogBucketName": storage.log_bucket.bucket_name,
            "ECRRepositoryUri": storage.repository.repository_uri,
            "DataKeyArn": storage.data_key.key_arn,
            "TrainingRoleArn": training.training_role_arn,
            "TrainingSecurityGroupId": training.security_group_id,
            "TrainingJobConfig": self.to_json_string(self._training_job_config(profile.training)),
            "TrainingLogGroupName": self.monitoring.training_log_group_name,
            "DashboardName": self.monitoring.dashboard_name,
            "FailureTopicArn": self.monitoring.failure_topic_arn,
            "ComputeEnvironmentArn": batch.compute_environment_arn,
            "JobQueueArn": batch.job_queue_arn,
            "JobDefinitionArn": batch.job_definition_arn,
            "BatchLogGroupName": batch.log_group_name,
        }
        if training.notebook and training.notebook_role_arn:
            outputs["NotebookRoleArn"] = training.notebook_role_arn
            outputs["NotebookInstanceName"] = training.notebook.notebook_instance_name
        return outputs

    def _training_job_config(self, profile: TrainingProfile) -> dict[str, Any]:
        """The part of a `CreateTrainingJob` request that the platform decides.

        A job adds its name under `CheckpointConfig.S3Uri`, so that two jobs never share checkpoints.
        """
        models = f"s3://{self.storage.model_bucket.bucket_name}"
        stopping_condition = {"MaxRuntimeInSeconds": profile.max_runtime_seconds}
        if profile.enable_managed_spot_training:
            stopping_condition["MaxWaitTimeInSeconds"] = profile.max_wait_time_seconds
        return {
            "RoleArn": self.training.training_role_arn,
            "EnableManagedSpotTraining": profile.enable_managed_spot_training,
            "StoppingCondition": stopping_condition,
            "VpcConfig": {
                "SecurityGroupIds": [self.training.security_group_id],
                "Subnets": self.training.subnet_ids,
            },
            "CheckpointConfig": {"S3Uri": f"{models}/checkpoints/"},
            "OutputDataConfig": {
                "S3OutputPath": f"{models}/output",
                "KmsKeyId": self.storage.data_key.key_arn,
            },
        }
