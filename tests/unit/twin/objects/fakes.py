"""Doubles of what the emulator does for object data: buckets as plain records, permissions as a set of refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trainworks.twin.objects import Bucket, ObjectEvent
from trainworks.twin.ports import ApiError, Caller

CALLER = Caller("arn:aws:iam::000000000000:user/test", "000000000000", "us-east-1", "AKIATEST")


@dataclass
class FakeEmulator:
    """Implements `BucketConfig` and as much of `ControlPlane` as object data uses."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str | Sequence[str]]]] = field(default_factory=list)
    events: list[ObjectEvent] = field(default_factory=list)

    def bucket(self, name: str) -> Bucket | None:
        return self.buckets.get(name)

    def kms_key_arn(self, key_id: str, caller: Caller) -> str:
        for known, arn in self.keys.items():
            if key_id in (known, arn):
                return arn
        raise ApiError("KMS.NotFoundException", f"Key '{key_id}' does not exist", 400)

    def emit(self, event: ObjectEvent) -> None:
        self.events.append(event)

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        self.asked.append((action, resource, dict(context or {})))
        if (action, resource) in self.refused or (action, "*") in self.refused:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not {action} on {resource}", 403)

    def add(self, name: str, versioning: str = "", *, notifies: bool = False) -> Bucket:
        self.buckets[name] = Bucket(name, "000000000000", "us-east-1", versioning, notifies=notifies)
        return self.buckets[name]
