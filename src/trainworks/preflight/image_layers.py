"""The bucket of AWS's in which ECR keeps the layers of images: an endpoint's policy for one's own buckets shuts it out.

Source: "Minimum Amazon S3 bucket permissions for Amazon ECR" (Amazon ECR interface VPC endpoints).
"""

from __future__ import annotations

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.iam.partial.conditions import Verdict
from trainworks.aws.iam.partial.statements import statements_of

_ACTION = "s3:GetObject"
_CONTEXT = {"aws:resourceaccount": "another account"}


def layer_bucket_arn(graph: Graph) -> str:
    """The bucket of the graph's region."""
    return f"arn:{graph.partition}:s3:::prod-{graph.region}-starport-layer-bucket"


def refuses_layers(graph: Graph, endpoint: Resource) -> bool:
    """Whether the policy of an S3 endpoint certainly lets nobody read layers; without one it lets everybody do all."""
    document = endpoint.get("PolicyDocument")
    if document is None:
        return False
    layer = f"{layer_bucket_arn(graph)}/layer"
    return not any(
        statement.allows
        and Verdict.FALSE not in (statement.speaks_of(_ACTION), statement.reaches(layer), statement.holds(_CONTEXT))
        for statement in statements_of(document)
    )
