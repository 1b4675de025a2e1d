"""Batch compute environments with the jobs that can land on them, and ECS tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads.records import BatchEnvironment, Container, EcsTasks, JobDefinition, TaskDefinition
from trainworks.preflight.workloads.values import Number, known, number, table, tables, text, texts


def job_definitions_of(graph: Graph) -> Iterator[JobDefinition]:
    """Batch job definitions of jobs in containers on ECS; those for EKS have pods instead and are left out."""
    for resource in graph.of_type("AWS::Batch::JobDefinition"):
        node = table(resource.get("NodeProperties"))
        ranges = tables(node.get("NodeRangeProperties"))
        # One node of the largest range stands for all: what fits that one fits the others.
        parts = [table(each.get("Container") or each.get("EcsProperties")) for each in ranges] or [
            table(resource.get("ContainerProperties") or resource.get("EcsProperties"))
        ]
        task = parts[0]
        if "TaskProperties" in task:
            task = next(iter(tables(task["TaskProperties"])), {})
        if not task:
            continue
        yield JobDefinition(
            place=resource.place,
            resource=resource,
            is_fargate="FARGATE" in texts(resource.get("PlatformCapabilities")),
            containers=tuple(_job_container(each) for each in tables(task.get("Containers")) or (task,)),
            role_arn=text(task.get("JobRoleArn") or task.get("TaskRoleArn")),
            execution_role_arn=text(task.get("ExecutionRoleArn")),
            assign_public_ip=_assigned(task.get("NetworkConfiguration")),
            num_nodes=number(node.get("NumNodes", 1)),
        )


def _job_container(container: Mapping[str, Any]) -> Container:
    """`ResourceRequirements` win over the older `Vcpus` and `Memory`."""
    asked: dict[str, Any] = {"VCPU": container.get("Vcpus"), "MEMORY": container.get("Memory")}
    for requirement in tables(container.get("ResourceRequirements")):
        asked[text(requirement.get("Type"))] = requirement.get("Value")
    log = table(container.get("LogConfiguration"))
    return Container(
        name=text(container.get("Name")),
        image=text(container.get("Image")),
        vcpus=number(asked["VCPU"]),
        memory_mib=number(asked["MEMORY"]),
        gpus=number(asked.get("GPU")),
        log_driver=text(log.get("LogDriver", "awslogs")),  # Batch's default
        log_group=text(table(log.get("Options")).get("awslogs-group", "/aws/batch/job")),
        secret_arns=tuple(text(each.get("ValueFrom")) for each in tables(container.get("Secrets"))),
    )


def batch_environments_of(graph: Graph, definitions: tuple[JobDefinition, ...]) -> Iterator[BatchEnvironment]:
    """Managed compute environments on ECS."""
    queues: dict[Resource, list[Resource]] = {}
    for queue in graph.of_type("AWS::Batch::JobQueue"):
        for entry in tables(queue.get("ComputeEnvironmentOrder")):
            environment = graph.owner(entry.get("ComputeEnvironment"))
            if environment is not None:
                queues.setdefault(environment, []).append(queue)
    for resource in graph.of_type("AWS::Batch::ComputeEnvironment"):
        compute = table(resource.get("ComputeResources"))
        if compute and text(resource.get("Type")).upper() != "UNMANAGED" and resource.get("EksConfiguration") is None:
            yield _environment(graph, resource, compute, tuple(queues.get(resource, ())), definitions)


def _environment(
    graph: Graph,
    resource: Resource,
    compute: Mapping[str, Any],
    queues: tuple[Resource, ...],
    definitions: tuple[JobDefinition, ...],
) -> BatchEnvironment:
    kind = text(compute.get("Type")).upper()
    is_fargate = kind.startswith("FARGATE")
    template = table(compute.get("LaunchTemplate"))
    owner = graph.owner(template.get("LaunchTemplateId") or template.get("LaunchTemplateName"))
    return BatchEnvironment(
        kind=WorkloadKind.BATCH_FARGATE if is_fargate else WorkloadKind.BATCH_EC2,
        place=resource.place,
        resource=resource,
        subnets=texts(compute.get("Subnets")),
        security_groups=texts(compute.get("SecurityGroupIds")),
        role_arn=_host_role(graph, compute.get("InstanceRole")),
        instance_types=texts(compute.get("InstanceTypes")),
        is_fargate=is_fargate,
        is_spot=kind in ("SPOT", "FARGATE_SPOT"),
        allocation_strategy=text(compute.get("AllocationStrategy")),
        max_vcpus=number(compute.get("MaxvCpus")),
        spot_iam_fleet_role=text(compute.get("SpotIamFleetRole")),
        launch_template=owner,
        has_launch_template=bool(template),
        queues=queues,
        job_definitions=tuple(each for each in definitions if each.is_fargate == is_fargate),
    )


def _host_role(graph: Graph, instance_profile: object) -> str:
    """The role of an instance profile, which is given by its ARN or name."""
    profile = graph.owner(instance_profile)
    if profile is None or profile.type != "AWS::IAM::InstanceProfile":
        return text(instance_profile)
    role = graph.owner(next(iter(texts(profile.get("Roles"))), ""))
    return role.attribute("Arn") if role is not None else ""


def task_definitions_of(graph: Graph) -> Iterator[TaskDefinition]:
    """ECS task definitions."""
    for resource in graph.of_type("AWS::ECS::TaskDefinition"):
        yield TaskDefinition(
            place=resource.place,
            resource=resource,
            is_fargate="FARGATE" in texts(resource.get("RequiresCompatibilities")),
            cpu_units=_cpu_units(resource.get("Cpu")),
            memory_mib=_memory_mib(resource.get("Memory")),
            role_arn=text(resource.get("TaskRoleArn")),
            execution_role_arn=text(resource.get("ExecutionRoleArn")),
            containers=tuple(_task_container(each) for each in tables(resource.get("ContainerDefinitions"))),
        )


def _cpu_units(value: object) -> Number:
    """`1024`, or `1 vCPU` as the console writes it."""
    if isinstance(value, str) and known(value) and value.lower().endswith("vcpu"):
        vcpus = number(value[:-4].strip())
        return vcpus * 1024 if isinstance(vcpus, float) else vcpus
    return number(value)


def _memory_mib(value: object) -> Number:
    """`2048`, or `2 GB`."""
    if isinstance(value, str) and known(value) and value.lower().endswith("gb"):
        gib = number(value[:-2].strip())
        return gib * 1024 if isinstance(gib, float) else gib
    return number(value)


def _task_container(container: Mapping[str, Any]) -> Container:
    log = table(container.get("LogConfiguration"))
    return Container(
        name=text(container.get("Name")),
        image=text(container.get("Image")),
        log_driver=text(log.get("LogDriver")),
        log_group=text(table(log.get("Options")).get("awslogs-group")),
        secret_arns=tuple(text(each.get("ValueFrom")) for each in tables(container.get("Secrets"))),
    )


def ecs_tasks_of(graph: Graph, definitions: tuple[TaskDefinition, ...]) -> Iterator[EcsTasks]:
    """Tasks of services, and tasks that a rule of EventBridge starts."""
    by_resource: dict[Resource | None, TaskDefinition] = {each.resource: each for each in definitions}
    for service in graph.of_type("AWS::ECS::Service"):
        definition = by_resource.get(graph.owner(service.get("TaskDefinition")))
        yield _tasks(service, "", service.properties, "AwsvpcConfiguration", definition)
    for rule in graph.of_type("AWS::Events::Rule"):
        for index, target in enumerate(tables(rule.get("Targets"))):
            parameters = table(target.get("EcsParameters"))
            if parameters:
                definition = by_resource.get(graph.owner(parameters.get("TaskDefinitionArn")))
                yield _tasks(rule, f"Targets[{index}]", parameters, "AwsVpcConfiguration", definition)


def _tasks(
    resource: Resource, path: str, settings: Mapping[str, Any], vpc_key: str, definition: TaskDefinition | None
) -> EcsTasks:
    network = settings.get("NetworkConfiguration")
    vpc = table(network).get(vpc_key)
    return EcsTasks(
        kind=WorkloadKind.ECS_FARGATE if _on_fargate(settings, definition) else WorkloadKind.ECS_EC2,
        place=resource.place,
        path=path,
        resource=resource,
        subnets=texts(vpc.get("Subnets")) if isinstance(vpc, Mapping) else None,
        security_groups=texts(table(vpc).get("SecurityGroups")),
        role_arn=definition.role_arn if definition else "",
        execution_role_arn=definition.execution_role_arn if definition else "",
        task_definition=definition,
        assign_public_ip=_assigned(vpc),
    )


def _on_fargate(settings: Mapping[str, Any], definition: TaskDefinition | None) -> bool:
    """By launch type or capacity providers; where neither says, by what the task definition requires."""
    launch_type = settings.get("LaunchType")
    if launch_type is not None:
        return text(launch_type) == "FARGATE"
    strategy = tables(settings.get("CapacityProviderStrategy"))
    if strategy:
        return all(text(each.get("CapacityProvider")).startswith("FARGATE") for each in strategy)
    return definition is not None and definition.is_fargate


def _assigned(network: object) -> bool | Unknown:
    value = table(network).get("AssignPublicIp", "DISABLED")
    return value if isinstance(value, Unknown) else value == "ENABLED"
