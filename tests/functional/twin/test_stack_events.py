"""CloudFormation's events on the default bus, and the default security group that they let somebody close."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.functional.twin.test_events import eventually, queue

from trainworks.testing import TestTwin

TEMPLATE = {"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.40.0.0/16"}}}}


def test_a_stacks_status_is_told(twin: TestTwin) -> None:
    name = f"told-{secrets.token_hex(4)}"
    sqs, events, cloudformation = twin.client("sqs"), twin.client("events"), twin.client("cloudformation")
    url, arn = queue(twin, name)
    pattern = {"source": ["aws.cloudformation"], "detail-type": ["CloudFormation Stack Status Change"]}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    stack_id = cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE))["StackId"]
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    cloudformation.delete_stack(StackName=name)
    told: list[dict[str, Any]] = []

    def all_told() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            if event["detail"]["stack-id"] == stack_id:
                told.append(event)
        return any(each["detail"]["status-details"]["status"] == "DELETE_COMPLETE" for each in told)

    eventually(all_told)
    statuses = [each["detail"]["status-details"]["status"] for each in told]
    assert sorted(statuses) == ["CREATE_COMPLETE", "CREATE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_IN_PROGRESS"]
    for event in told:
        assert (event["source"], event["region"], event["resources"]) == ("aws.cloudformation", "us-east-1", [stack_id])
        assert set(event["detail"]) == {"stack-id", "status-details", "client-request-token"}
        assert set(event["detail"]["status-details"]) == {"status", "status-reason"}
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


def test_a_new_vpcs_default_group_is_open_to_itself(twin: TestTwin) -> None:
    ec2, cloudformation = twin.client("ec2"), twin.client("cloudformation")
    name = f"vpc-{secrets.token_hex(4)}"
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (resource,) = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    for vpc_id in (resource["PhysicalResourceId"], ec2.create_vpc(CidrBlock="10.41.0.0/16")["Vpc"]["VpcId"]):
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
        (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        (inbound,), (outbound,) = group["IpPermissions"], group["IpPermissionsEgress"]
        assert inbound["IpProtocol"] == "-1"
        assert [pair["GroupId"] for pair in inbound["UserIdGroupPairs"]] == [group["GroupId"]]
        assert outbound["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    cloudformation.delete_stack(StackName=name)
