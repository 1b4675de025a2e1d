"""What the Batch API refuses that its service model does not state: for the twin, which refuses it, and for `check`.

Each function takes members as the API names them and yields a `Problem` for each, in Batch's words if they are
known. A value that is neither plain text nor a number is not a problem: `check` does not know every value before a
deploy.

Sources: `CreateComputeEnvironment`, `RegisterJobDefinition` in the AWS Batch API reference; "Automated job retries" and
"Job timeouts" in the AWS Batch user guide; Batch's own messages as people quote them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trainworks.aws.instance_types import (
    FARGATE_FAMILY,
    UnknownInstanceTypeError,
    expand_instance_types,
    instance_type,
)


class Problem(NamedTuple):
    """What is wrong with a member; the sentence names it, or what is inside of it."""

    member: str
    message: str


EC2_TYPES = ("EC2", "SPOT")
FARGATE_TYPES = ("FARGATE", "FARGATE_SPOT")
MAX_ATTEMPTS = 10
MIN_TIMEOUT_SECONDS = 60
MAX_OVERRIDES_CHARS = 8192
"""The longest overrides that ECS takes with a task; a job with longer ones fails when it is started."""

_EC2_ONLY = (
    "minvCpus", "desiredvCpus", "instanceTypes", "imageId", "ec2KeyPair", "instanceRole", "tags", "placementGroup",
    "bidPercentage", "spotIamFleetRole", "launchTemplate", "ec2Configuration", "allocationStrategy",
)  # fmt: skip
_SPOT_STRATEGIES = ("SPOT_CAPACITY_OPTIMIZED", "SPOT_PRICE_CAPACITY_OPTIMIZED", "SPOT_CAPACITY_OPTIMIZED_PRIORITIZED")
_ROLE_ARN = re.compile(r"arn:[^:]+:iam::\d*:role/")
_MAX_RULES = 5
_CONDITIONS = ("onStatusReason", "onReason", "onExitCode")
_TEXT_GLOB = re.compile(r"[A-Za-z0-9.:\s]{0,511}[A-Za-z0-9.:\s*]")
_EXIT_CODE_GLOB = re.compile(r"[0-9]{0,511}[0-9*]")


def compute_resources_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    """`computeResources` of a managed compute environment, by themselves."""
    kind = resources.get("type")
    if not resources.get("subnets"):
        yield Problem("subnets", "computeResources.subnets must be provided")
    maximum = _number(resources.get("maxvCpus"))
    if maximum is not None and maximum < 1:
        yield Problem("maxvCpus", f"maxvCpus must be greater than 0, not {maximum:g}")
    if kind in FARGATE_TYPES:
        yield from _fargate_problems(resources)
    elif kind in EC2_TYPES:
        yield from _ec2_problems(resources)


def fleet_role_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    """The role of Spot Fleet, for which `check` has a rule of its own (TW07)."""
    is_best_fit = resources.get("allocationStrategy", "BEST_FIT") == "BEST_FIT"
    if resources.get("type") == "SPOT" and is_best_fit and not resources.get("spotIamFleetRole"):
        message = "spotIamFleetRole must be provided for SPOT with allocationStrategy BEST_FIT"
        yield Problem("spotIamFleetRole", message)


def launch_template_problems(resources: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[Problem]:
    """`computeResources` together with the data of the launch template that they name (`RequestLaunchTemplateData`)."""
    if template.get("networkInterfaces") and resources.get("securityGroupIds"):
        yield Problem(
            "securityGroupIds",
            "Either compute environment Security Groups or Network Interfaces in Launch template are exclusively "
            "allowed: leave securityGroupIds out, or the launch template's network interfaces",
        )
    own_groups = template.get("securityGroupIds") or template.get("networkInterfaces")
    if not resources.get("securityGroupIds") and not own_groups:
        message = "securityGroupIds must be provided, in computeResources or in the launch template"
        yield Problem("securityGroupIds", message)


def retry_strategy_problems(strategy: Mapping[str, Any]) -> Iterator[Problem]:
    """`retryStrategy` of a definition or of a submission."""
    attempts = _number(strategy.get("attempts"))
    if attempts is not None and not 1 <= attempts <= MAX_ATTEMPTS:
        yield Problem("attempts", f"RetryStrategy attempts must be between 1 and {MAX_ATTEMPTS}, not {attempts:g}")
    rules = strategy.get("evaluateOnExit") or ()
    if not is_list(rules):
        return
    if rules and "attempts" not in strategy:
        yield Problem("attempts", "RetryStrategy attempts must be specified if evaluateOnExit is specified")
    if len(rules) > _MAX_RULES:
        yield Problem("evaluateOnExit", f"evaluateOnExit can have at most {_MAX_RULES} rules, not {len(rules)}")
    for rule in rules:
        if isinstance(rule, Mapping):
            yield from _retry_rule_problems(rule)


def timeout_problems(timeout: Mapping[str, Any]) -> Iterator[Problem]:
    """`timeout` of a definition or of a submission."""
    seconds = _number(timeout.get("attemptDurationSeconds"))
    if seconds is not None and seconds < MIN_TIMEOUT_SECONDS:
        message = f"Timeout attemptDurationSeconds must be at least {MIN_TIMEOUT_SECONDS}, not {seconds:g}"
        yield Problem("attemptDurationSeconds", message)


def environment_problems(environment: Sequence[Any]) -> Iterator[Problem]:
    """`environment` of a container or of its overrides: a list of names and values."""
    for entry in environment:
        name = entry.get("name", "") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            continue
        if not name or "=" in name or "\0" in name:
            yield Problem("environment", f"Environment variable name '{name}' is not valid")
        elif name.startswith("AWS_BATCH"):
            yield Problem("environment", f"Environment variables cannot start with \"AWS_BATCH\": '{name}'")


def lower_camel(value: Any) -> Any:
    """A structure of CloudFormation or EC2 (`SecurityGroupIds`) with the names that Batch's API has for its members."""
    if isinstance(value, Mapping):
        return {f"{name[:1].lower()}{name[1:]}": lower_camel(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [lower_camel(each) for each in value]
    return value


def _fargate_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    given = [member for member in _EC2_ONLY if member in resources]
    if given:
        yield Problem(given[0], f"{', '.join(given)} parameters aren't applicable to Fargate compute resources")
    if not resources.get("securityGroupIds"):
        yield Problem("securityGroupIds", "securityGroupIds must be provided for Fargate compute resources")


def _ec2_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    for member in ("instanceRole", "instanceTypes"):
        if not resources.get(member):
            yield Problem(member, f"computeResources.{member} must be provided for EC2 compute resources")
    role = resources.get("instanceRole")
    if isinstance(role, str) and _ROLE_ARN.match(role):
        yield Problem("instanceRole", f"The ECS Instance Role should be an ECS Instance Profile ARN, not {role}")
    yield from _instance_type_problems(resources.get("instanceTypes") or ())
    template = resources.get("launchTemplate")
    if isinstance(template, Mapping) and ("launchTemplateId" in template) == ("launchTemplateName" in template):
        yield Problem("launchTemplate", "launchTemplate must have either a launchTemplateId or a launchTemplateName")
    strategy = resources.get("allocationStrategy", "BEST_FIT")
    if resources.get("type") == "SPOT":
        yield from _bid_problems(resources.get("bidPercentage"))
    elif strategy in _SPOT_STRATEGIES:
        yield Problem("allocationStrategy", f"allocationStrategy {strategy} is for SPOT compute resources only")
    minimum, maximum = _number(resources.get("minvCpus")), _number(resources.get("maxvCpus"))
    if minimum is not None and maximum is not None and minimum > maximum:
        yield Problem("minvCpus", "minvCpus must be less than or equal to maxvCpus")


def _instance_type_problems(names: Any) -> Iterator[Problem]:
    if not is_list(names) or not all(isinstance(name, str) for name in names):
        return
    if any(name.split(".")[0] == FARGATE_FAMILY for name in names):
        yield Problem("instanceTypes", "Fargate is a type of compute resources, not an instance type")
        return
    architectures: dict[str, str] = {}
    for name in names:
        try:
            types = expand_instance_types([name])
        except UnknownInstanceTypeError:
            continue  # whether there is such a type is another question
        for each in types:
            architectures.setdefault(instance_type(each).architecture, name)
    if len(architectures) > 1:
        examples = ", ".join(f"{name} is {architecture}" for architecture, name in architectures.items())
        message = f"instanceTypes of one compute environment must share an architecture: {examples}"
        yield Problem("instanceTypes", message)


def _bid_problems(value: Any) -> Iterator[Problem]:
    percentage = _number(value)
    if percentage is not None and not 0 < percentage <= 100:
        message = f"bidPercentage must be greater than 0 and at most 100, not {percentage:g}"
        yield Problem("bidPercentage", message)


def _retry_rule_problems(rule: Mapping[str, Any]) -> Iterator[Problem]:
    conditions = [name for name in _CONDITIONS if name in rule]
    if not conditions:
        message = "evaluateOnExit requires onStatusReason, onReason or onExitCode in each rule"
        yield Problem("evaluateOnExit", message)
    for name in conditions:
        glob, text = _EXIT_CODE_GLOB if name == "onExitCode" else _TEXT_GLOB, rule[name]
        if isinstance(text, str) and not glob.fullmatch(text):
            yield Problem(
                "evaluateOnExit",
                f"evaluateOnExit {name} '{text}' is not valid: up to 512 "
                f"{'numbers' if name == 'onExitCode' else 'letters, numbers, periods, colons and white space'}, "
                "with an asterisk at the end only",
            )


def _number(value: Any) -> float | None:
    """A number, written as one or as text as templates may have it; None for what is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def overrides_chars(overrides: Mapping[str, Any], command: Sequence[str]) -> int:
    """How long the overrides are, as the JSON that ECS gets: `command` as it is run, and the variables given."""
    given = {name: overrides[name] for name in ("environment", "resourceRequirements") if name in overrides}
    if "command" in overrides:
        given["command"] = list(command)
    return len(json.dumps(given, separators=(",", ":"), ensure_ascii=False)) if given else 0
