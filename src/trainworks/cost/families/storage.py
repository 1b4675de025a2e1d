"""Keys, buckets, images, tables, secrets, volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import Assumptions, Reading, Unmetered, items, meter, whole_number
from trainworks.cost.money import HOURS_PER_MONTH

_CLASSES = {
    "STANDARD_IA": ("Standard-IA", "s3.standard_ia"),
    "ONEZONE_IA": ("One Zone-IA", "s3.one_zone_ia"),
    "INTELLIGENT_TIERING": ("Intelligent-Tiering", "s3.intelligent_tiering"),
    "GLACIER_IR": ("Glacier Instant Retrieval", "s3.glacier_ir"),
    "GLACIER": ("Glacier Flexible Retrieval", "s3.glacier"),
    "DEEP_ARCHIVE": ("Glacier Deep Archive", "s3.deep_archive"),
}

_VOLUMES = ("gp2", "gp3", "io1", "io2", "sc1", "st1", "standard")
_PROVISIONED = ("io1", "io2")
_GP3_IOPS, _GP3_MIB_S = 3000, 125
"""What comes with each gp3 volume."""


def kms_key(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    rotates = resource.get("EnableKeyRotation") is True
    note = "rotation adds as much for each of the first two" if rotates else ""
    yield meter("key", "kms.key", 1, note)
    yield meter("requests", "kms.requests")


def bucket(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Storage in each class that objects can be in, and requests."""
    del graph, assumptions
    yield meter("storage, Standard", "s3.standard")
    for name in sorted(_storage_classes(resource)):
        if name in _CLASSES:
            label, key = _CLASSES[name]
            yield meter(f"storage, {label}", key)
    yield meter("requests that write or list", "s3.requests.write")
    yield meter("requests that read", "s3.requests.read")


def _storage_classes(resource: Resource) -> set[str]:
    return {
        str(transition.get("StorageClass"))
        for rule in items(resource.get("LifecycleConfiguration", "Rules"))
        for kind in ("Transitions", "NoncurrentVersionTransitions")
        for transition in items(rule.get(kind))
    }


def repository(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("images", "ecr.storage")


def table(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    if resource.get("BillingMode", default="PROVISIONED") == "PAY_PER_REQUEST":
        yield meter("writes", "dynamodb.write")
        yield meter("reads", "dynamodb.read")
    else:
        for what, name in (("write", "WriteCapacityUnits"), ("read", "ReadCapacityUnits")):
            units = whole_number(resource.get("ProvisionedThroughput", name))
            if units is None:
                yield Unmetered(f"its {what} capacity is not known before the deploy")
            else:
                yield meter(f"{units} {what} capacity units", f"dynamodb.{what}_capacity", HOURS_PER_MONTH * units)
    yield meter("storage", "dynamodb.storage")
    if resource.get("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") is True:
        yield meter("point-in-time recovery", "dynamodb.point_in_time_recovery")


def secret(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("secret", "secretsmanager.secret", 1)


def volume(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    yield from disk(resource.properties, "Size")


def disk(properties: Mapping[str, Any], size_member: str) -> Iterator[Reading]:
    """A volume of EBS: its size, all IOPS of io1 and io2, and for gp3 what is above the part that comes with it."""
    kind, size = properties.get("VolumeType", "gp2"), whole_number(properties.get(size_member))
    if kind not in _VOLUMES or size is None:
        yield Unmetered("its size is not known" if size is None else f"volumes of type {kind} are in no price table")
        return
    yield meter(f"{size} GB of {kind}", f"ebs.{kind}", size)
    if kind in _PROVISIONED:
        yield from _above(properties.get("Iops"), 0, "IOPS", f"ebs.{kind}.iops")
    elif kind == "gp3":
        yield from _above(properties.get("Iops"), _GP3_IOPS, "IOPS", "ebs.gp3.iops")
        yield from _above(properties.get("Throughput"), _GP3_MIB_S, "MiB/s", "ebs.gp3.throughput")


def _above(value: object, included: int, unit: str, key: str) -> Iterator[Reading]:
    if value is None:
        return
    asked = whole_number(value)
    if asked is None:
        yield Unmetered(f"its {unit} are not known before the deploy")
    elif asked > included:
        what = f"{asked - included:,} {unit}" + (f" above {included:,}" if included else "")
        yield meter(what, key, asked - included)
