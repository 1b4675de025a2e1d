"""TW25: data under a KMS key that the role may not use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.resource_policies import resource_policies_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.s3_uris import location_of
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import SageMakerJob, TrainingJob, workloads_of
from trainworks.preflight.workloads.values import table, tables, text

_READ = ("kms:Decrypt",)
_WRITE = ("kms:GenerateDataKey", "kms:Decrypt")  # uploads in parts decrypt the data key of the parts before
_VOLUME = ("kms:CreateGrant",)
_UNPROVEN = "attach the endpoint's volumes"
"""AWS's page of the role of an endpoint does not show the right: nobody has seen a creation fail for it."""
_CONTEXT = {"kms:grantisforawsresource": "true"}


@dataclass(frozen=True, slots=True)
class _KeyUse:
    """`actions` that the role at `role_arn` needs on the key, for `purpose`."""

    role_arn: str
    key_id: str
    actions: tuple[str, ...]
    purpose: str
    at: Resource | str


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    missing: dict[tuple[Resource, str], dict[str, _KeyUse]] = defaultdict(dict)
    for use in _uses(graph):
        role = permissions_of(graph).role(use.role_arn)
        if role is not None and use.key_id and not isinstance(use.key_id, Unknown):
            for action in use.actions:
                if _answer(graph, role, action, use.key_id) is PartialDecision.NO:
                    missing[role, use.key_id].setdefault(action, use)
    for (role, key_id), uses in missing.items():
        purposes = "; ".join(
            f"{action} to {use.purpose} ({use.at if isinstance(use.at, str) else use.at.place})"
            for action, use in uses.items()
        )
        yield Fault(
            role,
            f"lacks on the key {key_id}: {purposes}",
            list(uses),
            "allow these actions on the key, in the role's policy or in the key's; "
            "kms:CreateGrant under the condition kms:GrantIsForAWSResource",
            Severity.WARNING if all(use.purpose == _UNPROVEN for use in uses.values()) else None,
        )


def _answer(graph: Graph, role: Resource, action: str, key_id: str) -> PartialDecision:
    policies = resource_policies_of(graph)
    key = policies.key(key_id)
    if key is not None:
        return policies.role_may(role, action, key, key.arn, _CONTEXT)
    if key_id.startswith("arn:") and ":key/" in key_id:
        return permissions_of(graph).of(role).allows(action, key_id, _CONTEXT)
    return PartialDecision.UNKNOWN


def _uses(graph: Graph) -> Iterator[_KeyUse]:
    workloads = workloads_of(graph)
    for job in (*workloads.training_jobs, *workloads.processing_jobs):
        yield from _of_job(graph, job)
    for config in workloads.endpoint_configs:
        for variant in config.variants:
            if variant.model:
                use = partial(_KeyUse, variant.model.role_arn, at=config.resource)
                if variant.instance_type:
                    yield use(config.kms_key_id, _VOLUME, _UNPROVEN)
                yield use(config.capture_kms_key_id, _WRITE, "store captured data")
    for model in workloads.models:
        for uri in model.artefact_s3_uris:
            yield _KeyUse(model.role_arn, _bucket_key(graph, uri), _READ, f"read the model {uri}", model.at)


def _of_job(graph: Graph, job: SageMakerJob) -> Iterator[_KeyUse]:
    use = partial(_KeyUse, job.role_arn, at=job.at)
    yield use(job.volume_kms_key_id, _VOLUME, "attach volumes")
    yield use(job.output_kms_key_id, _of_output(job.output_kms_key_id), "write its output")
    if not job.output_kms_key_id:
        yield use(_bucket_key(graph, job.output_s3_uri), _WRITE, "write its output")
    for uri in job.input_s3_uris:
        yield use(_bucket_key(graph, uri), _READ, f"read {uri}")
    if isinstance(job, TrainingJob):
        yield use(_bucket_key(graph, job.checkpoint_s3_uri), _WRITE, "write its checkpoints")
    for output in tables(table(job.request.get("ProcessingOutputConfig")).get("Outputs")):
        uri = text(table(output.get("S3Output")).get("S3Uri"))
        key = text(table(job.request["ProcessingOutputConfig"]).get("KmsKeyId"))
        yield use(key or _bucket_key(graph, uri), _WRITE, f"write {uri}")


def _of_output(key_id: str) -> tuple[str, ...]:
    """`OutputDataConfig`: a key that is given by its id or an alias is used by `Encrypt` as well."""
    return _WRITE if key_id.startswith("arn:") and ":key/" in key_id else (*_WRITE, "kms:Encrypt")


def _bucket_key(graph: Graph, uri: str) -> str:
    """The key that objects of a bucket of the templates are encrypted under by default; empty if there is none."""
    location = location_of(uri)
    bucket = graph.owner(location.bucket) if location else None
    if bucket is None or bucket.type != "AWS::S3::Bucket":
        return ""
    for rule in tables(bucket.get("BucketEncryption", "ServerSideEncryptionConfiguration", default=[])):
        default = table(rule.get("ServerSideEncryptionByDefault"))
        if text(default.get("SSEAlgorithm")).startswith("aws:kms"):
            return text(default.get("KMSMasterKeyID"))
    return ""


RULE = Rule(
    code="TW25",
    severity=Severity.ERROR,
    title="a volume, input or output under a key that the role may not use",
    origin="A missing kms:Decrypt is found when the first object is written (aws-cdk issue 12810).",
    find=find,
)
