"""Every role of the platform: who assumes it, what it may do, and why. The documented set, written by hand.

`docs/reference/roles.md` is this table as a page; a test compares it with every role of every profile's templates,
statement by statement, so that neither a permission nor a word here can come or go alone. `${Names}` stand for what a
deploy makes.

Source of what is needed: `aws.role_actions`. Which action knows which resource and condition: the Service
Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trainworks.config.profile import EnvironmentProfile

Condition = Mapping[str, Mapping[str, str | tuple[str, ...]]]
Predicate = Callable[[EnvironmentProfile], bool]

ACCOUNT_ARN = "${Region}:${Account}"
TRAINING_LOGS = f"arn:${{Partition}}:logs:{ACCOUNT_ARN}:log-group:/aws/sagemaker/TrainingJobs"
NOTEBOOK_LOGS = f"arn:${{Partition}}:logs:{ACCOUNT_ARN}:log-group:/aws/sagemaker/NotebookInstances"
OWN_JOBS = f"arn:${{Partition}}:sagemaker:{ACCOUNT_ARN}:training-job/${{Suffix}}-*"
NO_RESOURCES = ("*",)
"""For actions that cannot be limited to resources."""


def _always(_: EnvironmentProfile) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement. `when`: the profiles that have it."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    condition: Condition | None = None
    effect: str = "Allow"
    when: Predicate = _always


@dataclass(frozen=True, slots=True)
class PlatformRole:
    """A role by its construct path. `source_arn` narrows who of the service's resources may use it."""

    place: str
    service: str
    for_what: str
    grants: tuple[Grant, ...]
    source_account: bool = True
    source_arn: str | None = None
    when: Predicate = _always
    condition: str = ""
    """In words: the profiles that have the role, if not all have it."""


def _arn(service: str, resource: str) -> str:
    return f"arn:${{Partition}}:{service}:{ACCOUNT_ARN}:{resource}"


def _objects(bucket: str, *prefixes: str) -> tuple[str, ...]:
    return tuple(f"${{{bucket}}}/{prefix}*" for prefix in prefixes)


def _listing(sid: str, bucket: str, *prefixes: str) -> Grant:
    listed = tuple(f"{prefix}*" for prefix in prefixes)
    condition = {"StringLike": {"s3:prefix": listed}}
    return Grant(
        sid, ("s3:ListBucket",), (f"${{{bucket}}}",), "find the objects, below these prefixes alone", condition
    )


READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload")
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
PUSH = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")
IMAGES = ("${Repository}", "${FrameworkRepositories}")
LOGIN = Grant("ImageLogin", ("ecr:GetAuthorizationToken",), NO_RESOURCES, "log in to ECR")
KEY_USE = Grant(
    "KeyUse", ("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"), ("${DataKey}",), "objects are under this key"
)
KEY_GRANTS = Grant(
    "KeyGrants",
    ("kms:CreateGrant",),
    ("${DataKey}",),
    "SageMaker attaches an encrypted volume; grants to anybody but an AWS service are refused",
    {"Bool": {"kms:GrantIsForAWSResource": "true"}},
)
SAGEMAKER_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams")


def _interfaces(subnets: str, security_group: str) -> tuple[Grant, ...]:
    """What SageMaker does with the role to put an interface into the VPC."""
    interfaces = _arn("ec2", "network-interface/*")
    return (
        Grant(
            "InterfaceCreate",
            ("ec2:CreateNetworkInterface",),
            (interfaces, _arn("ec2", f"subnet/{subnets}"), _arn("ec2", f"security-group/{security_group}")),
            "join the VPC, in these subnets behind this group alone",
        ),
        Grant(
            "InterfaceManage",
            (
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ),
            (interfaces,),
            "hand the interface to SageMaker, take it away at the end",
        ),
        Grant(
            "InterfaceDescribe",
            (
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeVpcs",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeSubnets",
                "ec2:DescribeSecurityGroups",
            ),
            NO_RESOURCES,
            "see whether the interface is there",
        ),
    )


