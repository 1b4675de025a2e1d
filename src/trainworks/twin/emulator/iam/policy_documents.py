"""Every policy document is checked before it is stored, whichever operation or resource of a stack brings it.

What is wrong `aws.iam.validation` says; here are the places where documents are, the limits, and the codes of each
service. A principal of this account that a document of a resource or role names has to exist.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.aws.iam.policy_places import (
    BUCKET,
    BUS,
    ENDPOINT,
    KEY,
    LOGS,
    QUEUE,
    REPOSITORY,
    SECRET,
    TABLE,
    TOPIC,
    TYPES,
    DocumentPlace,
    documents_at,
)
from trainworks.aws.iam.validation import (
    IDENTITY,
    MANAGED,
    QUOTA_EXCEEDED,
    SESSION,
    TRUST,
    PolicyKind,
    principals_of,
    problem,
    size_without_space,
)
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.actors import ROOT_ARN
from trainworks.twin.home import ACCOUNT_ID
from trainworks.twin.ports import ApiError

OPERATIONS: dict[str, DocumentPlace] = {
    "iam:PutUserPolicy": DocumentPlace(("PolicyDocument",), IDENTITY),
    "iam:PutGroupPolicy": DocumentPlace(("PolicyDocument",), IDENTITY),
    "iam:PutRolePolicy": DocumentPlace(("PolicyDocument",), IDENTITY),
    "iam:CreatePolicy": DocumentPlace(("PolicyDocument",), MANAGED),
    "iam:CreatePolicyVersion": DocumentPlace(("PolicyDocument",), MANAGED),
    "iam:CreateRole": DocumentPlace(("AssumeRolePolicyDocument",), TRUST),
    "iam:UpdateAssumeRolePolicy": DocumentPlace(("PolicyDocument",), TRUST),
    "sts:AssumeRole": DocumentPlace(("Policy",), SESSION),
    "sts:AssumeRoleWithWebIdentity": DocumentPlace(("Policy",), SESSION),
    "sts:GetFederationToken": DocumentPlace(("Policy",), SESSION),
    "s3:PutBucketPolicy": DocumentPlace(("Policy",), BUCKET),
    "sqs:CreateQueue": DocumentPlace(("Attributes", "Policy"), QUEUE),
    "sqs:SetQueueAttributes": DocumentPlace(("Attributes", "Policy"), QUEUE),
    "sns:CreateTopic": DocumentPlace(("Attributes", "Policy"), TOPIC),
    "sns:SetTopicAttributes": DocumentPlace(("AttributeValue",), TOPIC),
    "kms:CreateKey": DocumentPlace(("Policy",), KEY),
    "kms:PutKeyPolicy": DocumentPlace(("Policy",), KEY),
    "kms:ReplicateKey": DocumentPlace(("Policy",), KEY),
    "ecr:SetRepositoryPolicy": DocumentPlace(("policyText",), REPOSITORY),
    "secretsmanager:PutResourcePolicy": DocumentPlace(("ResourcePolicy",), SECRET),
    "secretsmanager:ValidateResourcePolicy": DocumentPlace(("ResourcePolicy",), SECRET),
    "logs:PutResourcePolicy": DocumentPlace(("policyDocument",), LOGS),
    "logs:PutDestinationPolicy": DocumentPlace(("accessPolicy",), LOGS),
    "logs:PutDeliveryDestinationPolicy": DocumentPlace(("deliveryDestinationPolicy",), LOGS),
    "events:PutPermission": DocumentPlace(("Policy",), BUS),
    "ec2:CreateVpcEndpoint": DocumentPlace(("PolicyDocument",), ENDPOINT),
    "ec2:ModifyVpcEndpoint": DocumentPlace(("PolicyDocument",), ENDPOINT),
    "dynamodb:CreateTable": DocumentPlace(("ResourcePolicy",), TABLE),
    "dynamodb:PutResourcePolicy": DocumentPlace(("Policy",), TABLE),
}


# What the inline policies of an entity may have together, in characters other than white space.
_INLINE = {"user": 2048, "group": 5120, "role": 10_240}
_PUTS = {"iam:PutUserPolicy": "user", "iam:PutGroupPolicy": "group", "iam:PutRolePolicy": "role"}
_HOLDERS = {"AWS::IAM::User": "user", "AWS::IAM::Group": "group", "AWS::IAM::Role": "role"}


def check_request(action: str, params: Mapping[str, Any]) -> None:
    """Raise `ApiError` if a request would store a document that the service refuses."""
    place = OPERATIONS.get(action)
    if place is None or (action == "sns:SetTopicAttributes" and params.get("AttributeName") != "Policy"):
        return
    for document in documents_at(params, place.path):
        refusal = refused(document, place.kind, bucket=str(params.get("Bucket", "")))
        if refusal is not None:
            raise refusal
    if action in _PUTS:
        kind = _PUTS[action]
        given = {str(params.get("PolicyName", "")): params.get("PolicyDocument", "")}
        _check_inline(kind, str(params.get(f"{kind.capitalize()}Name", "")), given)


def check_resource(type_name: str, properties: Mapping[str, Any]) -> None:
    """Raise `ApiError` if a resource of a stack has such a document."""
    for place in TYPES.get(type_name, ()):
        for document in documents_at(properties, place.path):
            refusal = refused(document, place.kind, bucket=str(properties.get("Bucket", "")))
            if refusal is not None:
                raise refusal
    if type_name in _HOLDERS:
        kind = _HOLDERS[type_name]
        policies = {
            str(each.get("PolicyName")): each.get("PolicyDocument") for each in properties.get("Policies") or ()
        }
        _check_inline(kind, str(properties.get(f"{kind.capitalize()}Name", "")), policies)
    elif type_name == "AWS::IAM::Policy":
        policies = {str(properties.get("PolicyName")): properties.get("PolicyDocument")}
        for kind in _INLINE:
            for name in properties.get(f"{kind.capitalize()}s") or ():
                _check_inline(kind, str(name), policies)


def _check_inline(kind: str, name: str, given: Mapping[str, Any]) -> None:
    """Raise `ApiError` `LimitExceeded` if an entity's inline policies would be too long together."""
    limit = _INLINE[kind]
    together = {**(_inline_policies(kind, name) if name else {}), **given}
    texts = (text if isinstance(text, str) else json.dumps(text) for text in together.values())
    if sum(size_without_space(text) for text in texts) > limit:
        raise ApiError(QUOTA_EXCEEDED, f"Maximum policy size of {limit} bytes exceeded for {kind} {name}", 409)


