"""Who may start training jobs: statements for the notebook's role and for `grant_submit_training`."""

from __future__ import annotations

from dataclasses import dataclass

from trainworks.infra.constructs.policy import Statement, allow
from trainworks.infra.constructs.training_log_retention import TRAINING_LOG_GROUP
from trainworks.infra.constructs.training_role import SAGEMAKER


@dataclass(frozen=True, slots=True)
class TrainingAccess:
    """Jobs named `<job_prefix>...`, run as `training_role_arn`, of one account and region."""

    training_role_arn: str
    job_prefix: str
    partition: str
    region: str
    account: str

    @property
    def jobs_arn(self) -> str:
        """Pattern of the jobs' ARNs."""
        return f"{self._arn('sagemaker')}:training-job/{self.job_prefix}*"

    def submit(self) -> list[Statement]:
        """Start jobs in a VPC, watch and stop them; the training role may be passed, and to SageMaker alone."""
        return [
            allow(
                "TrainingJobCreate",
                ["sagemaker:CreateTrainingJob"],
                [self.jobs_arn],
                {"Null": {"sagemaker:VpcSubnets": "false"}},
            ),
            allow(
                "TrainingJobs",
                ["sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", "sagemaker:AddTags"],
                [self.jobs_arn],
            ),
            allow(
                "PassTrainingRole",
                ["iam:PassRole"],
                [self.training_role_arn],
                {"StringEquals": {"iam:PassedToService": SAGEMAKER}},
            ),
        ]

    def read_logs(self) -> list[Statement]:
        """What jobs wrote. The log group is shared by all environments of an account and region."""
        return [
            allow(
                "TrainingLogs",
                ["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                [f"{self._arn('logs')}:log-group:{TRAINING_LOG_GROUP}*"],
            )
        ]

    def _arn(self, service: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}"