TRAINING = PlatformRole(
    "Training/TrainingRole",
    "sagemaker.amazonaws.com",
    "training jobs",
    (
        _listing("DatasetsList", "DatasetBucket", "datasets/"),
        Grant("DatasetsRead", READ, _objects("DatasetBucket", "datasets/"), "input data"),
        _listing("ModelsList", "ModelBucket", "checkpoints/", "code/", "output/"),
        Grant(
            "ModelsRead",
            READ,
            _objects("ModelBucket", "output/", "checkpoints/", "code/"),
            "resume from a checkpoint, go on from a model, load the code",
        ),
        Grant(
            "ModelsWrite",
            WRITE,
            _objects("ModelBucket", "output/", "checkpoints/"),
            "the model and the checkpoints; nothing is deleted",
        ),
        Grant("ImageAccess", PULL, IMAGES, "the platform's image, or a framework's in AWS's accounts"),
        LOGIN,
        Grant("Logs", SAGEMAKER_LOGS, (f"{TRAINING_LOGS}*",), "the job's log, in the group that SageMaker writes to"),
        Grant(
            "Metrics",
            ("cloudwatch:PutMetricData",),
            NO_RESOURCES,
            "the job's metrics, in this namespace alone",
            {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
        ),
        KEY_USE,
        KEY_GRANTS,
        *_interfaces("${IsolatedSubnets}", "${TrainingSecurityGroup}"),
    ),
)

NOTEBOOK = PlatformRole(
    "Training/NotebookRole",
    "sagemaker.amazonaws.com",
    "the notebook instance",
    (
        Grant(
            "TrainingJobCreate",
            ("sagemaker:CreateTrainingJob",),
            (OWN_JOBS,),
            "start jobs of this environment, in a VPC",
            {"Null": {"sagemaker:VpcSubnets": "false"}},
        ),
        Grant(
            "TrainingJobs",
            ("sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", "sagemaker:AddTags"),
            (OWN_JOBS,),
            "watch, stop and tag jobs of this environment",
        ),
        Grant(
            "PassTrainingRole",
            ("iam:PassRole",),
            ("${TrainingRole}",),
            "jobs run as the training role, as no other, and only in SageMaker",
            {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        Grant(
            "TrainingOutsideTheVpc",
            ("sagemaker:CreateTrainingJob",),
            (OWN_JOBS,),
            "no job outside of a VPC, whatever a later policy allows",
            {"Null": {"sagemaker:VpcSubnets": "true"}},
            effect="Deny",
        ),
        _listing("DatasetsList", "DatasetBucket", "datasets/", "notebook-idle/"),
        Grant("DatasetsRead", READ, _objects("DatasetBucket", "datasets/"), "look at data"),
        Grant(
            "DatasetsWrite",
            WRITE,
            _objects("DatasetBucket", "datasets/", "notebook-idle/"),
            "prepare data; signal that it is idle",
        ),
        _listing("ModelsList", "ModelBucket", "checkpoints/", "code/", "output/", "predictions/"),
        Grant(
            "ModelsRead",
            READ,
            _objects("ModelBucket", "output/", "checkpoints/", "code/", "predictions/"),
            "look at models and predictions",
        ),
        Grant("ModelsWrite", WRITE, _objects("ModelBucket", "code/"), "the code of jobs"),
        Grant("ImageAccess", (*PULL, *PUSH), ("${Repository}",), "build the images of jobs"),
        LOGIN,
        Grant("Logs", SAGEMAKER_LOGS, (f"{NOTEBOOK_LOGS}*",), "the notebook's log"),
        Grant(
            "TrainingLogs",
            ("logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"),
            (f"{TRAINING_LOGS}*",),
            "read the logs of jobs; all environments of an account and region share the group",
        ),
        KEY_USE,
        KEY_GRANTS,
        *_interfaces("${NotebookSubnet}", "${NotebookSecurityGroup}"),
    ),
    when=lambda profile: profile.notebook is not None,
    condition="with a notebook",
)

ECS_SOURCE = _arn("ecs", "*")

JOB = PlatformRole(
    "Batch/JobRole",
    "ecs-tasks.amazonaws.com",
    "the code of batch jobs",
    (
        _listing("DatasetsList", "DatasetBucket", "datasets/"),
        Grant("DatasetsRead", READ, _objects("DatasetBucket", "datasets/"), "input data"),
        _listing("ModelsList", "ModelBucket", "code/", "output/", "predictions/"),
        Grant("ModelsRead", READ, _objects("ModelBucket", "output/", "code/"), "the model and the code"),
        Grant("ModelsWrite", WRITE, _objects("ModelBucket", "predictions/"), "predictions"),
        KEY_USE,
    ),
    source_arn=ECS_SOURCE,
    when=lambda profile: profile.batch is not None,
    condition="with Batch",
)

JOB_EXECUTION = PlatformRole(
    "Batch/JobExecutionRole",
    "ecs-tasks.amazonaws.com",
    "starting the container of a batch job",
    (
        Grant("ImageAccess", PULL, IMAGES, "the platform's image, or a framework's in AWS's accounts"),
        LOGIN,
        Grant("Logs", ("logs:CreateLogStream", "logs:PutLogEvents"), ("${BatchLogGroup}",), "the job's log"),
    ),
    source_arn=ECS_SOURCE,
    when=lambda profile: profile.batch is not None,
    condition="with Batch",
)

INSTANCE = PlatformRole(
    "Batch/InstanceRole",
    "ec2.amazonaws.com",
    "hosts of batch jobs, which are the ECS agent's",
    (
        Grant("Discover", ("ecs:DiscoverPollEndpoint", "ec2:DescribeTags"), NO_RESOURCES, "find the service"),
        Grant(
            "Cluster",
            (
                "ecs:RegisterContainerInstance",
                "ecs:DeregisterContainerInstance",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
            ),
            (_arn("ecs", "cluster/*"),),
            "join the cluster, whose name Batch makes up, and report",
        ),
        Grant(
            "Instance",
            ("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"),
            (_arn("ecs", "container-instance/*"),),
            "get tasks",
        ),
        Grant(
            "InstanceTags",
            ("ecs:TagResource",),
            (_arn("ecs", "container-instance/*"),),
            "tags of the host, while it joins",
            {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}},
        ),
        Grant(
            "Logs",
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            ("${BatchLogGroup}",),
            "Docker's log driver has the host's credentials",
        ),
    ),
    source_account=False,  # EC2 gives no such key when it assumes a role
    when=lambda profile: profile.batch is not None,
    condition="with Batch",
)

FLOW_LOG = PlatformRole(
    "Network/FlowLog/Role",
    "vpc-flow-logs.amazonaws.com",
    "the VPC's flow log",
    (
        Grant(
            "Deliver",
            ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
            ("${FlowLogGroup}",),
            "write the flow log",
        ),
        Grant("Find", ("logs:DescribeLogGroups",), NO_RESOURCES, "find its group"),
    ),
    source_arn=_arn("ec2", "vpc-flow-log/*"),
    when=lambda profile: profile.network.flow_logs,
    condition="with flow logs",
)


def _machine(
    place: str, for_what: str, grants: tuple[Grant, ...], when: Predicate = _always, condition: str = ""
) -> tuple[PlatformRole, PlatformRole]:
    """The role of a state machine at `place`, and of the rule that starts it."""
    start = Grant("Start", ("states:StartExecution",), (f"${{{place}}}",), "start this state machine")
    return (
        PlatformRole(f"{place}/Role", "states.amazonaws.com", for_what, grants, when=when, condition=condition),
        PlatformRole(
            f"{place}/StarterRole",
            "events.amazonaws.com",
            f"the rule that starts {for_what}",
            (start,),
            when=when,
            condition=condition,
        ),
    )


ROLES: tuple[PlatformRole, ...] = (
    TRAINING,
    NOTEBOOK,
    *_machine(
        "Training/Notebook/IdleStop",
        "the state machine that stops an idle notebook",
        (Grant("Stop", ("sagemaker:StopNotebookInstance",), ("${Notebook}",), "stop this notebook"),),
        NOTEBOOK.when,
        NOTEBOOK.condition,
    ),
    JOB,
    JOB_EXECUTION,
    INSTANCE,
    FLOW_LOG,
    *_machine(
        "Network/DefaultSecurityGroup",
        "the state machine that closes the VPC's default security group",
        (
            Grant("Find", ("ec2:DescribeSecurityGroupRules",), NO_RESOURCES, "which rules there are"),
            Grant(
                "Close",
                ("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"),
                (
                    _arn("ec2", "security-group/${DefaultSecurityGroup}"),
                    _arn("ec2", "security-group-rule/*"),
                ),
                "take away rules of this group; a rule's ARN does not tell its group, which is asked for as well",
            ),
        ),
    ),
    *_machine(
        "Monitoring/TrainingLogRetention",
        "the state machine that sets the retention of SageMaker's log groups",
        (
            Grant("Find", ("logs:DescribeLogGroups",), NO_RESOURCES, "what the retention is"),
            Grant(
                "Set",
                ("logs:PutRetentionPolicy",),
                (TRAINING_LOGS, f"{TRAINING_LOGS}:*", NOTEBOOK_LOGS, f"{NOTEBOOK_LOGS}:*"),
                "set it, where it is shorter",
                when=NOTEBOOK.when,
            ),
            Grant(
                "Set",
                ("logs:PutRetentionPolicy",),
                (TRAINING_LOGS, f"{TRAINING_LOGS}:*"),
                "set it, where it is shorter",
                when=lambda profile: profile.notebook is None,
            ),
        ),
        lambda profile: profile.monitoring.training_log_retention_days is not None,
        "with a retention of training logs",
    ),
)
"""All roles, in the order of the page. A role of a template that is not here fails the test."""


def documented_roles(profile: EnvironmentProfile) -> Mapping[str, tuple[PlatformRole, tuple[Grant, ...]]]:
    """The roles that a platform of `profile` has, by construct path, each with the statements that it has there."""
    return {
        role.place: (role, tuple(grant for grant in role.grants if grant.when(profile)))
        for role in ROLES
        if role.when(profile)
    }
