"""A small platform with working parts on the shared twin, for tests to break."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from trainworks.application.doctor_subject import diagnose_named
from trainworks.config.environment import Environment, load_environment
from trainworks.doctor.finding import Diagnosis, Finding
from trainworks.doctor.looking import Looker
from trainworks.testing import TestTwin


class Bench:
    """A network, roles, a queue, buckets: all that a job needs, each under a name of this test's own."""

    def __init__(self, twin: TestTwin, environment: Environment) -> None:
        self.twin = twin
        self.environment = environment
        self.name = f"d{uuid.uuid4().hex[:8]}"
        self.batch = twin.client("batch")
        self.group_id, self.subnet_id, self.vpc_id, self.table_id = self._network()
        self.order: list[dict[str, Any]] = []

    def diagnose(self, subject: str) -> Diagnosis:
        return diagnose_named(subject, self.environment, Looker(self.twin.client))

    def first(self, subject: str) -> Finding:
        found = self.diagnose(subject)
        assert found.findings, found
        return found.findings[0]

    def role(self, service: str, *statements: dict[str, Any], name: str = "role") -> str:
        iam = self.twin.client("iam")
        role_name = f"{self.name}-{name}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=document(trust))["Role"]
        iam.put_role_policy(RoleName=role_name, PolicyName="own", PolicyDocument=document(*statements))
        return str(role["Arn"])

    def instance_profile(self) -> str:
        iam = self.twin.client("iam")
        ecs = [
            "ecs:DeregisterContainerInstance", "ecs:DiscoverPollEndpoint", "ecs:Poll", "ecs:RegisterContainerInstance",
            "ecs:StartTelemetrySession", "ecs:Submit*", "ecs:UpdateContainerInstancesState", "ecs:TagResource",
        ]  # fmt: skip
        self.role("ec2.amazonaws.com", allow(ecs, "*"), name="host")
        iam.create_instance_profile(InstanceProfileName=self.name)
        iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=f"{self.name}-host")
        return self.name

    def queue(self, *, max_vcpus: int = 8, instance_types: tuple[str, ...] = ("m5.large",), profile: str = "") -> str:
        """A queue over one environment, in a subnet with a way out."""
        self.batch.create_compute_environment(
            computeEnvironmentName=self.name,
            type="MANAGED",
            computeResources={
                "type": "SPOT",
                "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
                "maxvCpus": max_vcpus,
                "instanceTypes": list(instance_types),
                "subnets": [self.subnet_id],
                "securityGroupIds": [self.group_id],
                "instanceRole": profile or self.instance_profile(),
            },
        )
        self.order = [{"order": 1, "computeEnvironment": self.name}]
        self.batch.create_job_queue(jobQueueName=self.name, priority=1, computeEnvironmentOrder=self.order)
        return self.name

    def submit(self, command: list[str], *, vcpus: int = 1, memory: int = 128, gpus: int = 0, **more: Any) -> str:
        container = {"image": "python:3", **more.pop("container", {})}
        requirements = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(memory)}]
        if gpus:
            requirements.append({"type": "GPU", "value": str(gpus)})
        definition = self.batch.register_job_definition(
            jobDefinitionName=self.name,
            type="container",
            containerProperties={"command": command, "resourceRequirements": requirements, **container},
        )["jobDefinitionArn"]
        name = more.pop("name", f"{self.name}-job")
        return str(self.batch.submit_job(jobName=name, jobQueue=self.name, jobDefinition=definition, **more)["jobId"])

    def until(self, job_id: str, done: Callable[[Any], bool]) -> Any:
        return until(lambda: self.batch.describe_jobs(jobs=[job_id])["jobs"][0], done)

    def way_out(self) -> None:
        """A default route through a NAT gateway's stand-in: an internet gateway, and public addresses."""
        ec2 = self.twin.client("ec2")
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc_id)
        ec2.create_route(RouteTableId=self.table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.modify_subnet_attribute(SubnetId=self.subnet_id, MapPublicIpOnLaunch={"Value": True})

    def s3_gateway(self) -> None:
        self.twin.client("ec2").create_vpc_endpoint(
            VpcId=self.vpc_id,
            ServiceName="com.amazonaws.us-east-1.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[self.table_id],
        )

    def _network(self) -> tuple[str, str, str, str]:
        ec2 = self.twin.client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        group_id = ec2.create_security_group(GroupName=self.name, Description="jobs", VpcId=vpc_id)["GroupId"]
        table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)
        return group_id, subnet_id, vpc_id, table_id


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def until(look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if done(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.fixture
def bench(twin: TestTwin, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(twin, load_environment("local", tmp_path))
    yield made
    if made.order:
        made.batch.update_job_queue(jobQueue=made.name, state="DISABLED")
        made.batch.delete_job_queue(jobQueue=made.name)
        made.batch.update_compute_environment(computeEnvironment=made.name, state="DISABLED")
        made.batch.delete_compute_environment(computeEnvironment=made.name)
