"""The pieces of a small VPC, as resources of a template."""

from __future__ import annotations

from typing import Any

Resources = dict[str, dict[str, Any]]


def resource(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type_}", "Properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def vpc() -> Resources:
    """A VPC with one subnet, whose route table has local routes only, and an internet gateway."""
    return {
        "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True, EnableDnsSupport=True),
        "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
        "Table": resource("EC2::RouteTable", VpcId=ref("Vpc")),
        "Association": resource("EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId=ref("Table")),
        "Internet": resource("EC2::InternetGateway"),
        "Attachment": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Internet")),
    }


def public() -> Resources:
    """The subnet's route to the internet gateway."""
    return {"Route": default_route("Table", GatewayId=ref("Internet"))}


def nat() -> Resources:
    """A public subnet with a NAT gateway, and the subnet's route to it."""
    return {
        "PublicSubnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.9.0/24"),
        "PublicTable": resource("EC2::RouteTable", VpcId=ref("Vpc")),
        "PublicAssociation": resource(
            "EC2::SubnetRouteTableAssociation", SubnetId=ref("PublicSubnet"), RouteTableId=ref("PublicTable")
        ),
        "PublicRoute": default_route("PublicTable", GatewayId=ref("Internet")),
        "Address": resource("EC2::EIP", Domain="vpc"),
        "Nat": resource(
            "EC2::NatGateway", SubnetId=ref("PublicSubnet"), AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]}
        ),
        "NatRoute": default_route("Table", NatGatewayId=ref("Nat")),
    }


def default_route(table: str, **target: Any) -> dict[str, Any]:
    return resource("EC2::Route", RouteTableId=ref(table), DestinationCidrBlock="0.0.0.0/0", **target)


def gateway(service: str = "s3", table: str = "Table") -> Resources:
    name = {"Fn::Sub": f"com.amazonaws.${{AWS::Region}}.{service}"}
    return {
        f"Gateway{service}": resource(
            "EC2::VPCEndpoint", VpcId=ref("Vpc"), ServiceName=name, RouteTableIds=[ref(table)]
        )
    }


def interface(service: str, **properties: Any) -> Resources:
    """An interface endpoint in the subnet, with the security group `EndpointGroup` where that is in the template."""
    settings: dict[str, Any] = {
        "VpcId": ref("Vpc"),
        "VpcEndpointType": "Interface",
        "ServiceName": {"Fn::Sub": f"com.amazonaws.${{AWS::Region}}.{service}"},
        "SubnetIds": [ref("Subnet")],
        "PrivateDnsEnabled": True,
    }
    return {f"Endpoint{service.replace('.', '')}": resource("EC2::VPCEndpoint", **settings | properties)}


def group(name: str, **rules: Any) -> Resources:
    return {name: resource("EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription=name, **rules)}


def group_id(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "GroupId"]}


def batch(subnet: str = "Subnet", **container: Any) -> Resources:
    """Hosts in the subnet and a job with a private image."""
    return {
        "Hosts": resource(
            "Batch::ComputeEnvironment",
            Type="MANAGED",
            ComputeResources={
                "Type": "EC2",
                "MaxvCpus": 16,
                "InstanceTypes": ["m5.large"],
                "InstanceRole": "arn:aws:iam::111111111111:instance-profile/hosts",
                "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
                "Subnets": [ref(subnet)],
                "SecurityGroupIds": [group_id("Workers")],
            },
        ),
        "Job": resource(
            "Batch::JobDefinition",
            Type="container",
            ContainerProperties={
                "Image": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/job:1",
                "ResourceRequirements": [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "1024"}],
                **container,
            },
        ),
        **group("Workers"),
    }
