"""TW06: Fargate tasks of a size that does not exist, and tasks that nobody may start."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.instance_types import FARGATE_MEMORY_MIB
from trainworks.preflight.finding import Severity
from trainworks.preflight.needs import has_private_image
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import JobDefinition, TaskDefinition, workloads_of
from trainworks.preflight.workloads.values import Number


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Jobs of Batch and tasks of ECS."""
    workloads = workloads_of(graph)
    for job in workloads.job_definitions:
        if job.is_fargate:
            yield from _size(job.resource, job.vcpus, job.memory_mib)
            yield from _of_job(job)
        elif not job.execution_role_arn and any(each.secret_arns for each in job.containers):
            yield _without_role(job.resource, "a Batch job")
    for task in workloads.task_definitions:
        if task.is_fargate:
            cpu = task.cpu_units
            yield from _size(task.resource, cpu / 1024 if isinstance(cpu, float) else cpu, task.memory_mib)
            yield from _of_task(task)
        elif not task.execution_role_arn and any(each.secret_arns for each in task.containers):
            yield _without_role(task.resource, "a task")


def _without_role(at: Resource, what: str) -> Fault:
    """On hosts of EC2 too: secrets are fetched as the execution role alone."""
    message = f"{what} has secrets but no execution role to fetch them: it does not start"
    return Fault(at, message, "", "set ExecutionRoleArn to a role that may read the secrets")


def _size(at: Resource, vcpus: Number, memory_mib: Number) -> Iterator[Fault]:
    if vcpus is None or memory_mib is None:
        missing = "vCPUs" if vcpus is None else "memory"
        yield Fault(at, f"a Fargate task must state its {missing}", "", "give both, as one of Fargate's pairs")
        return
    if not isinstance(vcpus, float) or not isinstance(memory_mib, float):
        return
    written = f"{vcpus:g} vCPU, {memory_mib:g} MiB"
    memories = FARGATE_MEMORY_MIB.get(vcpus)
    if memories is None:
        sizes = ", ".join(f"{each:g}" for each in FARGATE_MEMORY_MIB)
        yield Fault(at, f"Fargate has no tasks of {vcpus:g} vCPU", written, f"ask for one of {sizes} vCPU")
    elif int(memory_mib) not in memories:
        choice = f"from {memories[0]} to {memories[-1]} in steps of {memories[1] - memories[0]}"
        if vcpus == min(FARGATE_MEMORY_MIB):
            choice = ", ".join(map(str, memories))
        message = f"a Fargate task of {vcpus:g} vCPU cannot have {memory_mib:g} MiB: registering it fails"
        yield Fault(at, message, written, f"with {vcpus:g} vCPU ask for {choice} MiB")


def _of_job(job: JobDefinition) -> Iterator[Fault]:
    if job.gpus:
        yield Fault(job.resource, "Fargate has no GPUs: the job is rejected", "", "run it on EC2")
    if not job.execution_role_arn:
        message = "a Batch job on Fargate has no execution role to pull its image and write its log: it is rejected"
        yield Fault(job.resource, message, "", "set ExecutionRoleArn")


def _of_task(task: TaskDefinition) -> Iterator[Fault]:
    """ECS wants the role where the agent calls AWS for the task: a private image, a log in CloudWatch, a secret."""
    if task.execution_role_arn:
        return
    reasons = []
    if any(has_private_image(each) for each in task.containers):
        reasons.append("pull its image from ECR")
    if any(each.log_driver == "awslogs" for each in task.containers):
        reasons.append("write its log")
    if any(each.secret_arns for each in task.containers):
        reasons.append("fetch its secrets")
    if reasons:
        message = f"a Fargate task without execution role cannot {', '.join(reasons)}: it does not start"
        yield Fault(task.resource, message, "", "set ExecutionRoleArn")


RULE = Rule(
    code="TW06",
    severity=Severity.ERROR,
    title="a Fargate task of a size that does not exist, or a task without the role that starts it",
    origin="Fargate has a table of pairs of vCPU and memory, and starts containers as an execution role.",
    find=find,
)
