"""TW31: what the Batch API refuses, or finds out and turns INVALID, of what a template may well say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.batch_constraints import (
    Problem,
    compute_resources_problems,
    environment_problems,
    launch_template_problems,
    lower_camel,
    retry_strategy_problems,
    timeout_problems,
)
from trainworks.aws.batch_volumes import definition_problems
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_OTHER_RULES = {"subnets": "TW01", "minvCpus": "TW28"}
"""Members that a rule of their own looks at."""
_CONTAINERS = ("ContainerProperties", "EcsProperties", "NodeProperties", "PlatformCapabilities")
_FIX = "change it: CloudFormation passes it on, and Batch refuses it"


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """The same constraints that the twin's Batch has (`aws.batch_constraints`)."""
    for environment in graph.of_type("AWS::Batch::ComputeEnvironment"):
        if str(environment.get("Type", default="")).upper() != "UNMANAGED":
            yield from _of_environment(graph, environment)
    for definition in graph.of_type("AWS::Batch::JobDefinition"):
        yield from _of_definition(definition)


def _of_environment(graph: Graph, at: Resource) -> Iterator[Fault]:
    resources = _members(at.get("ComputeResources"))
    if not resources:
        return
    problems = [each for each in compute_resources_problems(resources) if each.member not in _OTHER_RULES]
    template = _launch_template(graph, resources.get("launchTemplate"))
    if template is not None:
        problems += launch_template_problems(resources, _members(template.get("LaunchTemplateData")))
    role = graph.owner(resources.get("instanceRole"))
    if role is not None and role.type == "AWS::IAM::Role" and all(each.member != "instanceRole" for each in problems):
        message = f"The ECS Instance Role should be an ECS Instance Profile ARN, not the role {role.place}"
        problems.append(Problem("instanceRole", message))
    for problem in problems:
        yield Fault(at, problem.message, resources.get(problem.member, ""), _FIX)


def _of_definition(at: Resource) -> Iterator[Fault]:
    container = _members(at.get("ContainerProperties"))
    environment = container.get("environment") or []
    problems = [
        *retry_strategy_problems(_members(at.get("RetryStrategy"))),
        *timeout_problems(_members(at.get("Timeout"))),
        *environment_problems(environment if isinstance(environment, list) else []),
        *definition_problems(lower_camel({name: at.get(name) for name in _CONTAINERS})),
    ]
    for problem in problems:
        yield Fault(at, problem.message, "", _FIX)


def _launch_template(graph: Graph, reference: Any) -> Resource | None:
    if not isinstance(reference, Mapping):
        return None
    owner = graph.owner(reference.get("launchTemplateId") or reference.get("launchTemplateName"))
    return owner if owner is not None and owner.type == "AWS::EC2::LaunchTemplate" else None


def _members(value: Any) -> Mapping[str, Any]:
    return lower_camel(value) if isinstance(value, Mapping) else {}


RULE = Rule(
    code="TW31",
    severity=Severity.ERROR,
    title="what the Batch API refuses",
    origin="A role instead of a profile, two architectures, security groups in two places: valid as a template.",
    find=find,
)
