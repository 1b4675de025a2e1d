"""How much of each quota the templates use."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.workloads import BatchEnvironment, workloads_of
from trainworks.preflight.workloads.values import tables, texts

_STANDARD_FAMILIES = frozenset({"a", "c", "d", "h", "i", "m", "r", "t", "z", "optimal"})
_GPU_FAMILIES = frozenset({"p", "g", "vt"})


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """`used` of the quota named `quota`, counted `at` a resource, or at a stack for what it has as a whole."""

    at: Resource | str
    quota: str
    used: int


def usages(graph: Graph) -> Iterator[QuotaUsage]:
    """Every use of a quota, whether it is exceeded or not."""
    for count in (_resources, _within_vpcs, _batch, _policies, _templates):
        yield from count(graph)


_IN_A_REGION = {
    "AWS::EC2::VPC": "vpcs",
    "AWS::EC2::EIP": "elastic_ips",
    "AWS::EC2::VPCEndpoint": "gateway_endpoints",
    "AWS::Batch::ComputeEnvironment": "compute_environments",
    "AWS::Batch::JobQueue": "job_queues",
}


def _resources(graph: Graph) -> Iterator[QuotaUsage]:
    """What is counted in a region as a whole; interface endpoints are counted by VPC."""
    for type_, quota in _IN_A_REGION.items():
        found = [each for each in graph.of_type(type_) if each.get("VpcEndpointType") != "Interface"]
        if found:
            yield QuotaUsage(found[-1], quota, len(found))


def _within_vpcs(graph: Graph) -> Iterator[QuotaUsage]:
    subnets = Counter(graph.owner(each.get("VpcId")) for each in graph.of_type("AWS::EC2::Subnet"))
    interfaces = Counter(
        graph.owner(each.get("VpcId"))
        for each in graph.of_type("AWS::EC2::VPCEndpoint")
        if each.get("VpcEndpointType") == "Interface"
    )
    for quota, counted in (("subnets_per_vpc", subnets), ("interface_endpoints_per_vpc", interfaces)):
        yield from (QuotaUsage(vpc, quota, used) for vpc, used in counted.items() if vpc is not None)
    zones: dict[str, list[Resource]] = {}
    for gateway in graph.of_type("AWS::EC2::NatGateway"):
        subnet = graph.owner(gateway.get("SubnetId"))
        zone = subnet.get("AvailabilityZone") if subnet else None
        if isinstance(zone, str):
            zones.setdefault(zone, []).append(gateway)
    for gateways in zones.values():
        yield QuotaUsage(gateways[-1], "nat_gateways_per_zone", len(gateways))


def _batch(graph: Graph) -> Iterator[QuotaUsage]:
    for queue in graph.of_type("AWS::Batch::JobQueue"):
        yield QuotaUsage(queue, "compute_environments_per_job_queue", len(tables(queue.get("ComputeEnvironmentOrder"))))
    for environment in workloads_of(graph).batch_environments:
        maximum = environment.max_vcpus
        if environment.is_fargate or environment.resource is None or maximum is None or isinstance(maximum, Unknown):
            continue
        quota = _vcpu_quota(environment)
        if quota is not None:
            yield QuotaUsage(environment.resource, quota, int(maximum))


def _vcpu_quota(environment: BatchEnvironment) -> str | None:
    """The quota of what it may launch at most: that of GPU instances only if it launches nothing else."""
    families = {_family(each) for each in environment.instance_types}
    market = "spot" if environment.is_spot else "on_demand"
    if families & _STANDARD_FAMILIES:
        return f"standard_{market}_vcpus"
    return f"gpu_{market}_vcpus" if families and families <= _GPU_FAMILIES else None


def _family(instance_type: str) -> str:
    """The letters before the generation: `g` of `g5.xlarge`, `vt` of `vt1`; `optimal` is what it is."""
    letters = instance_type.partition(".")[0]
    return letters[: next((index for index, each in enumerate(letters) if each.isdigit()), len(letters))]


def _policies(graph: Graph) -> Iterator[QuotaUsage]:
    attached: dict[Resource, list[Any]] = {}
    for policy in graph.of_type("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        for role in {graph.owner(name) for name in texts(policy.get("Roles", default=policy.get("RoleName")))}:
            if role is not None:
                attached.setdefault(role, []).append(policy.get("PolicyDocument"))
    for role in graph.of_type("AWS::IAM::Role"):
        inline = [each.get("PolicyDocument") for each in tables(role.get("Policies"))] + attached.get(role, [])
        yield QuotaUsage(role, "inline_policy_characters", sum(_characters(document) for document in inline))
        yield QuotaUsage(role, "trust_policy_characters", _characters(role.get("AssumeRolePolicyDocument")))
        yield QuotaUsage(role, "managed_policies_per_role", len(texts(role.get("ManagedPolicyArns"))))
    for policy in graph.of_type("AWS::IAM::ManagedPolicy"):
        yield QuotaUsage(policy, "managed_policy_characters", _characters(policy.get("PolicyDocument")))


def _characters(document: Any) -> int:
    """As IAM counts: without white space. Texts in policies have none that matters."""
    return len(json.dumps(document, separators=(",", ":")).replace(" ", ""))


def _templates(graph: Graph) -> Iterator[QuotaUsage]:
    nested = {
        (each.stack, *each.stack_path, each.logical_id): each for each in graph.of_type("AWS::CloudFormation::Stack")
    }
    for stack in graph.stacks:
        for stack_path in graph.stack_paths(stack):
            template = graph.template(stack, stack_path)
            at = nested.get((stack, *stack_path), stack) if stack_path else stack
            for section in ("Resources", "Outputs", "Parameters"):
                yield QuotaUsage(at, f"{section.lower()}_per_template", len(template.get(section, {})))
            file = graph.file(stack, stack_path)  # uploaded as it is, with its white space
            yield QuotaUsage(at, "template_bytes", file.stat().st_size if file else len(json.dumps(template).encode()))
