"""The protocols that AWS clients speak, each as one module: json 1.0 and 1.1, rest-json, query and ec2, rpc-v2-cbor."""

from trainworks.twin.wire.protocols.base import Protocol
from trainworks.twin.wire.protocols.select import protocol_of

__all__ = ["Protocol", "protocol_of"]
