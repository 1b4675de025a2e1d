"""What the use of a role needs of it, on the resources of this platform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.iam.partial.conditions import Context
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.iam.role_members import RoleMember, members_of_sdk
from trainworks.aws.role_actions import PULL, ROLE_NEEDS, Need, When, Workload
from trainworks.aws.task_actions import (
    MANAGED_RULE_ACTIONS,
    SDK_ACTIONS,
    SDK_SERVICES,
    SDK_UNMAPPED,
    TARGETS,
    TASKS,
    TaskActions,
)
from trainworks.preflight.aws_registries import is_of_aws
from trainworks.preflight.role_uses import RoleUse, Tasks, event_targets
from trainworks.preflight.secrets import secret_needs
from trainworks.preflight.workloads import Model, SageMakerJob
from trainworks.preflight.workloads.jobs import settled
from trainworks.preflight.workloads.values import table, text


@dataclass(frozen=True, slots=True)
class Needed:
    """`action` on any one of `resources`, which name the same thing in the ways a policy may; empty: on something.

    What is not `is_required` has a purpose, but the workload does without; `is_missed`: not without a loss.
    """

    action: str
    resources: tuple[str, ...] = ()
    context: Context = field(default_factory=dict, hash=False)
    is_required: bool = True
    is_missed: bool = False

    def granted(self, permissions: Permissions) -> PartialDecision:
        """Whether the permissions suffice."""
        if not self.resources:
            return permissions.allows_somewhere(self.action)
        return max(permissions.allows(self.action, resource, self.context) for resource in self.resources)


_GROUPS = {
    Workload.TRAINING_JOB: "/aws/sagemaker/TrainingJobs",
    Workload.PROCESSING_JOB: "/aws/sagemaker/ProcessingJobs",
    Workload.TRANSFORM_JOB: "/aws/sagemaker/TransformJobs",
    Workload.ENDPOINT: "/aws/sagemaker/Endpoints/*",
}
_NAMESPACES = {
    Workload.TRAINING_JOB: "/aws/sagemaker/TrainingJobs",
    Workload.PROCESSING_JOB: "/aws/sagemaker/ProcessingJobs",
    Workload.TRANSFORM_JOB: "/aws/sagemaker/TransformJobs",
    Workload.ENDPOINT: "/aws/sagemaker/Endpoints",
}
_IMAGE = (PULL, ("ecr:GetAuthorizationToken",))
_SDK = re.compile(r"arn:[^:]+:states:::aws-sdk:([^:]+):([^.]+)")
_OPTIMIZED = re.compile(r"arn:[^:]+:states:::([a-z]+:[A-Za-z]+)(\.\w+)?(:2)?")
_TO_TASKS: Context = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}
_SUBMITS = "batch:SubmitJob"
_STARTS_TASKS = ("ecs:RunTask", "ecs:StartTask")
_FOR_TAGS = ("Tags", "TagResource", "Reports")
_FUNCTION = re.compile(r"arn:[^:]+:lambda:.+")


def needed_of(graph: Graph, use: RoleUse) -> Iterator[Needed]:
    """What the use needs for certain. Interfaces, checkpoints and keys are checked by rules of their own."""
    return (needed for needed in _parts(graph, use) if needed)


def is_understood(graph: Graph, use: RoleUse) -> bool:
    """Whether `needed_of` is all that the use needs apart from what its own code does."""
    return all(_parts(graph, use))


def _parts(graph: Graph, use: RoleUse) -> Iterator[Needed | None]:
    """None stands for a part whose needs are not known."""
    if use.workload is Workload.STATE_MACHINE and isinstance(use.record, Resource):
        yield from _state_machine(graph, use.record)
    elif use.workload is Workload.EVENT_TARGET and isinstance(use.record, Resource):
        yield from _targets(graph, use.record, use.role)
    elif use.workload:
        for need in ROLE_NEEDS[use.workload].needs:
            if _without_image(use) and need.actions in _IMAGE:
                continue
            if need.when is When.ALWAYS or (need.when in (When.PRIVATE_IMAGE, When.LOGS) and _starts_tasks(use)):
                yield from _needed(graph, use, need)
        if use.workload is Workload.CONTAINER_START and isinstance(use.record, Tasks):
            for container in use.record.containers:
                for value in container.secret_arns:
                    yield from (Needed(action, names) for action, names in secret_needs(graph, value))


def _without_image(use: RoleUse) -> bool:
    """Whether no image is known that the role has to pull: AWS brings an algorithm's, and its own are open to all.

    A part of a request that names no image has one of the account's when the job is submitted.
    """
    if isinstance(use.record, SageMakerJob):
        specification = table(use.record.request.get("AlgorithmSpecification"))
        if "AlgorithmName" in specification:
            return True
        application = table(use.record.request.get("AppSpecification"))
        images = [text(each) for each in (specification.get("TrainingImage"), application.get("ImageUri")) if each]
    elif isinstance(use.record, Model):
        images = list(use.record.images)
    else:
        return False
    return bool(images) and all(isinstance(each, Unknown) or is_of_aws(each) for each in images)


def _starts_tasks(use: RoleUse) -> bool:
    """Whether the role alone starts containers: on EC2 the host's role may do it as well."""
    return use.workload is Workload.CONTAINER_START and isinstance(use.record, Tasks) and use.record.is_fargate


