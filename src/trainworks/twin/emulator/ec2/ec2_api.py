"""The emulator's EC2, called in process: for resource types of ours that its CloudFormation does not have."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from trainworks.twin.emulator import engine
from trainworks.twin.ports import ApiError


class EmulatorEc2:
    """See `resources.ec2.Ec2Api`. Runs on the loop, in the account and region of the request that is served there."""

    def __call__(self, action: str, params: Mapping[str, str]) -> ElementTree.Element:
        ec2 = engine.service("ec2")
        ec2._ensure_defaults_initialized()
        status, _, body = ec2._ACTION_MAP[action]({name: [value] for name, value in params.items()})
        # The body is the emulator's own answer, not a user's document.
        root = ElementTree.fromstring(body)  # noqa: S314
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        if status >= 400:
            raise ApiError(root.findtext(".//Code", "InternalError"), root.findtext(".//Message", ""), status)
        return root
