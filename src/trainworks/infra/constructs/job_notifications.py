"""Which events of jobs people are notified of, and in which words.

Patterns after "Batch job state change events", "Job queue blocked events" (AWS Batch User Guide) and "Automating
SageMaker AI with EventBridge" (SageMaker AI Developer Guide).
"""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct

from trainworks.infra.constructs.event_notification import EventNotification, Message

_TRAINING = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Training Job State Change"]}
_BATCH = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"]}
HOST_LOST = "Host EC2"
"""How the reason starts that Batch gives when a host ended under a job; only such attempts are repeated."""


class TrainingNotifications(Construct):
    """Told of training jobs of one role: failed, and interrupted because AWS took spot instances back.

    failed, interrupted   `EventNotification`s
    """

    def __init__(
        self, scope: Construct, id: str, *, training_role_arn: str, environment_suffix: str, topic_arn: str
    ) -> None:
        super().__init__(scope, id)
        console = f"https://{Stack.of(self).region}.console.aws.amazon.com/sagemaker/home#/jobs/<name>"
        paths = {"name": "$.detail.TrainingJobName", "reason": "$.detail.FailureReason"}
        failed = Message(
            (
                f"Training job <name> of environment {environment_suffix} failed.",
                "Reason: <reason>",
                f"Job: {console}",
                "Log: trainworks logs <name>",
            ),
            paths,
        )
        interrupted = Message(
            (
                f"Training job <name> of environment {environment_suffix} lost its spot instances.",
                "It waits for others and goes on from its last checkpoint.",
                f"Job: {console}",
            ),
            {"name": paths["name"]},
        )
        role = {"RoleArn": [training_role_arn]}
        self.failed = EventNotification(
            self,
            "Failed",
            description="Training jobs of the platform that failed",
            event_pattern={**_TRAINING, "detail": {"TrainingJobStatus": ["Failed"], **role}},
            message=failed,
            topic_arn=topic_arn,
        )
        self.interrupted = EventNotification(
            self,
            "Interrupted",
            description="Training jobs of the platform whose spot instances were taken back",
            event_pattern={
                **_TRAINING,
                "detail": {"TrainingJobStatus": ["InProgress"], "SecondaryStatus": ["Interrupted"], **role},
            },
            message=interrupted,
            topic_arn=topic_arn,
        )


class BatchNotifications(Construct):
    """Told of one job queue: a job failed, a host was lost under a job, a job blocks the queue.

    failed, host_lost, blocked   `EventNotification`s

    EC2's own interruption warning names an instance and nothing else, neither tag nor queue, so that it cannot be told
    from those of other systems in the account; Batch's events can. For an array job that fails, one message is sent and
    not one for each child.
    """

    def __init__(
        self, scope: Construct, id: str, *, job_queue_arn: str, environment_suffix: str, topic_arn: str
    ) -> None:
        super().__init__(scope, id)
        console = f"https://{Stack.of(self).region}.console.aws.amazon.com/batch/home#jobs/detail/<id>"
        paths = {"name": "$.detail.jobName", "id": "$.detail.jobId", "reason": "$.detail.statusReason"}
        queue = {"jobQueue": [job_queue_arn]}
        self.failed = EventNotification(
            self,
            "Failed",
            description="Batch jobs of the platform that failed",
            event_pattern={
                **_BATCH,
                "detail": {
                    "status": ["FAILED"],
                    **queue,
                    "arrayProperties": {"index": [{"exists": False}]},
                },
            },
            message=Message(
                (
                    f"Batch job <name> (<id>) of environment {environment_suffix} failed.",
                    "Reason: <reason> <container>",
                    f"Job: {console}",
                    "Log: trainworks logs <id>",
                ),
                {**paths, "container": "$.detail.container.reason"},
            ),
            topic_arn=topic_arn,
        )
        self.host_lost = EventNotification(
            self,
            "HostLost",
            description="Batch jobs of the platform that lost their host and wait for another",
            event_pattern={
                **_BATCH,
                "detail": {"status": ["RUNNABLE"], **queue, "attempts": {"statusReason": [{"prefix": HOST_LOST}]}},
            },
            message=Message(
                (
                    f"Batch job <name> (<id>) of environment {environment_suffix} lost its host, as spot hosts do.",
                    "It waits for another and starts again.",
                    f"Job: {console}",
                ),
                {"name": paths["name"], "id": paths["id"]},
            ),
            topic_arn=topic_arn,
        )
        self.blocked = EventNotification(
            self,
            "QueueBlocked",
            description="A job blocks the platform's job queue",
            event_pattern={"source": ["aws.batch"], "detail-type": ["Batch Job Queue Blocked"], "detail": queue},
            message=Message(
                (
                    f"Batch job <name> (<id>) blocks the job queue of environment {environment_suffix}.",
                    "Reason: <reason>",
                    "Jobs behind it wait until it is cancelled or can be placed.",
                    f"Job: {console}",
                ),
                paths,
            ),
            topic_arn=topic_arn,
        )