def _needed(graph: Graph, use: RoleUse, need: Need) -> Iterator[Needed]:
    for action in need.actions:
        service = action.partition(":")[0]
        if service == "logs":
            groups = _groups(graph, use)
            if need.when is When.LOGS and not groups:
                continue
            for group in groups or [""]:
                yield Needed(action, _log_resources(graph, action, group))
        elif need.when is When.PRIVATE_IMAGE:
            for repository in _repositories(graph, use):
                yield Needed(action, ("*",) if need.on == "*" else (repository,))
        elif action == "cloudwatch:PutMetricData" and use.workload in _NAMESPACES:
            yield Needed(action, ("*",), {"cloudwatch:namespace": _NAMESPACES[use.workload]})
        else:
            yield Needed(action, ("*",) if need.on == "*" else ())


def _groups(graph: Graph, use: RoleUse) -> list[str]:
    """Log groups that the workload writes; empty if they are not known."""
    if use.workload in _GROUPS:
        return [_GROUPS[use.workload]]
    record = use.record
    if isinstance(record, Tasks):
        return [each.log_group for each in record.containers if each.log_driver == "awslogs" and each.log_group]
    resource = use.at if isinstance(use.at, Resource) else None
    if resource is None:
        return []
    if use.workload is Workload.FUNCTION:
        return [text(resource.get("LoggingConfig", "LogGroup")) or f"/aws/lambda/{resource.physical_id}"]
    if use.workload is Workload.FLOW_LOG:
        name, _, named = (
            text(resource.get("LogGroupName")),
            *text(resource.get("LogDestination")).partition(":log-group:")[1:],
        )
        return [each for each in (name or named.removesuffix(":*"),) if each]
    return []


def _log_resources(graph: Graph, action: str, group: str) -> tuple[str, ...]:
    """The ARNs under which a policy may mean a log group or its streams."""
    if not group or isinstance(group, Unknown):
        return ()
    if action == "logs:DescribeLogGroups":
        return ("*",)
    arn = f"arn:{graph.partition}:logs:{graph.region}:{graph.account}:log-group:{group}"
    return (arn, f"{arn}:*", f"{arn}:log-stream:*", f"{arn}:log-stream:x")


def _repositories(graph: Graph, use: RoleUse) -> list[str]:
    """ARNs of the private ECR repositories of the workload's images."""
    if not isinstance(use.record, Tasks):
        return []
    found = [parse_ecr_uri(each.image) for each in use.record.containers if not isinstance(each.image, Unknown)]
    return [uri.repository_arn for uri in found if uri]


def _state_machine(graph: Graph, machine: Resource) -> Iterator[Needed | None]:
    definition = machine.get("Definition")
    if definition is None:
        written = machine.get("DefinitionString")
        try:
            definition = None if isinstance(written, Unknown) else json.loads(str(written))
        except ValueError:
            definition = None
    if not isinstance(definition, Mapping):
        yield None
        return
    substitutions = table(machine.get("DefinitionSubstitutions"))
    for task in _tasks(definition):
        resource = text(task.get("Resource"))
        whole = substitutions.get(resource[2:-1]) if resource.startswith("${") and resource.endswith("}") else None
        parameters = settled(task.get("Parameters") or task.get("Arguments"), substitutions)
        yield from _task(graph, text(whole) or resource, parameters)


