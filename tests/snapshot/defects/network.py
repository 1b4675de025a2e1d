"""Faults of networks: who can reach what, and what is open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.snapshot.platform import Resource, Stacks

ANYWHERE = "0.0.0.0/0"


def public_subnets(platform: Stacks) -> set[str]:
    """Subnets, as resolved references, whose route table leads to an internet gateway."""
    tables = {
        platform.properties(route)["RouteTableId"]
        for route in platform.resources("AWS::EC2::Route")
        if "GatewayId" in route.properties
    }
    return {
        properties["SubnetId"]
        for association in platform.resources("AWS::EC2::SubnetRouteTableAssociation")
        if (properties := platform.properties(association))["RouteTableId"] in tables
    }


def notebooks_in_public_subnets(platform: Stacks) -> Iterator[str]:
    for notebook in platform.resources("AWS::SageMaker::NotebookInstance"):
        if platform.properties(notebook).get("SubnetId") in public_subnets(platform):
            yield f"{notebook.logical_id} is in a public subnet"


def batch_hosts_in_public_subnets(platform: Stacks) -> Iterator[str]:
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        subnets = platform.properties(environment)["ComputeResources"]["Subnets"]
        if public_subnets(platform) & set(subnets):
            yield f"{environment.logical_id} is in public subnets"


def rules_of(platform: Stacks, group: Resource, direction: str) -> list[dict[str, Any]]:
    """Inline and separate rules of a group; `direction` is `Ingress` or `Egress`."""
    separate = [
        properties
        for rule in platform.resources(f"AWS::EC2::SecurityGroup{direction}")
        if (properties := platform.properties(rule))["GroupId"] == group.arn("GroupId")
    ]
    return [*platform.properties(group).get(f"SecurityGroup{direction}", []), *separate]


def groups_open_to_everywhere(platform: Stacks) -> Iterator[str]:
    for group in platform.resources("AWS::EC2::SecurityGroup"):
        for rule in rules_of(platform, group, "Egress"):
            if rule["IpProtocol"] == "-1" and rule.get("CidrIp") == ANYWHERE:
                yield f"{group.logical_id} lets everything out to everywhere"
        if any(rule.get("CidrIp") == ANYWHERE for rule in rules_of(platform, group, "Ingress")):
            yield f"{group.logical_id} lets everybody in"


def instances_of_a_job_that_cannot_meet(platform: Stacks) -> Iterator[str]:
    for group_id in platform.training_job_config()["VpcConfig"]["SecurityGroupIds"]:
        (group,) = [g for g in platform.resources("AWS::EC2::SecurityGroup") if g.arn("GroupId") == group_id]
        members = [
            rule for rule in rules_of(platform, group, "Ingress") if rule.get("SourceSecurityGroupId") == group_id
        ]
        if not members:
            yield f"{group.logical_id} has no rule that lets its own members in"


def route_tables_without_s3(platform: Stacks) -> Iterator[str]:
    served = {
        table
        for endpoint in platform.resources("AWS::EC2::VPCEndpoint")
        if str((properties := platform.properties(endpoint))["ServiceName"]).endswith(".s3")
        for table in properties.get("RouteTableIds", [])
    }
    for table in platform.resources("AWS::EC2::RouteTable"):
        if table.arn() not in served:
            yield f"{table.logical_id} has no route to S3's gateway"


WITHOUT_ENDPOINT_POLICIES = (".ecs-agent", ".ecs-telemetry")
"""Services whose guide knows no endpoint policies; EC2 refuses one."""


def endpoints_without_policy(platform: Stacks) -> Iterator[str]:
    for endpoint in platform.resources("AWS::EC2::VPCEndpoint"):
        if str(platform.properties(endpoint)["ServiceName"]).endswith(WITHOUT_ENDPOINT_POLICIES):
            continue
        if "PolicyDocument" not in endpoint.properties:
            yield f"{endpoint.logical_id} lets anybody's data through"


def open_default_group(platform: Stacks) -> Iterator[str]:
    """Nothing in the templates takes the rules out of the VPC's default security group."""
    for vpc in platform.resources("AWS::EC2::VPC"):
        text = json.dumps([platform.properties(each) for each in platform.resources()])
        if not re.search(r"revokeSecurityGroup(In|E)gress|RevokeSecurityGroup(In|E)gress|VpcRestrictDefaultSG", text):
            yield f"the default security group of {vpc.logical_id} is open"


def networks_without_flow_logs(platform: Stacks) -> Iterator[str]:
    logged = {platform.properties(each)["ResourceId"] for each in platform.resources("AWS::EC2::FlowLog")}
    for vpc in platform.resources("AWS::EC2::VPC"):
        if vpc.arn() not in logged:
            yield f"{vpc.logical_id} has no flow log"


def zones_that_are_looked_up(platform: Stacks) -> Iterator[str]:
    """Zones by number, or the made-up ones of a synthesis without credentials."""
    for subnet in platform.resources("AWS::EC2::Subnet"):
        zone = platform.properties(subnet)["AvailabilityZone"]
        if not isinstance(zone, str) or not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone):
            yield f"{subnet.logical_id} is in no named zone"


def nat_gateways_unlike(platform: Stacks, told: int) -> Iterator[str]:
    """`told`: how many NAT gateways the platform says that it has."""
    if (found := len(platform.resources("AWS::EC2::NatGateway"))) != told:
        yield f"{told} NAT gateway told, {found} in the templates"


def address_blocks(platform: Stacks) -> list[str]:
    """Of its VPCs. Two environments that can be peered have two."""
    return [str(platform.properties(vpc)["CidrBlock"]) for vpc in platform.resources("AWS::EC2::VPC")]
