"""Where resources of a stack have policy documents, and what each kind of document has to be like.

After the resource types' reference (CloudFormation) and the quotas of each service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.aws.iam.validation import IDENTITY, MANAGED, TRUST, PolicyKind

_MALFORMED = "MalformedPolicyDocumentException"
BUCKET = PolicyKind("bucket policy", "MalformedPolicy", True, True, 20_480, "s3", free_sids=True)
ACCESS_POINT = PolicyKind("access point policy", "MalformedPolicy", True, True, 20_480, "s3", free_sids=True)
KEY = PolicyKind("key policy", _MALFORMED, True, None, 32_768, too_long="LimitExceededException", free_sids=True)
QUEUE = PolicyKind("queue policy", "InvalidAttributeValue", True, None, 30_720, free_sids=True)
TOPIC = PolicyKind("topic policy", "InvalidParameter", True, None, 30_720, free_sids=True)
REPOSITORY = PolicyKind("repository policy", "InvalidParameterException", True, None, 10_240, free_sids=True)
SECRET = PolicyKind("resource policy", _MALFORMED, True, None, 20_480, free_sids=True)
LOGS = PolicyKind("resource policy", "InvalidParameterException", True, None, 5_120, free_sids=True)
BUS = PolicyKind("policy of the event bus", "ValidationException", True, None, 10_240, free_sids=True)
ENDPOINT = PolicyKind("endpoint policy", "InvalidPolicyDocument", True, None, 20_480, free_sids=True)
TABLE = PolicyKind("resource policy", "ValidationException", True, None, 20_480, free_sids=True)


@dataclass(frozen=True, slots=True)
class DocumentPlace:
    """Where a request or a resource has a document: the path of its member."""

    path: tuple[str, ...]
    kind: PolicyKind


TYPES: dict[str, tuple[DocumentPlace, ...]] = {
    "AWS::IAM::Role": (
        DocumentPlace(("AssumeRolePolicyDocument",), TRUST),
        DocumentPlace(("Policies", "PolicyDocument"), IDENTITY),
    ),
    "AWS::IAM::User": (DocumentPlace(("Policies", "PolicyDocument"), IDENTITY),),
    "AWS::IAM::Group": (DocumentPlace(("Policies", "PolicyDocument"), IDENTITY),),
    "AWS::IAM::Policy": (DocumentPlace(("PolicyDocument",), IDENTITY),),
    "AWS::IAM::ManagedPolicy": (DocumentPlace(("PolicyDocument",), MANAGED),),
    "AWS::S3::BucketPolicy": (DocumentPlace(("PolicyDocument",), BUCKET),),
    "AWS::SQS::QueuePolicy": (DocumentPlace(("PolicyDocument",), QUEUE),),
    "AWS::SNS::TopicPolicy": (DocumentPlace(("PolicyDocument",), TOPIC),),
    "AWS::KMS::Key": (DocumentPlace(("KeyPolicy",), KEY),),
    "AWS::ECR::Repository": (DocumentPlace(("RepositoryPolicyText",), REPOSITORY),),
    "AWS::SecretsManager::ResourcePolicy": (DocumentPlace(("ResourcePolicy",), SECRET),),
    "AWS::Logs::ResourcePolicy": (DocumentPlace(("PolicyDocument",), LOGS),),
    "AWS::Logs::Destination": (DocumentPlace(("DestinationPolicy",), LOGS),),
    "AWS::Logs::LogGroup": (DocumentPlace(("ResourcePolicyDocument",), LOGS),),
    "AWS::Events::EventBus": (DocumentPlace(("Policy",), BUS),),
    "AWS::DynamoDB::Table": (
        DocumentPlace(("ResourcePolicy", "PolicyDocument"), TABLE),
        DocumentPlace(("StreamSpecification", "ResourcePolicy", "PolicyDocument"), TABLE),
    ),
    "AWS::DynamoDB::GlobalTable": (
        DocumentPlace(("Replicas", "ResourcePolicy", "PolicyDocument"), TABLE),
        DocumentPlace(("Replicas", "ReplicaStreamSpecification", "ResourcePolicy", "PolicyDocument"), TABLE),
    ),
    "AWS::S3::AccessPoint": (DocumentPlace(("Policy",), ACCESS_POINT),),
    "AWS::EC2::VPCEndpoint": (DocumentPlace(("PolicyDocument",), ENDPOINT),),
}


def documents_at(node: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """The documents at a path; an empty text takes the policy away and is none."""
    if isinstance(node, list) and path:
        for item in node:
            yield from documents_at(item, path)
    elif not path:
        if node not in (None, ""):
            yield node
    elif isinstance(node, Mapping) and path[0] in node:
        yield from documents_at(node[path[0]], path[1:])
