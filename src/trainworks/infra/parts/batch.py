"""Batch inference: compute environments, a queue, a job definition, their roles and log group."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CfnTag, Fn, RemovalPolicy, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from trainworks.config.profile import BatchProfile, EnvironmentProfile, profile_of
from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.compute_environment import ComputeEnvironment, ComputePlacement
from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.policy import (
    Prefixes,
    Statement,
    allow,
    framework_repository_arns,
    key_use,
    repository_access,
)
from trainworks.infra.constructs.workload_security_group import WorkloadSecurityGroup
from trainworks.infra.feature_flags import pin_feature_flags
from trainworks.infra.grants import grant
from trainworks.infra.parts.network import Network
from trainworks.infra.parts.storage import Storage

STUCK_REASONS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
)
"""The reasons for which a job at the head of the queue cannot be placed, in the words that Batch matches: the job asks
for more than the
compute environment has, no instance type fits it, or there is no capacity."""


class BatchInference(Construct):
    """Jobs run on spot hosts first, and on on-demand hosts where the profile allows them.

    `tags` are those of the hosts and their volumes, which CDK's own `Tags` does not reach.

    compute_environment_arn, job_queue_arn, job_definition_arn   what `SubmitJob` asks for; the first environment's
    log_group_name                                               where the jobs' output goes
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        network: Network,
        storage: Storage,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._host_tags = [CfnTag(key=key, value=value) for key, value in (tags or {}).items()]
        pin_feature_flags(self)
        settings = profile_of(profile)
        if settings.batch is None:
            raise ConfigurationError("the profile has no batch settings", fix="give a profile with batch settings")
        self._storage = storage
        stack = Stack.of(self)
        self._account_arn = f"{stack.region}:{stack.account}"
        self.log_group = logs.CfnLogGroup(
            self,
            "LogGroup",
            retention_in_days=settings.monitoring.log_retention_days,
            kms_key_id=storage.operations_key.key_arn,
        )
        self.log_group.apply_removal_policy(RemovalPolicy.RETAIN if settings.storage.retain else RemovalPolicy.DESTROY)
        self.log_group_name = self.log_group.ref
        environments = self._compute_environments(settings.batch, network)
        self.compute_environment_arns = [environment.compute_environment_arn for environment in environments]
        self.compute_environment_arn = self.compute_environment_arns[0]
        self.job_queue_arn = self._job_queue(settings.batch, environments).attr_job_queue_arn
        self.job_definition_arn = self._job_definition(settings.batch).ref

    def grant_submit(self, grantee: iam.IGrantable) -> iam.Grant:
        """Submit jobs of the definition to the queue, describe, stop and list them, read what they wrote.

        Describe and list actions know no resources; stopping is limited to jobs of this account and region.
        """
        stack = Stack.of(self)
        # The definition's ARN ends in its revision; a later deployment makes another one.
        definition = Fn.join(
            ":", [*(Fn.select(part, Fn.split(":", self.job_definition_arn)) for part in range(6)), "*"]
        )
        return grant(
            grantee,
            [
                allow("BatchSubmit", ["batch:SubmitJob"], [self.job_queue_arn, definition]),
                # Jobs are submitted with the platform's tags, which asks for a permission of its own.
                allow(
                    "BatchJobs",
                    ["batch:CancelJob", "batch:TerminateJob", "batch:TagResource"],
                    [f"arn:{stack.partition}:batch:{self._account_arn}:job/*"],
                ),
                allow("BatchLook", ["batch:DescribeJobs", "batch:ListJobs"], ["*"]),
                allow("BatchLogs", ["logs:GetLogEvents", "logs:FilterLogEvents"], [self.log_group.attr_arn]),
            ],
        )

    def _compute_environments(self, profile: BatchProfile, network: Network) -> list[ComputeEnvironment]:
        role = ExecutionRole(
            self, "InstanceRole", service="ec2.amazonaws.com", statements=self._instance_statements(), bound=False
        )
        placement = ComputePlacement(
            subnet_ids=[subnet.subnet_id for subnet in network.batch_subnets],
            security_group_id=WorkloadSecurityGroup(
                self,
                "SecurityGroup",
                vpc=network.vpc,
                description="Batch hosts",
                destinations=network.destinations_from(network.batch_subnets),
            ).security_group_id,
            instance_profile_arn=iam.CfnInstanceProfile(self, "InstanceProfile", roles=[role.role_name]).attr_arn,
            launch_template=self._launch_template(profile),
        )
        environments = [ComputeEnvironment(self, "Spot", profile=profile, placement=placement, spot=True)]
        if profile.on_demand_max_vcpus:
            environments.append(ComputeEnvironment(self, "OnDemand", profile=profile, placement=placement, spot=False))
        return environments

    def _launch_template(
        self, profile: BatchProfile
    ) -> batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty:
        """IMDSv2 only; encrypted volumes.

        A hop limit of one does not protect here: Batch starts containers in the host's own network, where nothing is
        between them and the host's credentials. What protects is that the instance role can do little but the work of
        the ECS agent.
        """
        template = ec2.CfnLaunchTemplate(
            self,
            "LaunchTemplate",
            launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
                metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
                    http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
                ),
                block_device_mappings=[
                    ec2.CfnLaunchTemplate.BlockDeviceMappingProperty(
                        device_name="/dev/xvda",
                        ebs=ec2.CfnLaunchTemplate.EbsProperty(
                            encrypted=True,
                            volume_size=profile.volume_size_in_gb,
                            volume_type="gp3",
                            delete_on_termination=True,
                        ),
                    )
                ],
                tag_specifications=[
                    ec2.CfnLaunchTemplate.TagSpecificationProperty(resource_type=kind, tags=self._host_tags)
                    for kind in ("instance", "volume", "network-interface")
                    if self._host_tags
                ],
            ),
            tag_specifications=[
                ec2.CfnLaunchTemplate.LaunchTemplateTagSpecificationProperty(
                    resource_type="launch-template", tags=self._host_tags
                )
            ]
            if self._host_tags
            else None,
        )
        return batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
            launch_template_id=template.ref, version=template.attr_latest_version_number
        )

    def _job_queue(self, profile: BatchProfile, environments: list[ComputeEnvironment]) -> batch.CfnJobQueue:
        return batch.CfnJobQueue(
            self,
            "JobQueue",
            state="ENABLED",
            priority=profile.queue_priority,
            compute_environment_order=[
                batch.CfnJobQueue.ComputeEnvironmentOrderProperty(
                    compute_environment=environment.compute_environment_arn, order=order
                )
                for order, environment in enumerate(environments, start=1)
            ],
            job_state_time_limit_actions=[
                batch.CfnJobQueue.JobStateTimeLimitActionProperty(
                    state="RUNNABLE",
                    action="CANCEL",
                    reason=reason,
                    max_time_seconds=profile.runnable_limit_seconds,
                )
                for reason in STUCK_REASONS
            ],
        )

    def _job_definition(self, profile: BatchProfile) -> batch.CfnJobDefinition:
        job_role, execution_role = self._job_role(), self._execution_role()
        container = batch.CfnJobDefinition.ContainerPropertiesProperty(
            image=f"{self._storage.repository.repository_uri}:{profile.image_tag}",
            job_role_arn=job_role.role_arn,
            execution_role_arn=execution_role.role_arn,
            resource_requirements=[
                batch.CfnJobDefinition.ResourceRequirementProperty(type="VCPU", value=str(profile.job_vcpus)),
                batch.CfnJobDefinition.ResourceRequirementProperty(type="MEMORY", value=str(profile.job_memory_mib)),
            ],
            log_configuration=batch.CfnJobDefinition.LogConfigurationProperty(
                log_driver="awslogs",
                options={
                    "awslogs-group": self.log_group_name,
                    "awslogs-region": Stack.of(self).region,
                    "awslogs-stream-prefix": "inference",
                },
            ),
        )
        return batch.CfnJobDefinition(
            self,
            "JobDefinition",
            type="container",
            platform_capabilities=["EC2"],
            propagate_tags=True,
            container_properties=container,
            timeout=batch.CfnJobDefinition.TimeoutProperty(attempt_duration_seconds=profile.job_timeout_seconds),
            retry_strategy=batch.CfnJobDefinition.RetryStrategyProperty(
                attempts=profile.job_attempts,
                evaluate_on_exit=[
                    # A lost host is worth another attempt; a job that fails by itself would fail again.
                    batch.CfnJobDefinition.EvaluateOnExitProperty(action="RETRY", on_status_reason="Host EC2*"),
                    batch.CfnJobDefinition.EvaluateOnExitProperty(action="EXIT", on_reason="*"),
                ],
            ),
        )

    def _job_role(self) -> ExecutionRole:
        """What the inference code may do: data, nothing else."""
        storage = self._storage
        return ExecutionRole(
            self,
            "JobRole",
            service="ecs-tasks.amazonaws.com",
            source_arn=f"arn:{Stack.of(self).partition}:ecs:{self._account_arn}:*",
            statements=[
                *Prefixes(storage.dataset_bucket.bucket_arn, read=("datasets/",)).statements("Datasets"),
                *Prefixes(
                    storage.model_bucket.bucket_arn, read=("output/", "code/"), write=("predictions/",)
                ).statements("Models"),
                *key_use(storage.data_key.key_arn),
            ],
        )

    def _execution_role(self) -> ExecutionRole:
        """What starts the container: its image, the platform's or a framework's of AWS, and its log."""
        repositories = [
            self._storage.repository.repository_arn,
            *framework_repository_arns(Stack.of(self).partition, Stack.of(self).region),
        ]
        return ExecutionRole(
            self,
            "JobExecutionRole",
            service="ecs-tasks.amazonaws.com",
            source_arn=f"arn:{Stack.of(self).partition}:ecs:{self._account_arn}:*",
            statements=[*repository_access(repositories), self._write_logs()],
        )

    def _write_logs(self) -> Statement:
        return allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.attr_arn])

    def _instance_statements(self) -> list[Statement]:
        """The ECS agent of a host. Batch names its clusters itself, so they are not known here.

        The host writes the containers' logs as well: Docker's log driver uses the instance's credentials.
        """
        arn = f"arn:{Stack.of(self).partition}:ecs:{self._account_arn}"
        return [
            allow("Discover", ["ecs:DiscoverPollEndpoint", "ec2:DescribeTags"], ["*"]),
            allow(
                "Cluster",
                [
                    "ecs:RegisterContainerInstance",
                    "ecs:DeregisterContainerInstance",
                    "ecs:SubmitAttachmentStateChanges",
                    "ecs:SubmitContainerStateChange",
                    "ecs:SubmitTaskStateChange",
                ],
                [f"{arn}:cluster/*"],
            ),
            allow(
                "Instance",
                ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
                [f"{arn}:container-instance/*"],
            ),
            allow(
                "InstanceTags",
                ["ecs:TagResource"],
                [f"{arn}:container-instance/*"],
                {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}},
            ),
            self._write_logs(),
        ]
