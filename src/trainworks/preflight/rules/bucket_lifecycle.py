"""TW22: old versions and unfinished uploads kept for ever, and model data moved where nothing can read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import Verdict
from trainworks.aws.object_keys import split_uri
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import workloads_of
from trainworks.preflight.workloads.values import tables

_UNREADABLE = frozenset({"GLACIER", "Glacier", "DEEP_ARCHIVE"})
"""Storage classes that `GetObject` refuses until somebody restores the object."""

_SAGEMAKER = "sagemaker.amazonaws.com"
_PUT = "s3:PutObject"


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    model_data = _model_data(graph)
    for bucket in graph.of_type("AWS::S3::Bucket"):
        rules = _enabled_rules(bucket)
        if bucket.get("VersioningConfiguration", "Status") == "Enabled":
            yield from _kept_for_ever(bucket, rules)
        for rule in rules:
            yield from _archived(bucket, rule, model_data.get(bucket, frozenset()))


def _enabled_rules(bucket: Resource) -> list[Mapping[str, Any]]:
    rules = tables(bucket.get("LifecycleConfiguration", "Rules"))
    return [rule for rule in rules if rule.get("Status") == "Enabled"]


def _kept_for_ever(bucket: Resource, rules: list[Mapping[str, Any]]) -> Iterator[Fault]:
    expiring = ("NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays")
    if not any(key in rule for rule in rules for key in expiring):
        yield Fault(
            bucket,
            "keeps every version of every object for ever: an hourly checkpoint is paid for again every hour",
            "versioned, no NoncurrentVersionExpiration",
            "a lifecycle rule with NoncurrentVersionExpiration",
        )
    if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
        yield Fault(
            bucket,
            "keeps the parts of unfinished uploads for ever: they cost money, and no listing shows them",
            "no AbortIncompleteMultipartUpload",
            "a lifecycle rule with AbortIncompleteMultipartUpload",
        )


def _archived(bucket: Resource, rule: Mapping[str, Any], prefixes: frozenset[str]) -> Iterator[Fault]:
    classes = {str(each.get("StorageClass")) for each in _transitions(rule)} & _UNREADABLE
    own = _prefix(rule)
    hit = sorted(prefix for prefix in prefixes if prefix.startswith(own) or own.startswith(prefix))
    if not classes or not hit or isinstance(own, Unknown):
        return
    storage_class = min(classes)
    yield Fault(
        bucket,
        f"moves model data to {storage_class}: from then on CreateModel and a resuming job cannot read it",
        f"rule {rule.get('Id', '?')} on {own or 'all objects'}; model data in {hit[0] or 'the whole bucket'}",
        "StorageClass: GLACIER_IR, which is read at once, or a prefix without model data",
        Severity.ERROR,
    )


def _transitions(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*tables(rule.get("Transitions")), *tables([rule.get("Transition")])]


def _prefix(rule: Mapping[str, Any]) -> str:
    prefix = rule.get("Prefix", "")
    return prefix if isinstance(prefix, str) else ""


def _model_data(graph: Graph) -> dict[Resource, frozenset[str]]:
    """Prefixes of each bucket that hold models or checkpoints: those of requests, and where SageMaker's roles write."""
    workloads = workloads_of(graph)
    uris = {uri for model in workloads.models for uri in model.artefact_s3_uris}
    uris |= {uri for job in workloads.training_jobs for uri in (job.output_s3_uri, job.checkpoint_s3_uri) if uri}
    found: dict[Resource, set[str]] = {}
    for uri in uris:
        bucket_name, key = split_uri(uri)
        bucket = graph.owner(bucket_name)
        if bucket is not None:
            found.setdefault(bucket, set()).add(key)
    for bucket, prefix in _written_by_sagemaker(graph):
        found.setdefault(bucket, set()).add(prefix)
    return {bucket: frozenset(prefixes) for bucket, prefixes in found.items()}


def _written_by_sagemaker(graph: Graph) -> Iterator[tuple[Resource, str]]:
    """(bucket, prefix) of what roles of SageMaker's jobs may put: a template often has the role, not the request."""
    for role in graph.of_type("AWS::IAM::Role"):
        if _SAGEMAKER not in str(role.get("AssumeRolePolicyDocument", default="")):
            continue
        permissions = permissions_of(graph).of(role)
        puts = [each for each in permissions.statements if each.allows and each.speaks_of(_PUT) is Verdict.TRUE]
        for resource in (resource for statement in puts for resource in statement.resources):
            bucket_arn, slash, key = resource.partition("/")
            bucket = graph.owner(bucket_arn)
            if slash and bucket is not None and bucket.type == "AWS::S3::Bucket":
                yield bucket, key.partition("*")[0]


RULE = Rule(
    code="TW22",
    severity=Severity.WARNING,
    title="versions and parts of uploads kept for ever; model data in Glacier or Deep Archive (error)",
    origin="A bucket that grows without a listing that shows it; CreateModel that fails half a year after training.",
    find=find,
)
