"""What a delivery stream of Data Firehose uses as its role: buckets, the function that transforms, the stream it reads.

Source: Data Firehose Developer Guide, "Grant Firehose access to an Amazon S3 destination" and the pages of the other
destinations, each of which keeps in S3 what it could not deliver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.s3_uris import PUT, S3Location, S3UriUse
from trainworks.preflight.workloads.values import flag, table, tables, text

_STREAM = "AWS::KinesisFirehose::DeliveryStream"
_DESTINATION = "DestinationConfiguration"
_READ = ("kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords")


@dataclass(frozen=True, slots=True)
class Uncallable:
    """`role` lacks `actions` on `where`, an ARN, which the delivery stream `at` names in the property `path`."""

    role: Resource
    at: Resource
    path: str
    actions: tuple[str, ...]
    where: str


def places_of_streams(graph: Graph) -> Iterator[S3UriUse]:
    """Where delivery streams put records, and those that they could not deliver."""
    for stream in graph.of_type(_STREAM):
        for path, target in _buckets(stream):
            bucket = text(target.get("BucketARN")).rpartition(":")[2]
            for name in ("Prefix", "ErrorOutputPrefix"):
                if bucket and (name == "Prefix" or name in target):
                    location = S3Location(bucket, _beginning(text(target.get(name))))
                    yield S3UriUse(target.get("RoleARN"), stream, f"{path}.{name}", PUT, location)


def uncallable(graph: Graph) -> Iterator[Uncallable]:
    """Functions and streams that a delivery stream names and its role may not use."""
    for stream in graph.of_type(_STREAM):
        for path, role_arn, arn, actions in _callees(stream):
            role = permissions_of(graph).role(role_arn)
            if role is None or isinstance(arn, Unknown) or not arn.startswith("arn:"):
                continue
            missing = tuple(action for action in actions if _lacks(graph, role, action, arn))
            if missing:
                yield Uncallable(role, stream, path, missing, arn)


def _buckets(stream: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of the properties that names a bucket in use."""
    for name, destination in _destinations(stream):
        if "BucketARN" in destination:
            yield name, destination
        yield f"{name}.S3Configuration", table(destination.get("S3Configuration"))
        if text(destination.get("S3BackupMode")) == "Enabled":
            yield f"{name}.S3BackupConfiguration", table(destination.get("S3BackupConfiguration"))


def _destinations(stream: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, destination in stream.properties.items():
        if name.endswith(_DESTINATION):
            yield name, table(destination)


def _beginning(prefix: str) -> str:
    """The part of a prefix that is the same for every record: expressions (`!{timestamp:yyyy}`) are not known."""
    fixed, expression, _ = prefix.partition("!{")
    folder, slash, _ = fixed.rpartition("/")
    return f"{folder}{slash}" if expression else fixed


def _callees(stream: Resource) -> Iterator[tuple[str, object, str, tuple[str, ...]]]:
    """(property, role, ARN, actions) of what a stream calls."""
    for name, destination in _destinations(stream):
        processing = table(destination.get("ProcessingConfiguration"))
        if flag(processing.get("Enabled")) is not True:
            continue
        role = destination.get("RoleARN") or table(destination.get("S3Configuration")).get("RoleARN")
        for processor in tables(processing.get("Processors")):
            for parameter in tables(processor.get("Parameters")):
                if parameter.get("ParameterName") == "LambdaArn":
                    function = text(parameter.get("ParameterValue"))
                    yield f"{name}.ProcessingConfiguration", role, function, ("lambda:InvokeFunction",)
    source = table(stream.get("KinesisStreamSourceConfiguration"))
    yield "KinesisStreamSourceConfiguration", source.get("RoleARN"), text(source.get("KinesisStreamARN")), _READ


def _lacks(graph: Graph, role: Resource, action: str, arn: str) -> bool:
    owner = graph.owner(arn)
    if owner is not None and _lets_in(graph, owner):
        return False
    # A policy may name every version of a function.
    permissions = permissions_of(graph).of(role)
    return all(permissions.allows(action, each) is PartialDecision.NO for each in (arn, f"{arn}:$LATEST"))


def _lets_in(graph: Graph, owner: Resource) -> bool:
    """Whether its own policy may allow the role, which is enough within an account; a service is not in the account."""
    policies = [each.source for each in graph.users_of(owner) if each.source is not None]
    return any(
        each.type == "AWS::Kinesis::ResourcePolicy"
        or (each.type == "AWS::Lambda::Permission" and not text(each.get("Principal")).endswith(".amazonaws.com"))
        for each in policies
    )
