"""A team's own CDK app: their stack, with a trainworks platform in it.

A service takes orders for training from a queue and starts the jobs; a reader fetches what was trained. Neither knows a
bucket or a role by name: the platform grants them what they need, and its metric feeds the team's own alarm.
"""

from __future__ import annotations

import os
from dataclasses import replace

from trainworks.infra import TrainingPlatform

# isort: split
# The platform came first, so the CDK runs on the Node.js that trainworks[infra] brings. The other way round it runs on
# the `node` of this machine, which works as well.
import aws_cdk as cdk
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from trainworks.config.profile import PROFILES, EnvironmentProfile, ProfileName


def profile() -> EnvironmentProfile:
    """The profile `dev` with what this team does not need left out, and more room for batch jobs."""
    dev = PROFILES[ProfileName.DEV]
    assert dev.batch is not None
    return replace(dev, notebook=None, batch=replace(dev.batch, max_vcpus=32))


class FraudStack(cdk.Stack):
    def __init__(self, scope: Construct, construct_id: str, **options: object) -> None:
        super().__init__(scope, construct_id, **options)
        orders = sqs.Queue(self, "TrainingOrders", enforce_ssl=True, retention_period=cdk.Duration.days(4))
        reports = s3.Bucket(
            self,
            "Reports",
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        tasks = iam.ServicePrincipal(
            "ecs-tasks.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
        )
        trainer = iam.Role(self, "Trainer", assumed_by=tasks)
        reader = iam.Role(self, "Reader", assumed_by=tasks)
        orders.grant_consume_messages(trainer)
        reports.grant_write(reader)

        platform = TrainingPlatform(self, "Ml", profile=profile(), environment_suffix="fraud")
        platform.grant_write_datasets(trainer, "datasets/fraud/")
        platform.grant_submit_training(trainer)
        platform.grant_submit_batch(trainer)
        platform.grant_read_models(reader)

        on_call = sns.Topic(self, "OnCall", enforce_ssl=True)
        # A topic with a policy of its own has lost the default one, which lets the account's alarms publish.
        on_call.grant_publish(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
        alarm = platform.metric_failed_training_jobs(period=cdk.Duration.minutes(15)).create_alarm(
            self, "TrainingKeepsFailing", threshold=3, evaluation_periods=1
        )
        alarm.add_alarm_action(cloudwatch_actions.SnsAction(on_call))
        cdk.CfnOutput(self, "TrainingOrdersUrl", value=orders.queue_url)
        cdk.CfnOutput(self, "TrainerRoleArn", value=trainer.role_arn)
        cdk.CfnOutput(self, "ReaderRoleArn", value=reader.role_arn)
        for key in (
            "VpcId",
            "DatasetBucketName",
            "ModelBucketName",
            "TrainingJobConfig",
            "JobQueueArn",
            "JobDefinitionArn",
        ):
            cdk.CfnOutput(self, key, value=platform.outputs[key])


app = cdk.App()
FraudStack(
    app,
    "fraud-detection",
    env=cdk.Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT", "000000000000"),
        region=os.environ.get("CDK_DEFAULT_REGION", "us-east-1"),
    ),
)
app.synth()
