"""SageMaker's machines other than notebooks and endpoints: clusters, apps and spaces, tracking servers, monitors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import BY_USE, Assumptions, Meter, Reading, Unmetered, items, mapping, meter, whole_number
from trainworks.cost.money import HOURS_PER_MONTH

_APPS = {"JupyterLab": "jupyter_lab", "CodeEditor": "code_editor", "KernelGateway": "kernel_gateway"}
_SPACE_GB = 5
"""The volume of a private space that says nothing else ("SpaceStorageSettings")."""
_HOURLY = re.compile(r"^cron\(\s*0\s+\*\s")
_EVERY_HOURS = re.compile(r"^cron\(\s*0\s+\d*/(\d+)\s")
_HOURS_PER_DAY = 24


def cluster(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """HyperPod keeps the instances of every group, day and night."""
    del graph, assumptions
    groups = [*items(resource.get("InstanceGroups")), *items(resource.get("RestrictedInstanceGroups"))]
    if not groups:
        yield Unmetered("its instance groups are not known before the deploy")
    for group in groups:
        name = group.get("InstanceGroupName", "group")
        kind, count = group.get("InstanceType"), whole_number(group.get("InstanceCount"))
        if group.get("TrainingPlanArn") is not None:
            yield Unmetered(f"{name} runs on a training plan, which is paid when it is bought")
        elif not isinstance(kind, str) or count is None:
            yield Unmetered(f"type or number of instances of {name} is not known before the deploy")
        else:
            yield meter(f"{name}: {count} x {kind}", f"sagemaker.cluster.{kind}", HOURS_PER_MONTH * count)
        if items(group.get("InstanceStorageConfigs")):
            yield Unmetered(f"additional volumes of {name} are in no price table")


def app(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """An app of a template runs from its deploy until it is deleted; the server of Studio Classic is free."""
    del graph, assumptions
    kind = str(resource.get("AppType", default=""))
    if kind == "JupyterServer":
        return
    instance_type = resource.get("ResourceSpec", "InstanceType")
    if kind not in _APPS:
        yield Unmetered(f"apps of type {kind} are in no price table")
    elif not isinstance(instance_type, str):
        yield Unmetered("its instance type is not in its properties")
    else:
        key = f"sagemaker.{_APPS[kind]}.{instance_type}"
        yield meter(f"{kind} on {instance_type}, until it is deleted", key, HOURS_PER_MONTH)


def space(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Its volume; the instance is its app's."""
    del graph, assumptions
    if resource.get("SpaceSettings", "AppType") not in ("JupyterLab", "CodeEditor"):
        return  # a shared space of Studio Classic is on the domain's file system
    storage = resource.get("SpaceSettings", "SpaceStorageSettings", "EbsStorageSettings", "EbsVolumeSizeInGb")
    size = whole_number(_SPACE_GB if storage is None else storage)
    if size is None:
        yield Unmetered("the size of its volume is not known before the deploy")
    else:
        yield meter(f"volume of {size} GB", "sagemaker.studio_volume", size)


def domain(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("files in its home file system", "efs.standard")


def tracking_server(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """By the hour for its size, until somebody stops it. No public source quotes the Price List for it."""
    del graph, assumptions
    size = resource.get("TrackingServerSize", default="Small")
    yield Unmetered(f"a tracking server of size {size} costs by the hour, and is in no price table")


def monitoring_schedule(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Its jobs start by themselves: how often is in the schedule, how long each takes is not."""
    del assumptions
    expression = str(resource.get("MonitoringScheduleConfig", "ScheduleConfig", "ScheduleExpression", default=""))
    machines = mapping(_machines(resource, graph))
    kind, count = machines.get("InstanceType"), whole_number(machines.get("InstanceCount"))
    if expression in {"", "NOW"}:
        yield Meter("the one job that it starts", (), BY_USE)
    elif not isinstance(kind, str) or count is None:
        yield Unmetered("type or number of its jobs' instances is not in the templates")
    else:
        runs = _runs_a_month(expression)
        many = "its runs" if runs is None else f"its {runs:f} runs a month"
        yield Meter(f"{many} on {count} x {kind}", (f"sagemaker.processing.{kind}",), BY_USE)
        yield Unmetered(f"how long {many} take")


def _machines(resource: Resource, graph: Graph) -> object:
    own = resource.get("MonitoringScheduleConfig", "MonitoringJobDefinition", "MonitoringResources", "ClusterConfig")
    if own is not None:
        return own
    definition = graph.owner(resource.get("MonitoringScheduleConfig", "MonitoringJobDefinitionName"))
    return definition.get("JobResources", "ClusterConfig") if definition is not None else None


def _runs_a_month(expression: str) -> Decimal | None:
    """Of `cron(0 * ? * * *)` and `cron(0 0/6 ? * * *)`; a day has one run of `cron(0 3 ? * * *)`."""
    if _HOURLY.match(expression):
        return HOURS_PER_MONTH
    every = _EVERY_HOURS.match(expression)
    if every is not None and 0 < int(every[1]) <= _HOURS_PER_DAY:
        return (HOURS_PER_MONTH / int(every[1])).quantize(Decimal(1))
    return None


def feature_group(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """By use, unless its throughput is provisioned."""
    del graph, assumptions
    if resource.get("ThroughputConfig", "ThroughputMode") == "Provisioned":
        yield Unmetered("provisioned capacity of a feature group is in no price table")
    else:
        yield Meter("reads, writes and storage of features", (), BY_USE)
