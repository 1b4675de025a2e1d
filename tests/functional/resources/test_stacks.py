"""Each of our CloudFormation types in a small template: created, shown by its API, updated, replaced and deleted."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from trainworks.testing import TestTwin

WAIT = {"Delay": 0.1, "MaxAttempts": 100}
ENVIRONMENT = {
    "Type": "MANAGED",
    "ReplaceComputeEnvironment": False,
    "UpdatePolicy": {"JobExecutionTimeoutMinutes": 60, "TerminateJobsOnUpdate": False},
    "Tags": {"Project": "trainworks"},
    "ComputeResources": {
        "Type": "SPOT",
        "AllocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
        "MaxvCpus": "16",
        "MinvCpus": 0,
        "InstanceTypes": ["m5.large"],
        "Subnets": [{"Ref": "Subnet"}],
        "InstanceRole": {"Ref": "Profile"},
        "UpdateToLatestImageVersion": True,
    },
}
NETWORK = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
    "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.7.1.0/24"}},
    "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": []}},
}


class Stack:
    """One stack of a test, deleted after it."""

    def __init__(self, twin: TestTwin) -> None:
        self.name = f"t{uuid.uuid4().hex[:10]}"
        self.cfn = twin.client("cloudformation")
        self.exists = False

    def put(self, resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> dict[str, str]:
        """Create or update; the outputs. Raises `AssertionError` with the reasons where it fails."""
        template = {
            "Resources": resources,
            "Outputs": {key: {"Value": value} for key, value in (outputs or {}).items()},
        }
        call, waiter = (self.cfn.update_stack, "update") if self.exists else (self.cfn.create_stack, "create")
        call(StackName=self.name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
        self.exists = True
        try:
            self.cfn.get_waiter(f"stack_{waiter}_complete").wait(StackName=self.name, WaiterConfig=WAIT)
        except WaiterError:
            raise AssertionError("; ".join(self.reasons())) from None
        shown = self.cfn.describe_stacks(StackName=self.name)["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in shown}

    def reasons(self) -> list[str]:
        events = self.cfn.describe_stack_events(StackName=self.name)["StackEvents"]
        return [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]

    def delete(self) -> None:
        self.cfn.delete_stack(StackName=self.name)
        self.cfn.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig=WAIT)


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Stack]:
    made = Stack(twin)
    yield made
    made.delete()


def definition(**more: Any) -> dict[str, Any]:
    container = {
        "Image": "python:3.11",
        "Command": ["true"],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "/Mixed/Case"}},
        "ResourceRequirements": [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "64"}],
    }
    return {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {"Type": "container", "ContainerProperties": container} | more,
    }


def platform(resources: dict[str, Any] | None = None, priority: int = 1) -> dict[str, Any]:
    environment = {**ENVIRONMENT, "ComputeResources": {**ENVIRONMENT["ComputeResources"], **(resources or {})}}  # type: ignore[dict-item]
    return {
        **NETWORK,
        "Environment": {"Type": "AWS::Batch::ComputeEnvironment", "Properties": environment},
        "Queue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "Priority": priority,
                "ComputeEnvironmentOrder": [
                    {"Order": 1, "ComputeEnvironment": {"Fn::GetAtt": ["Environment", "ComputeEnvironmentArn"]}}
                ],
            },
        },
    }


OUTPUTS = {"Environment": {"Ref": "Environment"}, "Queue": {"Fn::GetAtt": ["Queue", "JobQueueArn"]}}


def test_batch_environment_and_queue_are_updated_in_place(twin: TestTwin, stack: Stack) -> None:
    before = stack.put(platform(), OUTPUTS)
    batch = twin.client("batch")
    after = stack.put(platform({"MaxvCpus": 32, "InstanceTypes": ["m5.xlarge"]}, priority=7), OUTPUTS)
    assert after == before
    [shown] = batch.describe_compute_environments(computeEnvironments=[after["Environment"]])["computeEnvironments"]
    assert shown["computeResources"]["maxvCpus"] == 32
    assert shown["computeResources"]["instanceTypes"] == ["m5.xlarge"]
    assert shown["updatePolicy"] == {"jobExecutionTimeoutMinutes": 60, "terminateJobsOnUpdate": False}
    assert shown["tags"]["Project"] == "trainworks"
    [queue] = batch.describe_job_queues(jobQueues=[after["Queue"]])["jobQueues"]
    assert queue["priority"] == 7
    stack.put(NETWORK)
    assert batch.describe_job_queues(jobQueues=[after["Queue"]])["jobQueues"] == []
    gone = batch.describe_compute_environments(computeEnvironments=[after["Environment"]])
    assert gone["computeEnvironments"] == []


def test_an_environment_of_another_fleet_role_is_replaced_below_its_queue(twin: TestTwin, stack: Stack) -> None:
    before = stack.put(platform(), OUTPUTS)
    after = stack.put(platform({"SpotIamFleetRole": "arn:aws:iam::000000000000:role/fleet"}), OUTPUTS)
    assert after["Environment"] != before["Environment"]
    assert after["Queue"] == before["Queue"]
    batch = twin.client("batch")
    [queue] = batch.describe_job_queues(jobQueues=[after["Queue"]])["jobQueues"]
    assert [entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"]] == [after["Environment"]]
    gone = batch.describe_compute_environments(computeEnvironments=[before["Environment"]])
    assert gone["computeEnvironments"] == []


def test_each_change_of_a_definition_is_a_revision(twin: TestTwin, stack: Stack) -> None:
    outputs = {"Arn": {"Ref": "Definition"}}
    before = stack.put({"Definition": definition()}, outputs)["Arn"]
    after = stack.put({"Definition": definition(Timeout={"AttemptDurationSeconds": "60"})}, outputs)["Arn"]
    assert before.endswith(":1")
    assert after == before[:-1] + "2"
    shown = twin.client("batch").describe_job_definitions(jobDefinitions=[before, after])["jobDefinitions"]
    assert [(each["revision"], each["status"]) for each in shown] == [(1, "INACTIVE"), (2, "ACTIVE")]
    assert shown[1]["timeout"] == {"attemptDurationSeconds": 60}
    assert shown[1]["containerProperties"]["logConfiguration"]["options"] == {"awslogs-group": "/Mixed/Case"}


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"Definition": definition(Nonsense=1)}, r"extraneous key \[Nonsense\]"),
        ({"Definition": definition(Timeout={"AttemptDurationSeconds": 1})}, "at least 60"),
        (platform({"Subnets": ["subnet-00000000"]}), "subnet-00000000"),
        (platform({"InstanceTypes": ["m5.huge"]}), "m5.huge"),
        ({"Ip": {"Type": "AWS::EC2::EIP", "Properties": {"InstanceId": "i-1"}}}, "does not implement InstanceId"),
    ],
)
def test_wrong_resources_fail_their_stack_with_the_reason(stack: Stack, resources: dict[str, Any], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        stack.put(resources)


def rule(kind: str, **more: Any) -> dict[str, Any]:
    properties = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    return {"Type": f"AWS::EC2::SecurityGroup{kind}", "Properties": properties | more}


def group(**rules: Any) -> dict[str, Any]:
    sealed = [{"CidrIp": "255.255.255.255/32", "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86}]
    properties = {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}, "SecurityGroupEgress": sealed}
    return {**NETWORK, "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}, **rules}


def test_security_group_rules(twin: TestTwin, stack: Stack) -> None:
    ec2 = twin.client("ec2")
    member = {"Fn::GetAtt": ["Group", "GroupId"]}
    outputs = {"Group": member, "In": {"Ref": "In"}, "Out": {"Ref": "Out"}}
    made = stack.put(
        group(
            In=rule("Ingress", SourceSecurityGroupId=member, Description="members"),
            Out=rule("Egress", CidrIp="10.0.0.0/8"),
        ),
        outputs,
    )

    def shown() -> Any:
        return ec2.describe_security_groups(GroupIds=[made["Group"]])["SecurityGroups"][0]

    [inward] = shown()["IpPermissions"]
    assert inward["UserIdGroupPairs"][0]["GroupId"] == made["Group"]
    assert inward["UserIdGroupPairs"][0]["Description"] == "members"
    assert [each["IpRanges"][0]["CidrIp"] for each in shown()["IpPermissionsEgress"]][-1] == "10.0.0.0/8"
    described = stack.put(
        group(
            In=rule("Ingress", SourceSecurityGroupId=member, Description="all members"),
            Out=rule("Egress", CidrIp="10.0.0.0/16"),
        ),
        outputs,
    )
    assert described["In"] == made["In"]
    assert described["Out"] != made["Out"]
    assert shown()["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "all members"
    assert [each["IpRanges"][0]["CidrIp"] for each in shown()["IpPermissionsEgress"]][1:] == ["10.0.0.0/16"]
    stack.put(group())
    assert shown()["IpPermissions"] == []


def test_nat_gateway_address_and_flow_log(twin: TestTwin, stack: Stack) -> None:
    ec2 = twin.client("ec2")
    outputs = {"Ip": {"Ref": "Ip"}, "Nat": {"Ref": "Nat"}, "Log": {"Ref": "Log"}}

    def resources(name: str) -> dict[str, Any]:
        tags = [{"Key": "Name", "Value": name}]
        allocation = {"Fn::GetAtt": ["Ip", "AllocationId"]}
        return {
            **NETWORK,
            "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc", "Tags": tags}},
            "Nat": {
                "Type": "AWS::EC2::NatGateway",
                "Properties": {"SubnetId": {"Ref": "Subnet"}, "AllocationId": allocation, "Tags": tags},
            },
            "Log": {
                "Type": "AWS::EC2::FlowLog",
                "Properties": {
                    "ResourceId": {"Ref": "Vpc"},
                    "ResourceType": "VPC",
                    "TrafficType": "REJECT",
                    "LogDestinationType": "cloud-watch-logs",
                    "LogGroupName": "/flow",
                    "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/flow",
                    "Tags": tags,
                },
            },
        }

    made = stack.put(resources("a"), outputs)
    assert stack.put(resources("b"), outputs) == made
    [nat] = ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]
    assert (nat["State"], nat["Tags"]) == ("available", [{"Key": "Name", "Value": "b"}])
    [address] = [each for each in ec2.describe_addresses()["Addresses"] if each["PublicIp"] == made["Ip"]]
    assert address["Tags"] == [{"Key": "Name", "Value": "b"}]
    [log] = ec2.describe_flow_logs(FlowLogIds=[made["Log"]])["FlowLogs"]
    assert (log["TrafficType"], log["Tags"]) == ("REJECT", [{"Key": "Name", "Value": "b"}])
    stack.put(NETWORK)
    assert made["Ip"] not in [each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]]
    assert ec2.describe_flow_logs(FlowLogIds=[made["Log"]])["FlowLogs"] == []
    states = [each["State"] for each in ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]]
    assert states == ["deleted"]


def test_a_notebook_is_recorded(twin: TestTwin, stack: Stack) -> None:
    sagemaker = twin.client("sagemaker")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    outputs = {"Name": {"Fn::GetAtt": ["Notebook", "NotebookInstanceName"]}, "Arn": {"Ref": "Notebook"}}

    def resources(instance_type: str, script: str, **tags: str) -> dict[str, Any]:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        content = base64.b64encode(script.encode()).decode()
        return {
            **NETWORK,
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
            "Config": {
                "Type": "AWS::SageMaker::NotebookInstanceLifecycleConfig",
                "Properties": {"OnStart": [{"Content": content}], "Tags": listed},
            },
            "Notebook": {
                "Type": "AWS::SageMaker::NotebookInstance",
                "Properties": {
                    "InstanceType": instance_type,
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "SubnetId": {"Ref": "Subnet"},
                    "DirectInternetAccess": "Disabled",
                    "LifecycleConfigName": {"Fn::GetAtt": ["Config", "NotebookInstanceLifecycleConfigName"]},
                    "Tags": listed,
                },
            },
        }

    made = stack.put(resources("ml.t3.medium", "echo a", team="a", old="x"), outputs)
    shown = sagemaker.describe_notebook_instance(NotebookInstanceName=made["Name"])
    assert (shown["NotebookInstanceStatus"], shown["InstanceType"]) == ("Stopped", "ml.t3.medium")
    assert stack.put(resources("ml.t3.large", "echo b", team="b", new="y"), outputs) == made
    shown = sagemaker.describe_notebook_instance(NotebookInstanceName=made["Name"])
    assert shown["InstanceType"] == "ml.t3.large"
    config = sagemaker.describe_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=shown["NotebookInstanceLifecycleConfigName"]
    )
    assert base64.b64decode(config["OnStart"][0]["Content"]) == b"echo b"
    for arn in (made["Arn"], config["NotebookInstanceLifecycleConfigArn"]):
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert {"team": "b", "new": "y"}.items() <= tags.items()
        assert "old" not in tags
    sagemaker.start_notebook_instance(NotebookInstanceName=made["Name"])
    assert (
        sagemaker.describe_notebook_instance(NotebookInstanceName=made["Name"])["NotebookInstanceStatus"] == "InService"
    )
    with pytest.raises(sagemaker.exceptions.ClientError, match=r"Status \(InService\) not in \(\[Stopped\]\)"):
        sagemaker.delete_notebook_instance(NotebookInstanceName=made["Name"])
    stack.put(NETWORK)
    assert made["Name"] not in [
        each["NotebookInstanceName"] for each in sagemaker.list_notebook_instances(MaxResults=100)["NotebookInstances"]
    ]
