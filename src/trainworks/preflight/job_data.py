"""What a job's own request says that its role must read and write: its channels or inputs, and its outputs.

Checkpoints and keys have rules of their own (TW09, TW25).
"""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import Verdict
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.resource_policies import resource_policies_of
from trainworks.preflight.s3_uris import S3Location, location_of
from trainworks.preflight.workloads import SageMakerJob


def unreachable_data(graph: Graph, role: Resource, job: SageMakerJob) -> Iterator[tuple[str, str]]:
    """(action, S3 URI) of everything that the role certainly may not do."""
    wanted = [("s3:GetObject", uri) for uri in job.input_s3_uris]
    wanted += [("s3:PutObject", uri) for uri in job.written_s3_uris]
    for action, uri in wanted:
        location = location_of(uri)
        if location is not None and ":" not in location.bucket and not may_reach(graph, role, action, location):
            yield action, uri


def may_reach(graph: Graph, role: Resource, action: str, location: S3Location) -> bool:
    """Whether the role may, or perhaps may: a policy can name a part of what the URI names, and the job need no more.

    The URI of a channel is a prefix of keys, or one object. `bucket//*` is not part of `s3://bucket/`: it means keys
    that begin with a slash, which nothing writes.
    """
    bucket_arn = location.bucket_arn(graph.partition)
    bucket, beginning = graph.owner(bucket_arn), f"{bucket_arn}/{location.prefix.rstrip('/')}"
    for arn in (location.objects(graph.partition), beginning, f"{beginning}*"):
        if bucket is None:
            answer = permissions_of(graph).of(role).allows(action, arn)
        else:
            answer = resource_policies_of(graph).role_may(role, action, bucket, arn, {})
        if answer is not PartialDecision.NO:
            return True
    statements = permissions_of(graph).of(role).statements
    return any(
        statement.allows
        and statement.speaks_of(action) is not Verdict.FALSE
        and any(isinstance(each, Unknown) or _is_part(each, beginning) for each in statement.resources)
        for statement in statements
    )


def _is_part(resource: str, beginning: str) -> bool:
    slashes = "/" if beginning.endswith("/") else "//"
    return resource.startswith(beginning) and not resource.removeprefix(beginning).startswith(slashes)
