"""The bucket of AWS in which ECR keeps the layers of images: an endpoint policy that allows only own buckets denies it.

Source: "Minimum Amazon S3 bucket permissions for Amazon ECR" (Amazon ECR interface VPC endpoints).
"""

from __future__ import annotations

from trainworks.aws.iam.partial.endpoints import lets_through
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.reach import VpcEndpoint

_CONTEXT = {"aws:resourceaccount": "another account"}


def layer_bucket_arn(partition: str, region: str) -> str:
    """The bucket of a region."""
    return f"arn:{partition}:s3:::prod-{region}-starport-layer-bucket"


def refuses_layers(endpoint: VpcEndpoint, bucket_arn: str) -> bool:
    """Whether the policy of an S3 endpoint certainly denies layers to everybody. ECR itself signs their URLs."""
    answer = lets_through(endpoint.policy, endpoint.is_gateway, None, "s3:GetObject", f"{bucket_arn}/*", _CONTEXT)
    return answer is PartialDecision.NO
