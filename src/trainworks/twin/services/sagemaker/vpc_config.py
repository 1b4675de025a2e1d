"""The VpcConfig of a request. Source: botocore shape `VpcConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import ControlPlane
from trainworks.twin.services.sagemaker.refusals import invalid


def check_vpc(vpc: Mapping[str, Any] | None, control_plane: ControlPlane) -> None:
    """Raise `ApiError('ValidationException')` for subnets or security groups that are not there."""
    if vpc is None:
        return
    missing = [subnet for subnet in vpc["Subnets"] if not control_plane.subnet_exists(subnet)]
    if missing:
        raise invalid(f"The subnet ID(s) '{', '.join(missing)}' do not exist")
    missing = [group for group in vpc["SecurityGroupIds"] if not control_plane.security_group_exists(group)]
    if missing:
        raise invalid(f"The security group ID(s) '{', '.join(missing)}' do not exist")
