"""What a workload does through VPC endpoints: which action, on which resource, as which role.

What SageMaker does for a job from its own network (image, log) does not count, nor the calls that S3 makes to KMS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.partial.conditions import Context
from trainworks.aws.iam.partial.endpoints import lets_through
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import role_context, session_of
from trainworks.aws.reach import VpcEndpoint
from trainworks.preflight.needs import code_roles, service_of_action
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.s3_uris import location_of
from trainworks.preflight.workloads import (
    BatchEnvironment,
    Container,
    EcsTasks,
    Model,
    SageMakerJob,
    TrainingJob,
    Workload,
)

_IMAGE = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z.]+/([^:@]+)")
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


@dataclass(frozen=True, slots=True)
class Passage:
    """What a workload does through a VPC endpoint.

    `service` is the endpoint's; `resource` is an ARN, or with `*` at its end all ARNs that begin so. `role_arn` is the
    caller, "" if it is unknown. `why` completes "it cannot ...". The workload may work without what is not
    `is_required`.
    """

    service: str
    action: str
    resource: str
    role_arn: str
    why: str
    is_required: bool = True


def refused(graph: Graph, endpoint: VpcEndpoint, passage: Passage) -> bool:
    """Whether the endpoint's policy certainly denies it."""
    role = permissions_of(graph).role(passage.role_arn)
    caller = None if role is None else session_of(role.arn, graph.account)
    context: dict[str, str | tuple[str, ...]] = {**_context(graph, passage.resource)}
    answer = lets_through(endpoint.policy, endpoint.is_gateway, caller, passage.action, passage.resource, context)
    return answer is PartialDecision.NO


def _context(graph: Graph, resource: str) -> Context:
    """The known condition keys of the request: the account of a bucket that is in these templates."""
    known = dict(role_context(graph.account, graph.region))
    bucket, arn = resource.partition("/")[0], parts_of_arn(resource)
    owner = arn.account or (graph.account if arn.service == "s3" and graph.owner(bucket) is not None else "")
    return {**known, "aws:resourceaccount": owner} if owner else known


def passages_of(graph: Graph, workload: Workload) -> Iterator[Passage]:
    """Everything that is known to go through endpoints, if there are any."""
    if isinstance(workload, SageMakerJob):
        yield from _of_job(graph, workload)
    elif isinstance(workload, Model):
        for uri in workload.artefact_s3_uris:
            yield from _of_s3(graph, workload.role_arn, uri, ("s3:GetObject",), "load its artefact")
    elif isinstance(workload, BatchEnvironment):
        for definition in workload.job_definitions:
            starter = definition.execution_role_arn or ("" if workload.is_fargate else workload.role_arn)
            for container in definition.containers:
                yield from _of_container(graph, container, starter)
    elif isinstance(workload, EcsTasks):
        task = workload.task_definition
        for container in task.containers if task is not None and task.is_fargate else ():
            yield from _of_container(graph, container, task.execution_role_arn if task is not None else "")
    for role_arn in dict.fromkeys(code_roles(workload)):
        yield from _granted(graph, role_arn)


def _of_job(graph: Graph, job: SageMakerJob) -> Iterator[Passage]:
    for uri in job.input_s3_uris:
        yield from _of_s3(graph, job.role_arn, uri, ("s3:ListBucket", "s3:GetObject"), "read its input")
    for uri in job.written_s3_uris:
        yield from _of_s3(graph, job.role_arn, uri, ("s3:PutObject",), "write its output")
    if isinstance(job, TrainingJob) and job.checkpoint_s3_uri:
        actions = ("s3:ListBucket", "s3:GetObject", "s3:PutObject")
        yield from _of_s3(graph, job.role_arn, job.checkpoint_s3_uri, actions, "save and resume its checkpoints")


def _of_s3(graph: Graph, role_arn: str, uri: str, actions: tuple[str, ...], why: str) -> Iterator[Passage]:
    location = location_of(uri)
    if location is None or ":" in location.bucket:  # unknown, or an access point
        return
    bucket = location.bucket_arn(graph.partition)
    for action in actions:
        resource = bucket if action == "s3:ListBucket" else f"{bucket}/{location.prefix}*"
        yield Passage("s3", action, resource, role_arn, why)


def _of_container(graph: Graph, container: Container, role_arn: str) -> Iterator[Passage]:
    image = None if isinstance(container.image, Unknown) else _IMAGE.match(container.image)
    if image is not None:
        account, region, name = image.groups()
        repository = f"arn:{graph.partition}:ecr:{region}:{account}:repository/{name}"
        yield Passage("ecr.api", "ecr:GetAuthorizationToken", "*", role_arn, "authenticate for its image")
        for action in _PULL:
            yield Passage("ecr.dkr", action, repository, role_arn, "pull its image")
    if container.log_driver == "awslogs":
        group = container.log_group or Unknown("a log group that only the deployment tells")
        stream = f"arn:{graph.partition}:logs:{graph.region}:{graph.account}:log-group:{group}:log-stream:*"
        where = Unknown(stream) if isinstance(group, Unknown) else stream
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield Passage("logs", action, where, role_arn, "open the log of its containers, which do not start")
    for arn in container.secret_arns:
        service = parts_of_arn(arn).service
        reads = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameters"}.get(service)
        if reads and not isinstance(arn, Unknown):
            yield Passage(service, reads, f"{arn}*", role_arn, "fetch the secrets of its containers")


def _granted(graph: Graph, role_arn: str) -> Iterator[Passage]:
    """The actions that its role is allowed by name on known resources: a grant suggests that they are called."""
    role = permissions_of(graph).role(role_arn)
    for statement in permissions_of(graph).of(role).statements if role is not None else ():
        for action in statement.actions if statement.allows and statement.is_own else ():
            service = service_of_action(action)
            if service is None or "*" in action or "?" in action:
                continue
            for resource in statement.resources:
                yield Passage(service, action, resource, role_arn, "use what its role grants there", False)
