"""Which AWS services a workload inside a VPC has to reach, and why.

A service is called by the last part of its endpoint's name (`com.amazonaws.REGION.ecr.api` is `ecr.api`). `INTERNET`
stands for addresses outside AWS. Calls that AWS makes for the workload from its own network (a training job's image and
log, a function's log) need nothing from the VPC and are not listed.

Sources: "Give SageMaker Training Jobs Access to Resources in Your Amazon VPC", "Connect a Notebook Instance in a VPC to
External Resources" (SageMaker AI Developer Guide); "Amazon ECS interface VPC endpoints", "Amazon ECR interface VPC
endpoints", "Considerations for AWS Batch" interface endpoints; "Use CodeBuild with Amazon VPC".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

INTERNET = "internet"


class WorkloadKind(StrEnum):
    """What runs in a subnet, in the words of a report."""

    TRAINING_JOB = "training job"
    PROCESSING_JOB = "processing job"
    NOTEBOOK_INSTANCE = "notebook instance"
    MODEL = "model"
    BATCH_EC2 = "Batch hosts"
    BATCH_FARGATE = "Batch jobs on Fargate"
    ECS_EC2 = "ECS tasks on EC2"
    ECS_FARGATE = "ECS tasks on Fargate"
    LAMBDA_FUNCTION = "Lambda function"
    CODEBUILD_PROJECT = "CodeBuild project"


class Necessity(StrEnum):
    """When a service is missed, and how much.

    ALWAYS         without it the workload does not work
    PRIVATE_IMAGE  the same, when its image is in a private repository of ECR
    PUBLIC_IMAGE   the same, when its image is in any other registry
    AWSLOGS        the same, when its containers log to CloudWatch: they do not start where their log cannot be opened
    SECRETS        the same, when its containers get secrets or parameters from the service
    REPOSITORY     the same, when a Git repository outside AWS is cloned at its start
    CONVENIENCE    it works; what people usually do from it does not
    """

    ALWAYS = "always"
    PRIVATE_IMAGE = "private-image"
    PUBLIC_IMAGE = "public-image"
    AWSLOGS = "awslogs"
    SECRETS = "secrets"
    REPOSITORY = "repository"
    CONVENIENCE = "convenience"


@dataclass(frozen=True, slots=True)
class ServiceNeed:
    """`why` completes the sentence "it cannot ..."."""

    service: str
    necessity: Necessity
    why: str


_N = Necessity
_DATA = ServiceNeed("s3", _N.ALWAYS, "read its input or write its output")
_CONTAINER = (
    ServiceNeed("ecr.api", _N.PRIVATE_IMAGE, "authenticate for its image"),
    ServiceNeed("ecr.dkr", _N.PRIVATE_IMAGE, "pull its image's manifest"),
    ServiceNeed("s3", _N.PRIVATE_IMAGE, "pull the layers of its image, which ECR keeps in S3"),
    ServiceNeed(INTERNET, _N.PUBLIC_IMAGE, "pull its image"),
    ServiceNeed("logs", _N.AWSLOGS, "open the log of its containers, which therefore do not start"),
    ServiceNeed("secretsmanager", _N.SECRETS, "fetch the secrets of its containers"),
    ServiceNeed("ssm", _N.SECRETS, "fetch the parameters of its containers"),
)
_ECS_AGENT = (
    ServiceNeed("ecs", _N.ALWAYS, "register with its cluster"),
    ServiceNeed("ecs-agent", _N.ALWAYS, "get the tasks that it is to run"),
    ServiceNeed("ecs-telemetry", _N.ALWAYS, "report how its tasks are"),
)

SERVICE_NEEDS: Mapping[WorkloadKind, tuple[ServiceNeed, ...]] = {
    WorkloadKind.TRAINING_JOB: (_DATA,),
    WorkloadKind.PROCESSING_JOB: (_DATA,),
    WorkloadKind.MODEL: (ServiceNeed("s3", _N.ALWAYS, "load its artefact"),),
    # A notebook instance itself needs no service: it is started, opened and stopped by way of AWS's own network. It
    # works with data in S3; jobs, endpoints and logs can as well be used from elsewhere. What its start-up script
    # calls is a need as well, and is read from the script (`preflight.workloads.scripts`).
    WorkloadKind.NOTEBOOK_INSTANCE: (
        ServiceNeed("s3", _N.ALWAYS, "read or write data"),
        ServiceNeed("sagemaker.api", _N.CONVENIENCE, "start or follow jobs"),
        ServiceNeed("sagemaker.runtime", _N.CONVENIENCE, "invoke endpoints"),
        ServiceNeed("sts", _N.CONVENIENCE, "tell whose credentials it has, which the SageMaker SDK asks first"),
        ServiceNeed("logs", _N.CONVENIENCE, "read the logs of jobs"),
        ServiceNeed(INTERNET, _N.REPOSITORY, "clone its repository, and fails to start"),
    ),
    WorkloadKind.BATCH_EC2: (*_ECS_AGENT, *_CONTAINER),
    WorkloadKind.BATCH_FARGATE: _CONTAINER,
    WorkloadKind.ECS_FARGATE: _CONTAINER,
    # Images and logs of these tasks are the business of their hosts, whose network interfaces are not the tasks'.
    WorkloadKind.ECS_EC2: (),
    # What a function or a build calls is in its code.
    WorkloadKind.LAMBDA_FUNCTION: (),
    WorkloadKind.CODEBUILD_PROJECT: (
        ServiceNeed("s3", _N.CONVENIENCE, "fetch its source or cache, or store its artefacts"),
        ServiceNeed("logs", _N.CONVENIENCE, "write its log"),
    ),
}
"""What each kind of workload needs, in the order in which it needs it."""


SERVICES_OF_ACTIONS: Mapping[str, str] = {
    "athena": "athena",
    "bedrock": "bedrock-runtime",
    "dynamodb": "dynamodb",
    "rekognition": "rekognition",
    "s3": "s3",
    "sagemaker": "sagemaker.api",
    "sagemaker:InvokeEndpoint": "sagemaker.runtime",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "states": "states",
}
"""Where calls of an IAM service prefix, or of one action, go. Left out is what AWS often does for the workload with the
role's permissions: reading queues and streams, dead letters, logs, traces, decryption, network interfaces."""


def services_of(
    kinds: Iterable[WorkloadKind], necessities: Iterable[Necessity] = (_N.ALWAYS, _N.PRIVATE_IMAGE, _N.AWSLOGS)
) -> frozenset[str]:
    """The services that workloads of these kinds need; by default for private images and logs in CloudWatch."""
    chosen = frozenset(necessities)
    return frozenset(need.service for kind in kinds for need in SERVICE_NEEDS[kind] if need.necessity in chosen)
