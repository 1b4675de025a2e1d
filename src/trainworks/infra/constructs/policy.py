"""IAM statements as plain policy documents, written by hand.

The CDK's `grant_*` methods add wildcards (`s3:GetObject*`); every role of the platform is promised least privilege,
so its statements are spelled out, one function for one need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.aws.framework_images import frameworks

Statement = dict[str, Any]


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], condition: object = None) -> Statement:
    """An `Allow` statement; `condition` is IAM's condition block."""
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement


def deny(sid: str, actions: Sequence[str], resources: Sequence[str], condition: object) -> Statement:
    """A `Deny` statement."""
    return {**allow(sid, actions, resources, condition), "Effect": "Deny"}


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document of `statements`."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str, condition: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A trust policy for `service`; the condition keeps other accounts' resources from using the role."""
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return document([{**statement, "Condition": dict(condition)} if condition else statement])


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What a role may do with the objects of one bucket, by key prefix such as `output/`."""

    bucket_arn: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()

    def statements(self, name: str) -> list[Statement]:
        """Get, Put and List statements whose ids start with `name`."""
        listed = [f"{prefix}*" for prefix in sorted({*self.read, *self.write})]
        result = [
            allow(f"{name}List", ["s3:ListBucket"], [self.bucket_arn], {"StringLike": {"s3:prefix": listed}}),
        ]
        if self.read:
            result.append(allow(f"{name}Read", ["s3:GetObject"], self._objects(self.read)))
        if self.write:
            result.append(allow(f"{name}Write", ["s3:PutObject", "s3:AbortMultipartUpload"], self._objects(self.write)))
        return result

    def _objects(self, prefixes: Sequence[str]) -> list[str]:
        return [f"{self.bucket_arn}/{prefix}*" for prefix in prefixes]


PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
PUSH_ACTIONS = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")


def repository_access(repository_arns: Sequence[str], *, push: bool = False) -> list[Statement]:
    """Pull, and with `push` also push, on the repositories; the login token has no resource of its own."""
    actions = [*PULL_ACTIONS, *(PUSH_ACTIONS if push else ())]
    return [
        allow("ImageAccess", actions, repository_arns),
        allow("ImageLogin", ["ecr:GetAuthorizationToken"], ["*"]),
    ]


def framework_repository_arns(partition: str, region: str) -> list[str]:
    """Repositories of AWS's own framework images of a region (`scikit-learn`, `pytorch`, ...).

    They are in accounts of AWS: the repository's policy and the role's must both allow the pull.
    """
    return [
        f"arn:{partition}:ecr:{region}:{framework.accounts[region]}:repository/{framework.repository}"
        for framework in frameworks().values()
        if region in framework.accounts
    ]


def key_use(key_arn: str, *, grants: bool = False) -> list[Statement]:
    """Use of a KMS key for data; with `grants` also for volumes that AWS services attach."""
    statements = [allow("KeyUse", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [key_arn])]
    if grants:
        condition = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        statements.append(allow("KeyGrants", ["kms:CreateGrant"], [key_arn], condition))
    return statements


def network_interfaces(ec2_arn: str, subnet_ids: Sequence[str], security_group_id: str) -> list[Statement]:
    """What SageMaker needs of a role to put its network interfaces into a VPC.

    `ec2_arn` is `arn:<partition>:ec2:<region>:<account>`. Describe actions know no resources.
    """
    interfaces = f"{ec2_arn}:network-interface/*"
    return [
        allow(
            "InterfaceCreate",
            ["ec2:CreateNetworkInterface"],
            [
                interfaces,
                *(f"{ec2_arn}:subnet/{subnet_id}" for subnet_id in subnet_ids),
                f"{ec2_arn}:security-group/{security_group_id}",
            ],
        ),
        allow(
            "InterfaceManage",
            [
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            [interfaces],
        ),
        allow(
            "InterfaceDescribe",
            [
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeVpcs",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeSubnets",
                "ec2:DescribeSecurityGroups",
            ],
            ["*"],
        ),
    ]