def _inline_policies(kind: str, name: str) -> Mapping[str, Any]:
    iam = engine.service("iam")
    if kind == "role":
        return (engine.row(iam._roles, ACCOUNT_ID, name) or {}).get("InlinePolicies") or {}
    return engine.row(getattr(iam, f"_{kind}_inline_policies"), ACCOUNT_ID, name) or {}


def refused(document: object, kind: PolicyKind, *, bucket: str = "") -> ApiError | None:
    """Why a document of `kind` is not stored, or None. `bucket` is the one that a bucket policy is for."""
    found = problem(document, kind)
    if found is not None:
        return _error(kind, found.message, found.code)
    parsed: Any = json.loads(document) if isinstance(document, str) else document
    if kind.principals:
        for arn in principals_of(parsed):
            if not _exists(arn):
                return _error(kind, f'Invalid principal in policy: "AWS":"{arn}"', kind.code)
    if kind is BUCKET and bucket:
        resources = _foreign_resources(parsed, bucket)
        if resources:
            return _error(kind, f"Policy has invalid resource: {resources[0]} is not of the bucket {bucket}", kind.code)
    return None


def _error(kind: PolicyKind, message: str, code: str) -> ApiError:
    if kind is QUEUE:
        message = f"Invalid value for the parameter Policy. {message}"
    elif kind is TOPIC:
        message = f"Invalid parameter: Policy Error: {message}"
    elif kind is REPOSITORY:
        message = (
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: "
            f"'Invalid repository policy provided'. {message}"
        )
    return ApiError(code, message, 409 if code == QUOTA_EXCEEDED else 400)


def _exists(arn: str) -> bool:
    """Whether a principal is there; those of other accounts nobody here can know."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[4] != ACCOUNT_ID or arn == ROOT_ARN:
        return True
    iam = engine.service("iam")
    kind, _, rest = parts[5].partition("/")
    name = rest.split("/")[0] if kind in ("assumed-role", "federated-user") else rest.rsplit("/", 1)[-1]
    if kind == "user":
        found = engine.row(iam._users, ACCOUNT_ID, name)
        return found is not None and found.get("Arn", arn) == arn
    if kind == "role":
        found = engine.row(iam._roles, ACCOUNT_ID, name)
        return found is not None and found.get("Arn", arn) == arn
    if kind == "assumed-role":
        return engine.row(iam._roles, ACCOUNT_ID, name) is not None
    return True


def _foreign_resources(document: Mapping[str, Any], bucket: str) -> list[str]:
    statements = document["Statement"]
    found = []
    for statement in statements if isinstance(statements, list) else [statements]:
        resources = statement.get("Resource", statement.get("NotResource"))
        for resource in resources if isinstance(resources, list) else [resources]:
            name = str(resource).split(":", 5)[-1].split("/", 1)[0]
            if resource != "*" and name != bucket and not ("*" in name or "?" in name or "${" in name):
                found.append(str(resource))
    return found
