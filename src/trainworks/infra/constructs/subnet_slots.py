"""Addresses and logical ids of subnets that follow from kind and zone, so that other subnets do not move them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import jsii
from aws_cdk import CfnElement, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Node

from trainworks.aws.cidr import CidrBlock
from trainworks.config.profile import NetworkProfile


@jsii.implements(ec2.IIpAddresses)
class SubnetSlots:
    """Gives each subnet of a VPC the addresses of its kind and zone, `NetworkProfile.subnet_cidr_block`.

    The CDK by itself gives addresses one after the other, so that a zone more moves the subnets of the next kind.
    """

    def __init__(self, network: NetworkProfile, cidr_block: str) -> None:
        self._network = network
        self._block = CidrBlock.parse(cidr_block)

    def allocate_vpc_cidr(self) -> ec2.VpcIpamOptions:
        return ec2.VpcIpamOptions(cidr_block=str(self._block))

    def allocate_subnets_cidr(
        self, *, requested_subnets: Sequence[ec2.RequestedSubnet | dict[str, Any]], vpc_cidr: str
    ) -> ec2.SubnetIpamOptions:
        return ec2.SubnetIpamOptions(
            allocated_subnets=[
                ec2.AllocatedSubnet(cidr=str(self._network.subnet_cidr_block(self._block, kind, zone[-1])))
                for kind, zone in map(_kind_and_zone, requested_subnets)
            ]
        )


def _kind_and_zone(requested: ec2.RequestedSubnet | dict[str, Any]) -> tuple[str, str]:
    subnet = ec2.RequestedSubnet(**requested) if isinstance(requested, dict) else requested
    return subnet.configuration.name, subnet.availability_zone


def number_by_letter(vpc: ec2.Vpc, letters: Sequence[str]) -> None:
    """Let the logical ids of a subnet and what belongs to it count its zone's letter: `Subnet3` is always in c.

    The CDK counts the zones that there are. When a zone before it came or went, a subnet would get the resources of
    its neighbour, and CloudFormation would create it a second time before it deletes the first.
    """
    for subnet in (*vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets):
        letter = subnet.availability_zone[-1]
        counted, wanted = letters.index(letter) + 1, ord(letter) - ord("a") + 1
        if counted == wanted:
            continue
        name = subnet.node.id
        for element in subnet.node.find_all():
            if isinstance(element, CfnElement):
                path = [*_path_in_stack(subnet.node), *_path_below(subnet.node, element.node)]
                path[path.index(name)] = name.removesuffix(str(counted)) + str(wanted)
                element.override_logical_id(_logical_id(path))


def _path_in_stack(node: Node) -> list[str]:
    scopes = node.scopes
    stack = max(index for index, scope in enumerate(scopes) if Stack.is_stack(scope))
    return [scope.node.id for scope in scopes[stack + 1 :]]


def _path_below(node: Node, inner: Node) -> list[str]:
    return inner.path.removeprefix(f"{node.path}/").split("/")


def _logical_id(path: Sequence[str]) -> str:
    """What the CDK calls a resource at `path` within its stack: what people read of it, and a hash of all of it."""
    named = [part for part in path if part != "Default"]
    digest = hashlib.md5("/".join(named).encode(), usedforsecurity=False).hexdigest()[:8].upper()
    readable: list[str] = []
    for part in named:
        if part != "Resource" and not (readable and readable[-1].endswith(part)):
            readable.append(part)
    return re.sub(r"[^A-Za-z0-9]", "", "".join(readable))[:240] + digest