def _tasks(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if value.get("Type") == "Task" and isinstance(value.get("Resource"), str):
            yield value
        for each in value.values():
            yield from _tasks(each)
    elif isinstance(value, list):
        for each in value:
            yield from _tasks(each)


def _task(graph: Graph, resource: str, parameters: object) -> Iterator[Needed | None]:
    """What a task needs. `parameters` is None or unknown if the state's input is the request."""
    if isinstance(resource, Unknown) or "${" in resource:
        yield None
        return
    if _FUNCTION.fullmatch(resource):
        yield Needed("lambda:InvokeFunction", (resource,))
        return
    sdk = _SDK.match(resource)
    if sdk:
        service, operation = SDK_SERVICES.get(sdk[1], sdk[1]), sdk[2]
        action = f"{service}:{operation[:1].upper()}{operation[1:]}"
        yield None if action in SDK_UNMAPPED else Needed(SDK_ACTIONS.get(action, action))
        yield from _passed(graph, members_of_sdk(sdk[1], operation), parameters)
        if action in _STARTS_TASKS:
            yield from _passed_to_tasks(graph, _member(parameters, "TaskDefinition"))
        return
    optimized = _OPTIMIZED.fullmatch(resource)
    actions = TASKS.get(optimized[1]) if optimized else None
    if optimized and actions:
        yield from _integrated(graph, actions, table(parameters), waits=(optimized[2] or "").startswith(".sync"))
        yield from _passed(graph, members_of_sdk(*optimized[1].split(":")), parameters)
        if actions.start in _STARTS_TASKS:
            yield from _passed_to_tasks(graph, _member(parameters, "TaskDefinition"))
    else:
        yield None


def _integrated(graph: Graph, actions: TaskActions, parameters: Mapping[str, Any], *, waits: bool) -> Iterator[Needed]:
    yield Needed(actions.start, _arns(graph, parameters.get(actions.on)))
    if actions.start == _SUBMITS:
        yield from _submitted(graph, parameters.get("JobDefinition"))
    for action in actions.also:
        yield Needed(action, is_required=False, is_missed=waits and not action.endswith(_FOR_TAGS))
    if waits and actions.sync_rule:
        rule = f"arn:{graph.partition}:events:{graph.region}:{graph.account}:rule/{actions.sync_rule}"
        for action in MANAGED_RULE_ACTIONS:
            yield Needed(action, (rule,))


def _passed(graph: Graph, members: Iterable[RoleMember], parameters: object) -> Iterator[Needed]:
    """The roles that a request passes: those that it names, and those that it must have although nothing names them."""
    for member in members:
        context: Context = {"iam:passedtoservice": member.recipient} if member.recipient else {}
        if isinstance(parameters, Mapping):
            for value in member.values(parameters):
                yield Needed("iam:PassRole", _role_arns(graph, value), context)
        elif member.is_required:
            yield Needed("iam:PassRole", (), context)


def _member(parameters: object, name: str) -> object:
    return next((value for key, value in table(parameters).items() if key.lower() == name.lower()), None)


def _role_arns(graph: Graph, value: object) -> tuple[str, ...]:
    """The role that a value names; that of an instance profile is not looked up."""
    return tuple(arn for arn in _arns(graph, value) if ":role/" in arn)


def _targets(graph: Graph, rule: Resource, role: Resource) -> Iterator[Needed | None]:
    for target in event_targets(rule):
        if graph.owner(target.get("RoleArn")) is not role:
            continue
        found = graph.owner(target.get("Arn"))
        action = TARGETS.get(found.type) if found else None
        if action == "ecs:RunTask":
            yield Needed(action, _arns(graph, table(target.get("EcsParameters")).get("TaskDefinitionArn")))
            yield from _passed_to_tasks(graph, table(target.get("EcsParameters")).get("TaskDefinitionArn"))
            yield Needed("ecs:TagResource", is_required=False)
        else:
            yield Needed(action, _arns(graph, target.get("Arn"))) if action else None
        if action == _SUBMITS:
            yield from _submitted(graph, table(target.get("BatchParameters")).get("JobDefinition"))


def _submitted(graph: Graph, job_definition: object) -> Iterator[Needed]:
    """Who submits a job needs it of its definition as well as of the queue; a policy may name every revision."""
    found = graph.owner(job_definition)
    if found is not None and found.type == "AWS::Batch::JobDefinition":
        name, _, revision = found.arn.rpartition(":")
        yield Needed(_SUBMITS, (found.arn, name) if revision.isdigit() else (found.arn, f"{found.arn}:1"))


def _passed_to_tasks(graph: Graph, task_definition: object) -> Iterator[Needed]:
    """The roles of a task definition; an unknown one may name none."""
    found = graph.owner(task_definition)
    if found is None or found.type != "AWS::ECS::TaskDefinition":
        yield Needed("iam:PassRole", is_required=False)
        return
    for name in ("TaskRoleArn", "ExecutionRoleArn"):
        if found.get(name) is not None:
            yield Needed("iam:PassRole", _role_arns(graph, found.get(name)), _TO_TASKS)


def _arns(graph: Graph, value: object) -> tuple[str, ...]:
    """The ARN that a value is or whose resource it names; empty if that is only known at run time."""
    if not isinstance(value, str) or isinstance(value, Unknown) or not value or "${" in value or value[:2] == "{%":
        return ()
    if value.startswith("arn:"):
        return (value,)
    owner = graph.owner(value)
    return (owner.arn,) if owner else ()
