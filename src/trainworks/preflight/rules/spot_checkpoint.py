"""TW09: managed spot training that cannot resume: no checkpoints, or a role that may not read and write them."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import Context
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.resource_policies import resource_policies_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.s3_uris import S3Location, location_of
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import TrainingJob, workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for job in workloads_of(graph).training_jobs:
        if job.enable_managed_spot_training is not True:
            continue
        if not job.checkpoint_s3_uri:
            yield Fault(
                job.at,
                f"the {job.title} runs on spot instances without CheckpointConfig: an interruption loses all its "
                "work, and "
                f"it starts from the beginning each time{_nowhere(job, graph)}",
                "CheckpointConfig",
                "set CheckpointConfig.S3Uri to a prefix that the job's role may Get, Put and List",
            )
            continue
        yield from _inaccessible(job, graph)


def _nowhere(job: TrainingJob, graph: Graph) -> str:
    """What else is missing for checkpoints, where no bucket of the templates could hold them."""
    role = permissions_of(graph).role(job.role_arn)
    buckets = [S3Location(bucket.physical_id, "") for bucket in graph.of_type("AWS::S3::Bucket")]
    if role is None or not buckets:
        return ""
    for location in buckets:
        if all(_may(role, *wanted, graph) for wanted in _wanted(location, graph)):
            return ""
    return f"; nor is there a bucket that its role {role.place} may both read and write"


def _inaccessible(job: TrainingJob, graph: Graph) -> Iterator[Fault]:
    location, role = location_of(job.checkpoint_s3_uri), permissions_of(graph).role(job.role_arn)
    if role is None or location is None:
        return
    missing = [
        action for action, arn, context in _wanted(location, graph) if not _may(role, action, arn, context, graph)
    ]
    if missing:
        yield Fault(
            role,
            f"the role of the {job.title} at {_place(job.at)} lacks {', '.join(missing)} on its checkpoints "
            f"{job.checkpoint_s3_uri}: a job that was interrupted cannot resume",
            missing,
            f"allow s3:GetObject and s3:PutObject on {location.objects(graph.partition)}, s3:ListBucket on the bucket",
        )


def _wanted(location: S3Location, graph: Graph) -> list[tuple[str, str, Context]]:
    objects, bucket = location.objects(graph.partition), location.bucket_arn(graph.partition)
    return [
        ("s3:GetObject", objects, {}),
        ("s3:PutObject", objects, {}),
        ("s3:ListBucket", bucket, {"s3:prefix": location.below}),
    ]


def _may(role: Resource, action: str, arn: str, context: Context, graph: Graph) -> bool:
    bucket = graph.owner(arn.partition("/")[0])
    if isinstance(arn, Unknown):
        return True
    if bucket is None:
        return permissions_of(graph).of(role).allows(action, arn, context) is not PartialDecision.NO
    return resource_policies_of(graph).role_may(role, action, bucket, arn, context) is not PartialDecision.NO


def _place(at: Resource | str) -> str:
    return at if isinstance(at, str) else at.place


RULE = Rule(
    code="TW09",
    severity=Severity.ERROR,
    title="spot training without checkpoints, or whose role cannot Get, Put and List them",
    origin="Spot training that starts from the beginning after each interruption (sagemaker-python-sdk issue 1040).",
    find=find,
)
