"""What one workload has to reach: `aws.service_needs` for its kind, narrowed by its images, logs and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.service_needs import (
    INTERNET,
    SERVICE_NEEDS,
    SERVICES_OF_ACTIONS,
    Necessity,
    ServiceNeed,
    WorkloadKind,
)
from trainworks.preflight.network import Subnet
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.workloads import BatchEnvironment, Container, EcsTasks, Notebook, Workload
from trainworks.preflight.workloads.values import flag, tables

_CALL = re.compile(r"""\baws["',\s]+([a-z0-9-]+)["',\s]+[a-z]|boto3\.(?:client|resource)\(\s*["']([a-z0-9-]+)""")
_DOWNLOAD = re.compile(
    r"\b(?:wget|curl|git\s+clone)\b[^\n]*?https?://(?!localhost|127\.|169\.254\.)(?![^\s/\"']*\.amazonaws\.com)"
)
_ENDPOINT_NAMES = {
    "s3": "s3",
    "s3api": "s3",
    "sagemaker": "sagemaker.api",
    "sagemaker-runtime": "sagemaker.runtime",
    "sts": "sts",
    "logs": "logs",
    "cloudwatch": "monitoring",
    "ssm": "ssm",
    "secretsmanager": "secretsmanager",
    "ecr": "ecr.api",
    "codecommit": "codecommit",
}


@dataclass(frozen=True, slots=True)
class Need:
    """A service that the workload has to reach; `is_required`: it does not work without."""

    service: str
    is_required: bool
    why: str


def needs_of(workload: Workload) -> tuple[Need, ...]:
    """Each service once. A notebook with internet access of SageMaker's own has none: it does not use the VPC's."""
    if isinstance(workload, Notebook) and workload.direct_internet_access is not False:
        return ()
    found: dict[str, Need] = {}
    for need in (*SERVICE_NEEDS[workload.kind], *_of_scripts(workload)):
        if _applies(need, workload):
            required = need.necessity is not Necessity.CONVENIENCE
            present = found.get(need.service)
            if present is None or (required and not present.is_required):
                found[need.service] = Need(need.service, required, need.why)
    return tuple(found.values())


def _applies(need: ServiceNeed, workload: Workload) -> bool:
    containers = _containers(workload)
    match need.necessity:
        case Necessity.ALWAYS | Necessity.CONVENIENCE:
            return True
        case Necessity.PRIVATE_IMAGE:
            return any(map(has_private_image, containers))
        case Necessity.PUBLIC_IMAGE:
            return any(map(_has_public_image, containers))
        case Necessity.AWSLOGS:
            return any(each.log_driver == "awslogs" for each in containers)
        case Necessity.SECRETS:
            return any(f":{need.service}:" in arn for each in containers for arn in each.secret_arns)
        case Necessity.REPOSITORY:
            return isinstance(workload, Notebook) and any(_is_outside(url) for url in workload.repositories)


def _containers(workload: Workload) -> tuple[Container, ...]:
    if isinstance(workload, BatchEnvironment):
        return tuple(container for definition in workload.job_definitions for container in definition.containers)
    if isinstance(workload, EcsTasks) and workload.task_definition is not None:
        return workload.task_definition.containers
    return ()


def has_private_image(container: Container) -> bool:
    """Whether its image is in a private repository of ECR, of this account or another."""
    return _is_known(container.image) and parse_ecr_uri(container.image) is not None


def pulls_private_image(workload: Workload) -> bool:
    """Whether any of its containers has one, and its own network interface pulls it."""
    pulls = any(need.necessity is Necessity.PRIVATE_IMAGE for need in SERVICE_NEEDS[workload.kind])
    return pulls and any(map(has_private_image, _containers(workload)))


def _has_public_image(container: Container) -> bool:
    return _is_known(container.image) and parse_ecr_uri(container.image) is None


def _is_known(value: str) -> bool:
    return bool(value) and not isinstance(value, Unknown)


def _is_outside(url: str) -> bool:
    return _is_known(url) and url.startswith("http") and ".amazonaws.com" not in url


def _of_scripts(workload: Workload) -> Iterator[ServiceNeed]:
    """What the lifecycle scripts of a notebook call: a script that fails or hangs keeps the instance from starting."""
    for script in workload.scripts if isinstance(workload, Notebook) else ():
        if _DOWNLOAD.search(script):
            yield ServiceNeed(INTERNET, Necessity.ALWAYS, "download what its lifecycle script asks for")
        for match in _CALL.finditer(script):
            service = _ENDPOINT_NAMES.get(match[1] or match[2])
            if service:
                yield ServiceNeed(service, Necessity.ALWAYS, f"do what its lifecycle script calls {service} for")


def granted_needs(graph: Graph, workload: Workload) -> tuple[Need, ...]:
    """Services that the role of its code is granted in the templates: nobody grants what is never to be called.

    Only for functions and containers: only their code uses their role.
    """
    permissions = permissions_of(graph)
    services: dict[str, None] = {}
    for arn in code_roles(workload):
        role = permissions.role(arn)
        for statement in permissions.of(role).statements if role is not None else ():
            if statement.allows and statement.is_own:
                services.update(dict.fromkeys(filter(None, map(service_of_action, statement.actions))))
    return tuple(Need(service, False, "use what its role grants there") for service in services)


def code_roles(workload: Workload) -> tuple[str, ...]:
    """The roles that nothing but a workload's own code uses."""
    if isinstance(workload, BatchEnvironment):
        return tuple(definition.role_arn for definition in workload.job_definitions)
    runs_code = workload.kind in (WorkloadKind.LAMBDA_FUNCTION, WorkloadKind.ECS_FARGATE)
    return (workload.role_arn,) if runs_code else ()


def service_of_action(action: str) -> str | None:
    """Where a call of an action goes; None if AWS may make it for the workload, or nobody knows."""
    if isinstance(action, Unknown) or "Stream" in action:
        return None
    return SERVICES_OF_ACTIONS.get(action) or SERVICES_OF_ACTIONS.get(action.partition(":")[0])


def attached_by_aws(workload: Workload) -> bool:
    """Whether an AWS service attaches its network interface, which then never gets a public address."""
    return not isinstance(workload, BatchEnvironment | EcsTasks)


def has_public_ip(workload: Workload, subnet: Subnet) -> bool | Unknown:
    """Whether its network interface in `subnet` gets a public address."""
    if isinstance(workload, EcsTasks):
        return workload.assign_public_ip
    if not isinstance(workload, BatchEnvironment):
        return False
    if workload.is_fargate:
        return _agreed([each.assign_public_ip for each in workload.job_definitions])
    return _of_launch_template(workload, subnet.map_public_ip_on_launch)


def _agreed(answers: list[bool | Unknown]) -> bool | Unknown:
    """True if all say so; Unknown if one is unknown or none says anything."""
    unknown = next((each for each in answers if isinstance(each, Unknown)), None)
    return unknown if unknown is not None else all(answers) if answers else Unknown("no job definition says so")


def _of_launch_template(environment: BatchEnvironment, default: bool | Unknown) -> bool | Unknown:
    if not environment.has_launch_template:
        return default
    if environment.launch_template is None:
        return Unknown("a launch template of another stack")
    for interface in tables(environment.launch_template.get("LaunchTemplateData", "NetworkInterfaces")):
        chosen = flag(interface.get("AssociatePublicIpAddress"))
        if chosen is not None:
            return chosen
    return default
