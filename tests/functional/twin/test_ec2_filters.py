"""Filters of listings that ministack itself does not look at."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin


def test_endpoints_and_interfaces_are_found_by_what_they_are(twin: TestTwin) -> None:
    ec2 = twin.client("ec2")
    made = []
    for number in (1, 2):
        vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.1.0/24")["Subnet"]["SubnetId"]
        tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "n", "Value": f"{vpc}"}]}]
        endpoint = ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName="com.amazonaws.us-east-1.s3",
            TagSpecifications=tags,  # type: ignore[arg-type]
        )["VpcEndpoint"]["VpcEndpointId"]
        interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        made.append((vpc, subnet, endpoint, interface))
    vpc, subnet, endpoint, interface = made[0]
    state = {"Name": "vpc-endpoint-state", "Values": ["available", "pending"]}
    some = f"*{endpoint[5:]}"
    for name, value in (("vpc-id", vpc), ("tag:n", vpc), ("vpc-endpoint-id", endpoint), ("vpc-endpoint-id", some)):
        filters: Any = [{"Name": name, "Values": [value]}, state]
        listed = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        assert [each["VpcEndpointId"] for each in listed] == [endpoint], name
    found = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
    assert [each["NetworkInterfaceId"] for each in found] == [interface]


def test_zones_that_are_available(twin: TestTwin) -> None:
    ec2 = twin.client("ec2")
    state = {"Name": "state", "Values": ["available"]}
    assert len(ec2.describe_availability_zones(Filters=[state])["AvailabilityZones"]) >= 3
    with pytest.raises(ClientError, match="The filter 'colour' is invalid"):
        ec2.describe_availability_zones(Filters=[{"Name": "colour", "Values": ["blue"]}])
