"""TW01: a workload with a VPC configuration that has no subnets or no security groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import BatchEnvironment, Workload, workloads_of

_GROUPS_OPTIONAL = (WorkloadKind.ECS_EC2, WorkloadKind.ECS_FARGATE, WorkloadKind.NOTEBOOK_INSTANCE)
"""Without groups of their own they get the VPC's default one."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """In resources, and in JSON inside texts."""
    workloads = workloads_of(graph)
    for workload in workloads.all:
        if workload.subnets is not None:
            yield from _of_workload(workload)
    seen = {workload.place for workload in (*workloads.training_jobs, *workloads.processing_jobs)}
    for document in graph.documents():
        if document.place not in seen:
            for path, vpc_config in _vpc_configs(document.value, ""):
                for key in ("Subnets", "SecurityGroupIds"):
                    if vpc_config.get(key) == []:
                        yield _fault(document.resource or document.place, f"{path}.{key}", vpc_config)


def _of_workload(workload: Workload) -> Iterator[Fault]:
    title = workload.title
    if _is_empty(workload.subnets or ()):
        message = f"the {title} is to run in a VPC, and no subnet is given: creating it fails"
        yield Fault(workload.at, message, list(workload.subnets or ()), "name at least one subnet of the VPC")
    if _needs_groups(workload) and _is_empty(workload.security_groups):
        message = f"the {title} is to run in a VPC, and no security group is given: creating it fails"
        yield Fault(workload.at, message, list(workload.security_groups), "name at least one security group of the VPC")


def _needs_groups(workload: Workload) -> bool:
    if isinstance(workload, BatchEnvironment):
        return workload.is_fargate or not workload.has_launch_template
    return workload.kind not in _GROUPS_OPTIONAL


def _is_empty(ids: tuple[str, ...]) -> bool:
    return all(not each and not isinstance(each, Unknown) for each in ids)


def _fault(at: Any, path: str, vpc_config: Mapping[str, Any]) -> Fault:
    message = f"{path} is empty: the API needs at least one, so every request made from this is rejected"
    return Fault(at, message, dict(vpc_config), "name at least one, or leave VpcConfig out")


def _vpc_configs(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if key == "VpcConfig" and isinstance(each, Mapping):
                yield inner, each
            else:
                yield from _vpc_configs(each, inner)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _vpc_configs(each, f"{path}[{index}]")


RULE = Rule(
    code="TW01",
    severity=Severity.ERROR,
    title="a VPC configuration without subnets or security groups",
    origin="A selection of private subnets left the isolated ones out, and the job's settings in an output had none.",
    find=find,
)
