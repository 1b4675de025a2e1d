"""The whole platform as one construct, for an app of ours or of somebody else."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, NestedStack, Stack, Tags, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from trainworks.config.environment import checked_suffix
from trainworks.config.profile import EnvironmentProfile, ProfileName, TrainingProfile, profile_of
from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.job_notifications import BatchNotifications
from trainworks.infra.feature_flags import pin_feature_flags
from trainworks.infra.parts.batch import BatchInference
from trainworks.infra.parts.cost_control import COST_TAG, CostControl
from trainworks.infra.parts.monitoring import Monitoring, MonitoringTargets
from trainworks.infra.parts.network import Network
from trainworks.infra.parts.storage import Storage
from trainworks.infra.parts.training import Training


class TrainingPlatform(Construct):
    """A platform of one environment: network, storage, training, monitoring and batch inference.

    `profile` is the name of a profile that ships or a record made from one with `dataclasses.replace`. The parts come
    in nested stacks below the stack of `scope`, or with `nested=False` all in that stack. With `vpc` the platform uses
    a VPC that is there and leaves it as it is. `environment_suffix` (the profile's name where absent) tells platforms
    of one account apart: it starts the names of training jobs, and is a tag.

    network, storage, training, batch, monitoring, cost   the parts, each a construct; `batch` and `cost` may be None
    outputs                                         what `trainworks` commands find a platform by

    Raises `ConfigurationError` for an unknown profile, for a stack without a region (zones, and repositories of AWS's
    framework images, differ by region), and for a second platform of one suffix in an account and region of the app.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str = ProfileName.DEV,
        environment_suffix: str | None = None,
        vpc: ec2.IVpc | None = None,
        nested: bool = True,
    ) -> None:
        super().__init__(scope, id)
        pin_feature_flags(self)
        self._nested = nested
        self.profile = profile_of(profile)
        self.environment_suffix = checked_suffix(environment_suffix or self.profile.name.value)
        self._require_region()
        self._require_suffix_of_its_own()
        self.network = Network(
            # With a VPC brought along the part makes nothing, and CloudFormation refuses a stack of nothing.
            *(self._place("Network") if vpc is None else (self, "Network")),
            profile=self.profile,
            environment_suffix=self.environment_suffix,
            vpc=vpc,
        )
        self.storage = Storage(*self._place("Storage"), profile=self.profile)
        self.training = Training(
            *self._place("Training"),
            profile=self.profile,
            network=self.network,
            storage=self.storage,
            environment_suffix=self.environment_suffix,
        )
        self.batch = (
            BatchInference(
                *self._place("Batch"),
                profile=self.profile,
                network=self.network,
                storage=self.storage,
                tags=self.resource_tags,
            )
            if self.profile.batch
            else None
        )
        self.monitoring = Monitoring(
            *self._place("Monitoring"),
            profile=self.profile,
            targets=self._monitoring_targets(),
            key=self.storage.operations_key,
        )
        self.cost = (
            CostControl(
                *self._place("Cost"), profile=self.profile, topic=self.monitoring.topic, tags=self.resource_tags
            )
            if self.profile.cost
            else None
        )
        self.tag(self)

    def _place(self, name: str) -> tuple[Construct, str]:
        """Scope and id of a part. In a nested stack it is called `Default`, which the CDK leaves out of logical ids."""
        return (NestedStack(self, name), "Default") if self._nested else (self, name)

    def _require_region(self) -> None:
        stack = Stack.of(self)
        if Token.is_unresolved(stack.region):
            raise ConfigurationError(
                f"the stack {stack.node.path} has no region",
                fix="give the stack env=Environment(account=..., region=...)",
            )

    def _require_suffix_of_its_own(self) -> None:
        """Two platforms of one suffix would have one name for their jobs, tags and permissions."""
        stack = Stack.of(self)
        for other in self.node.root.node.find_all():
            if not isinstance(other, TrainingPlatform) or other.node.path == self.node.path:
                continue
            theirs = Stack.of(other)
            accounts = {account for account in (stack.account, theirs.account) if not Token.is_unresolved(account)}
            same_place = theirs.region == stack.region and len(accounts) < 2
            if same_place and getattr(other, "environment_suffix", None) == self.environment_suffix:
                raise ConfigurationError(
                    f"{self.node.path} has the environment_suffix {self.environment_suffix}, as {other.node.path} has "
                    f"in {stack.region}",
                    fix="give each platform of an account and region an environment_suffix of its own",
                )

    def tag(self, scope: Construct) -> None:
        """Tag everything below `scope` that takes tags as belonging to this platform, for cost allocation."""
        for key, value in self.resource_tags.items():
            Tags.of(scope).add(key, value)

    @property
    def resource_tags(self) -> dict[str, str]:
        """The tags of everything that belongs to this platform; jobs are started with them too."""
        return {
            "Project": "trainworks",
            "Environment": self.environment_suffix,
            "Profile": self.profile.name.value,
            COST_TAG: f"trainworks-{self.environment_suffix}",
        }

    def grant_submit_training(self, grantee: iam.IGrantable) -> iam.Grant:
        """Start, watch and stop training jobs named `<environment suffix>-...`, upload their code, read their logs.

        The jobs run in the platform's VPC as its training role, which the grantee may pass to SageMaker alone.
        """
        return self.training.grant_submit(grantee).combine(self.storage.grant_write_code(grantee))

    def grant_submit_batch(self, grantee: iam.IGrantable) -> iam.Grant:
        """Submit jobs of the platform's definition to its queue, watch and stop them, upload their code."""
        return self._batch().grant_submit(grantee).combine(self.storage.grant_write_code(grantee))

    def grant_read_datasets(self, grantee: iam.IGrantable, prefix: str = "datasets/") -> iam.Grant:
        """List and read objects of the dataset bucket below `prefix`."""
        return self.storage.grant_read_datasets(grantee, prefix)

    def grant_write_datasets(self, grantee: iam.IGrantable, prefix: str = "datasets/") -> iam.Grant:
        """List and write objects of the dataset bucket below `prefix`."""
        return self.storage.grant_write_datasets(grantee, prefix)

    def grant_read_models(self, grantee: iam.IGrantable, prefix: str = "output/") -> iam.Grant:
        """List and read objects of the model bucket below `prefix`."""
        return self.storage.grant_read_models(grantee, prefix)

    def metric_failed_training_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How many training jobs of the platform failed in a period (default: five minutes)."""
        return self.monitoring.metric_failed_training_jobs(period=period)

    def metric_interrupted_training_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How often spot capacity was taken from a training job in a period (default: five minutes)."""
        return self.monitoring.training.interrupted.metric_matched_events(period=period)

    def metric_failed_batch_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How many batch jobs of the platform's queue failed in a period (default: five minutes)."""
        return self._batch_notifications().failed.metric_matched_events(period=period)

    def metric_lost_batch_hosts(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How many batch jobs are tried again because their host was lost, in a period (default: five minutes)."""
        return self._batch_notifications().host_lost.metric_matched_events(period=period)

    def metric_blocked_job_queue(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How often Batch said in a period that the job at the queue's head cannot start (default: five minutes)."""
        return self._batch_notifications().blocked.metric_matched_events(period=period)

    def add_outputs(self) -> None:
        """Give the stack of this construct the outputs that `trainworks` commands look for.

        They look in the stack called `trainworks-<environment suffix>`. Raises `ConfigurationError` if the stack
        has a construct of such a name: one platform per stack has outputs.
        """
        stack, outputs = Stack.of(self), self.outputs
        taken = [key for key in outputs if stack.node.try_find_child(key)]
        if taken:
            raise ConfigurationError(
                f"the stack {stack.node.path} has {', '.join(taken)} already: one platform per stack has outputs",
                fix="call add_outputs() once, for one platform of the stack",
            )
        for key, value in outputs.items():
            CfnOutput(stack, key, value=value)

    @property
    def outputs(self) -> dict[str, str]:
        """What jobs need to know of the platform, by the name of the output: buckets, roles, subnets, queue, ..."""
        storage, training, batch = self.storage, self.training, self.batch
        outputs = {
            "EnvironmentSuffix": self.environment_suffix,
            "Region": Stack.of(self).region,
            "VpcId": self.network.vpc.vpc_id,
            "PrivateSubnetIds": ",".join(training.subnet_ids),
            "DatasetBucketName": storage.dataset_bucket.bucket_name,
            "ModelBucketName": storage.model_bucket.bucket_name,
            "LogBucketName": storage.log_bucket.bucket_name,
            "ECRRepositoryUri": storage.repository.repository_uri,
            "DataKeyArn": storage.data_key.key_arn,
            "TrainingRoleArn": training.training_role_arn,
            "TrainingSecurityGroupId": training.security_group_id,
            "TrainingJobConfig": Stack.of(self).to_json_string(self._training_job_config(self.profile.training)),
            "TrainingLogGroupName": self.monitoring.training_log_group_name,
            "FailureTopicArn": self.monitoring.failure_topic_arn,
            "ResourceTags": Stack.of(self).to_json_string(self.resource_tags),
        }
        if self.monitoring.dashboard_name:
            outputs["DashboardName"] = self.monitoring.dashboard_name
        if batch:
            outputs["ComputeEnvironmentArn"] = batch.compute_environment_arn
            outputs["JobQueueArn"] = batch.job_queue_arn
            outputs["JobDefinitionArn"] = batch.job_definition_arn
            outputs["BatchLogGroupName"] = batch.log_group_name
        if training.notebook and training.notebook_role_arn:
            outputs["NotebookRoleArn"] = training.notebook_role_arn
            outputs["NotebookInstanceName"] = training.notebook.notebook_instance_name
        return outputs

    def _monitoring_targets(self) -> MonitoringTargets:
        batch, vpc = self.batch, self.network.vpc
        endpoints = any(
            isinstance(each, ec2.InterfaceVpcEndpoint) for each in [*vpc.node.find_all(), *self.network.node.find_all()]
        )
        return MonitoringTargets(
            training_role_arn=self.training.training_role_arn,
            environment_suffix=self.environment_suffix,
            job_queue_arn=batch.job_queue_arn if batch else None,
            compute_environment_arns=batch.compute_environment_arns if batch else (),
            nat_gateway_ids=[each.ref for each in vpc.node.find_all() if isinstance(each, ec2.CfnNatGateway)],
            vpc_id=vpc.vpc_id if endpoints else None,
        )

    def _batch(self) -> BatchInference:
        if self.batch is None:
            raise self._without_batch()
        return self.batch

    def _batch_notifications(self) -> BatchNotifications:
        if self.monitoring.batch is None:
            raise self._without_batch()
        return self.monitoring.batch

    def _without_batch(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.node.path} has no batch inference", fix="give it a profile with batch settings"
        )

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
