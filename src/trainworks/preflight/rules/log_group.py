"""TW29: a log group that nobody writes to, a writer whose log group nobody makes, a flow log that never delivers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import table, tables

_LOG_GROUP = "AWS::Logs::LogGroup"
_SHARED = frozenset(
    {
        "/aws/sagemaker/TrainingJobs",
        "/aws/sagemaker/ProcessingJobs",
        "/aws/sagemaker/TransformJobs",
        "/aws/sagemaker/NotebookInstances",
        "/aws/sagemaker/LabelingJobs",
        "/aws/sagemaker/studio",
        "/aws/batch/job",
    }
)
"""Groups that a service writes under a name of its own, whoever runs the job."""

_BY_NAME = re.compile(
    r"/aws/(sagemaker/(Endpoints|InferenceComponents|Clusters)|codebuild|ecs/containerinsights|eks"
    r"|rds/(instance|cluster)|apigateway|kinesisfirehose|states|vendedlogs)/.+"
)
"""Groups that a service names after one of its resources."""

_OF_FUNCTIONS = "/aws/lambda/"
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_EDGE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d\.")

_READERS = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::KMS::Key",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::QueryDefinition",
        "AWS::Logs::SubscriptionFilter",
    }
)
"""Types whose mention of a log group does not fill it."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    groups = graph.of_type(_LOG_GROUP)
    names = {name for group in groups if isinstance(name := group.get("LogGroupName"), str)}
    for group in groups:
        if not _has_writer(graph, group):
            yield Fault(
                group,
                "nothing in the templates writes to this log group, and no service writes to a group of this name",
                group.physical_id,
                "name it in the source of the logs, or use the group that the service really writes to "
                "(SageMaker: /aws/sagemaker/TrainingJobs)",
            )
    for resource, container in _containers(graph):
        yield from _missing_group(graph, resource, container, names)
    yield from _undelivered(graph)


def _has_writer(graph: Graph, group: Resource) -> bool:
    name = group.physical_id
    if isinstance(name, Unknown) or name in _SHARED:
        return True
    if name.startswith(_OF_FUNCTIONS) and _may_be_of_function(graph, name.removeprefix(_OF_FUNCTIONS)):
        return True
    if _BY_NAME.fullmatch(name):
        return True
    return any(_writes(reference.source) for reference in graph.users_of(group))


def _may_be_of_function(graph: Graph, name: str) -> bool:
    """Whether a function has the name. Where the templates have none at all, others may be elsewhere.

    What a macro makes is not known, and Lambda@Edge puts a region before the name.
    """
    functions = graph.of_type(*_FUNCTIONS)
    named = [each.get("FunctionName", default=each.physical_id) for each in functions]
    made = any(
        "Transform" in graph.template(stack, stack_path)
        for stack in graph.stacks
        for stack_path in graph.stack_paths(stack)
    )
    uncertain = made or not functions or any(isinstance(each, Unknown) for each in named)
    return uncertain or _EDGE.match(name) is not None or name in named


def _writes(source: Resource | None) -> bool:
    """An output or a role only mentions the group; its writer names it in its own settings."""
    return source is not None and source.type not in _READERS and source.type != "AWS::IAM::Role"


def _containers(graph: Graph) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    for resource in graph.of_type("AWS::ECS::TaskDefinition"):
        yield from ((resource, each) for each in tables(resource.get("ContainerDefinitions")))
    for resource in graph.of_type("AWS::Batch::JobDefinition"):
        nodes = tables(resource.get("NodeProperties", "NodeRangeProperties"))
        for body in (resource.properties, *nodes):
            yield resource, table(body.get("ContainerProperties" if body is resource.properties else "Container"))
            for task in tables(table(body.get("EcsProperties")).get("TaskProperties")):
                yield from ((resource, each) for each in tables(task.get("Containers")))


def _missing_group(graph: Graph, resource: Resource, container: Mapping[str, Any], names: set[str]) -> Iterator[Fault]:
    log = table(container.get("LogConfiguration"))
    options = table(log.get("Options"))
    group = options.get("awslogs-group")
    if log.get("LogDriver") != "awslogs" or not isinstance(group, str) or isinstance(group, Unknown):
        return
    owner = graph.owner(group)
    is_there = group in names or group in _SHARED or (owner is not None and owner.type == _LOG_GROUP)
    if not is_there and str(options.get("awslogs-create-group", "")).lower() != "true":
        if _is_named_by_parameter(graph, resource):
            return  # it is another's, made elsewhere
        yield Fault(
            resource,
            "its log group is in no template, and awslogs does not create it: the container does not start",
            group,
            "a log group resource that awslogs-group refers to, or awslogs-create-group: true and a role that may",
            Severity.ERROR,
        )


def _is_named_by_parameter(graph: Graph, resource: Resource) -> bool:
    """Whether each log group of the resource's containers is what a parameter says."""
    parameters = graph.template(resource.stack, resource.stack_path).get("Parameters") or {}
    written = list(_groups(resource.raw.get("Properties")))
    return bool(written) and all(isinstance(each, Mapping) and each.get("Ref") in parameters for each in written)


def _groups(value: Any) -> Iterator[Any]:
    """What stands at each `awslogs-group`, as the template has it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "awslogs-group":
                yield each
            else:
                yield from _groups(each)
    elif isinstance(value, list):
        for each in value:
            yield from _groups(each)


def _undelivered(graph: Graph) -> Iterator[Fault]:
    """`Fn::GetAtt` of a log group's Arn ends in `:*`, which EC2 accepts as a destination and cannot write to."""
    for flow_log in graph.of_type("AWS::EC2::FlowLog"):
        destination = flow_log.get("LogDestination")
        if isinstance(destination, str) and _ALL_STREAMS.fullmatch(destination):
            yield Fault(
                flow_log,
                "its LogDestination ends in :*, as the Arn attribute of a log group does: EC2 accepts it, reports "
                "Access error and never delivers a record",
                destination,
                "LogGroupName: the group's name (Ref), instead of LogDestination",
                Severity.ERROR,
            )


_ALL_STREAMS = re.compile(r"arn:[^:]*:logs:[^:]*:[^:]*:log-group:.+:\*")


RULE = Rule(
    code="TW29",
    severity=Severity.WARNING,
    title="a log group that nothing writes to; a container or flow log whose group is missing or misnamed (error)",
    origin="Retention set on a group that stays empty, while the real one grows; tasks and flow logs without a line.",
    find=find,
)
