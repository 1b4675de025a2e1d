"""Which protocol a request speaks: a service may answer several, and newer clients choose the newest."""

from __future__ import annotations

from botocore.model import ServiceModel

from trainworks.twin.wire.call import Request
from trainworks.twin.wire.protocols.base import Protocol
from trainworks.twin.wire.protocols.cbor import RpcV2Cbor
from trainworks.twin.wire.protocols.json_rpc import JsonRpc
from trainworks.twin.wire.protocols.query import Query
from trainworks.twin.wire.protocols.rest_json import RestJson


def protocol_of(model: ServiceModel, request: Request) -> Protocol:
    """The protocol by what marks it in a request: a header, the target, the form body; else the service's own."""
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return RpcV2Cbor()
    if "x-amz-target" in request.headers:
        return JsonRpc()
    own = str(model.metadata["protocol"])
    if own == "ec2":
        return Query(ec2=True)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Query()
    spoken: dict[str, Protocol] = {"json": JsonRpc(), "query": Query(), "smithy-rpc-v2-cbor": RpcV2Cbor()}
    return spoken.get(own) or RestJson()
