"""What an AWS service needs of the role that a workload runs as: one table for checking roles and for documenting them.

Sources: the execution-role pages of the SageMaker, Batch, ECS, Lambda, Step Functions, EventBridge, VPC and CodeBuild
guides. Every action exists in AWS's service authorization reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Workload(StrEnum):
    """What runs as a role. A batch job has three: its code's, the one that starts its container, its host's."""

    TRAINING_JOB = "training job"
    PROCESSING_JOB = "processing job"
    TRANSFORM_JOB = "transform job"
    NOTEBOOK_INSTANCE = "notebook instance"
    ENDPOINT = "endpoint"
    CONTAINER_TASK = "container task"
    CONTAINER_START = "start of a container"
    CONTAINER_HOST = "container host"
    FUNCTION = "Lambda function"
    STATE_MACHINE = "state machine"
    EVENT_TARGET = "target of an event rule"
    FLOW_LOG = "flow log"
    BUILD = "CodeBuild project"


class When(StrEnum):
    """When a need exists. All but `ALWAYS` follow from what the workload is configured with, or from its code."""

    ALWAYS = "always"
    PRIVATE_IMAGE = "image in a private ECR repository"
    LOGS = "logs go to CloudWatch Logs"
    VPC = "runs in a VPC"
    CHECKPOINTS = "has a checkpoint location"
    KEY = "reads or writes under a KMS key"
    VOLUME_KEY = "has a volume under a KMS key"
    CODE = "its own code asks for it"


@dataclass(frozen=True, slots=True)
class Need:
    """`actions` on the resources that `on` names in words, `*` where the actions know no resources.

    `condition` is the condition key and value that a least-privilege statement carries, in words.
    """

    purpose: str
    actions: tuple[str, ...]
    on: str
    when: When = When.ALWAYS
    condition: str = ""


@dataclass(frozen=True, slots=True)
class RoleNeeds:
    """Everything one workload needs of its role; `service` is the principal that assumes it.

    `source_keys`: whether the service sends `aws:SourceAccount` and `aws:SourceArn` when it does, so that a trust
    policy can bind it to the account. `bounded`: the services of which it needs only what is here; None: all
    services. What its owner's code does with others, nobody knows.
    """

    workload: Workload
    service: str
    needs: tuple[Need, ...]
    source_keys: bool = True
    bounded: frozenset[str] | None = None

    @property
    def actions(self) -> frozenset[str]:
        """Every action of every need."""
        return frozenset(action for need in self.needs for action in need.actions)


PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
SAGEMAKER_INTERFACE = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
FUNCTION_INTERFACE = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
)
BUILD_INTERFACE = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
READ_DATA = ("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")
WRITE_DATA = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
CHECKPOINTS = ("s3:GetObject", "s3:PutObject", "s3:ListBucket")
KEY_USE = ("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey")
_MANAGEMENT = frozenset({"iam", "sts", "organizations", "cloudformation", "ec2", "ecs", "batch", "lambda", "states"})
_JOB_BOUNDS = _MANAGEMENT | {"sagemaker", "ecr", "s3", "kms", "logs"}
SAGEMAKER_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


def _image(when: When = When.ALWAYS) -> tuple[Need, ...]:
    return (
        Need("pull the image", PULL, "the image's repository", when),
        Need("log in to ECR", ("ecr:GetAuthorizationToken",), "*", when),
    )


def _sagemaker(group: str, namespace: str) -> tuple[Need, ...]:
    return (
        *_image(),
        Need("write logs", SAGEMAKER_LOGS, f"log group {group}*"),
        Need("find its log streams", ("logs:DescribeLogStreams",), f"log group {group}*", When.CODE),
        Need(
            "publish metrics",
            ("cloudwatch:PutMetricData",),
            "*",
            condition=f"cloudwatch:namespace is {namespace}",
        ),
        Need("join the VPC", SAGEMAKER_INTERFACE, "its subnets, groups and interfaces; describes on *", When.VPC),
        Need("use the data key", KEY_USE, "the key", When.KEY),
        Need("encrypt again", ("kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"), "the key", When.CODE),
        Need(
            "attach encrypted volumes",
            ("kms:CreateGrant",),
            "the key",
            When.VOLUME_KEY,
            "kms:GrantIsForAWSResource is true",
        ),
    )


_DATA = (
    Need("read input", READ_DATA, "its prefixes", When.CODE, "s3:prefix for ListBucket"),
    Need("write output", WRITE_DATA, "its prefixes", When.CODE),
)

ROLE_NEEDS: dict[Workload, RoleNeeds] = {
    needs.workload: needs
    for needs in (
        RoleNeeds(
            Workload.TRAINING_JOB,
            "sagemaker.amazonaws.com",
            (
                *_DATA,
                Need("save and resume", CHECKPOINTS, "the checkpoint prefix", When.CHECKPOINTS),
                *_sagemaker("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TrainingJobs"),
            ),
            bounded=_JOB_BOUNDS,
        ),
        RoleNeeds(
            Workload.PROCESSING_JOB,
            "sagemaker.amazonaws.com",
            (*_DATA, *_sagemaker("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/ProcessingJobs")),
            bounded=_JOB_BOUNDS,
        ),
        RoleNeeds(
            Workload.TRANSFORM_JOB,
            "sagemaker.amazonaws.com",
            (*_DATA, *_sagemaker("/aws/sagemaker/TransformJobs", "/aws/sagemaker/TransformJobs")),
            bounded=_JOB_BOUNDS,
        ),
        RoleNeeds(
            Workload.NOTEBOOK_INSTANCE,
            "sagemaker.amazonaws.com",
            (
                Need(
                    "run training jobs",
                    (
                        "sagemaker:CreateTrainingJob",
                        "sagemaker:DescribeTrainingJob",
                        "sagemaker:StopTrainingJob",
                        "sagemaker:AddTags",
                    ),
                    "training-job/<prefix>*",
                    When.CODE,
                    "denied without sagemaker:VpcSubnets",
                ),
                Need(
                    "know and stop itself",
                    ("sagemaker:DescribeNotebookInstance", "sagemaker:StopNotebookInstance"),
                    "the notebook instance",
                    When.CODE,
                ),
                Need(
                    "hand the training role to SageMaker",
                    ("iam:PassRole",),
                    "the training role",
                    When.CODE,
                    "iam:PassedToService is sagemaker.amazonaws.com",
                ),
                *_DATA,
                Need("work with images", PULL, "the repository", When.CODE),
                Need(
                    "push images",
                    ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"),
                    "the repository",
                    When.CODE,
                ),
                Need("log in to ECR", ("ecr:GetAuthorizationToken",), "*", When.CODE),
                Need("write logs", SAGEMAKER_LOGS, "log group /aws/sagemaker/NotebookInstances*", When.CODE),
                Need(
                    "read job logs",
                    ("logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"),
                    "log group /aws/sagemaker/TrainingJobs*",
                    When.CODE,
                ),
                Need("use the data key", KEY_USE, "the key", When.KEY),
                Need(
                    "attach its encrypted volume",
                    ("kms:CreateGrant",),
                    "the key",
                    When.VOLUME_KEY,
                    "kms:GrantIsForAWSResource is true",
                ),
                Need("join the VPC", SAGEMAKER_INTERFACE, "its subnet, group and interfaces; describes on *", When.VPC),
            ),
            bounded=frozenset({"iam", "organizations", "ec2"}),
        ),
        RoleNeeds(
            Workload.ENDPOINT,
            "sagemaker.amazonaws.com",
            (
                Need("read the model", READ_DATA, "the artefact prefix", When.CODE),
                Need("capture data", ("s3:PutObject",), "the capture prefix", When.CODE),
                *_sagemaker("/aws/sagemaker/Endpoints/", "/aws/sagemaker/Endpoints"),
            ),
            bounded=_JOB_BOUNDS,
        ),
        RoleNeeds(
            Workload.CONTAINER_TASK,
            "ecs-tasks.amazonaws.com",
            (*_DATA, Need("use the data key", KEY_USE, "the key", When.KEY)),
            bounded=frozenset({"ecr", "ecs"}),
        ),
        RoleNeeds(
            Workload.CONTAINER_START,
            "ecs-tasks.amazonaws.com",
            (
                *_image(When.PRIVATE_IMAGE),
                Need("write logs", ("logs:CreateLogStream", "logs:PutLogEvents"), "the job's log group", When.LOGS),
                Need("make the log group", ("logs:CreateLogGroup",), "the job's log group", When.CODE),
                Need(
                    "read secrets",
                    ("secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt"),
                    "the secrets of the container",
                    When.CODE,
                ),
            ),
        ),
        RoleNeeds(
            Workload.CONTAINER_HOST,
            "ec2.amazonaws.com",
            (
                Need("find the cluster", ("ecs:DiscoverPollEndpoint",), "*"),
                Need("read its tags", ("ec2:DescribeTags",), "*", When.CODE),
                Need("make the default cluster", ("ecs:CreateCluster",), "*", When.CODE),
                Need(
                    "join the cluster",
                    ("ecs:RegisterContainerInstance", "ecs:DeregisterContainerInstance"),
                    "the cluster",
                ),
                Need(
                    "report states",
                    (
                        "ecs:SubmitAttachmentStateChanges",
                        "ecs:SubmitContainerStateChange",
                        "ecs:SubmitTaskStateChange",
                    ),
                    "the cluster",
                ),
                Need(
                    "take tasks",
                    ("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"),
                    "container instances of the cluster",
                ),
                Need(
                    "tag itself",
                    ("ecs:TagResource",),
                    "container instances",
                    When.CODE,
                    "ecs:CreateAction is RegisterContainerInstance",
                ),
                Need("write container logs", ("logs:CreateLogStream", "logs:PutLogEvents"), "log groups", When.LOGS),
                *_image(When.PRIVATE_IMAGE),
            ),
            source_keys=False,
        ),
        RoleNeeds(
            Workload.FUNCTION,
            "lambda.amazonaws.com",
            (
                Need("write logs", ("logs:CreateLogStream", "logs:PutLogEvents"), "the function's log group"),
                Need("make the log group", ("logs:CreateLogGroup",), "the function's log group", When.CODE),
                Need("join the VPC", FUNCTION_INTERFACE, "*", When.VPC),
                Need(
                    "share interfaces",
                    ("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
                    "*",
                    When.CODE,
                ),
                Need("send what failed", ("sqs:SendMessage", "sns:Publish"), "its dead-letter target", When.CODE),
                Need("read what arrives", ("sqs:ReceiveMessage", "sqs:DeleteMessage"), "its event source", When.CODE),
                *_DATA,
                Need("use the data key", KEY_USE, "the key", When.KEY),
            ),
            # Lambda assumes the role without saying for which function.
            source_keys=False,
            bounded=frozenset(),
        ),
        RoleNeeds(
            Workload.STATE_MACHINE,
            "states.amazonaws.com",
            (
                # What its tasks need follows from its definition (`task_actions`).
                Need(
                    "write execution logs",
                    (
                        "logs:CreateLogDelivery",
                        "logs:GetLogDelivery",
                        "logs:UpdateLogDelivery",
                        "logs:DeleteLogDelivery",
                        "logs:ListLogDeliveries",
                        "logs:PutResourcePolicy",
                        "logs:DescribeResourcePolicies",
                        "logs:DescribeLogGroups",
                    ),
                    "*",
                    When.CODE,
                ),
                Need(
                    "trace",
                    (
                        "xray:PutTraceSegments",
                        "xray:PutTelemetryRecords",
                        "xray:GetSamplingRules",
                        "xray:GetSamplingTargets",
                    ),
                    "*",
                    When.CODE,
                ),
            ),
        ),
        RoleNeeds(Workload.EVENT_TARGET, "events.amazonaws.com", ()),
        RoleNeeds(
            Workload.FLOW_LOG,
            "vpc-flow-logs.amazonaws.com",
            (
                Need("deliver", ("logs:CreateLogStream", "logs:PutLogEvents"), "the log group"),
                Need("find its streams", ("logs:DescribeLogStreams",), "the log group", When.CODE),
                Need("find the group", ("logs:DescribeLogGroups",), "*", When.CODE),
                Need("make the log group", ("logs:CreateLogGroup",), "the log group", When.CODE),
            ),
        ),
        RoleNeeds(
            Workload.BUILD,
            "codebuild.amazonaws.com",
            (
                Need("write logs", ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), "its group"),
                Need("join the VPC", BUILD_INTERFACE, "*", When.VPC),
                Need("pass artefacts on", (*READ_DATA, *WRITE_DATA), "the artefact bucket", When.CODE),
                Need(
                    "report tests",
                    (
                        "codebuild:CreateReportGroup",
                        "codebuild:CreateReport",
                        "codebuild:UpdateReport",
                        "codebuild:BatchPutTestCases",
                        "codebuild:BatchPutCodeCoverages",
                    ),
                    "its report groups",
                    When.CODE,
                ),
                Need("deploy", ("sts:AssumeRole",), "the CDK bootstrap roles", When.CODE),
            ),
            bounded=frozenset(),
        ),
    )
}
