"""The service clients of one deployment, each made when it is first needed.

Making a client costs tens of milliseconds; an unchanged `up` needs exactly one. Where requests go (AWS or the twin) is
decided by whoever makes the factory: `session_for(environment).client`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient


ClientFactory = Callable[[str], Any]
"""`boto3.Session.client`, or anything that answers like it."""


class Clients:
    """CloudFormation, S3, ECR and STS of one account and region."""

    def __init__(self, factory: ClientFactory) -> None:
        self._factory = factory

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self._factory("cloudformation")
        return client

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._factory("s3")
        return client

    @cached_property
    def ecr(self) -> ECRClient:
        client: ECRClient = self._factory("ecr")
        return client

    @cached_property
    def sts(self) -> STSClient:
        client: STSClient = self._factory("sts")
        return client

    @property
    def region(self) -> str:
        """The region that the clients were made for."""
        return self.cloudformation.meta.region_name

    @cached_property
    def account_id(self) -> str:
        """Twelve digits, from `sts:GetCallerIdentity`."""
        return self.sts.get_caller_identity()["Account"]
