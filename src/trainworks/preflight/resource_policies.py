"""Permissions of a role together with the policies of the buckets and keys it works on.

Decided as the twin decides: in one account either policy suffices for a bucket; a key's policy has to name the role, or
hand the decision to IAM by naming the account. A Deny in either is final.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import Context
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import session_of
from trainworks.aws.iam.partial.statements import Statement, statements_of
from trainworks.preflight.permissions import permissions_of

_POLICIES = (
    ("AWS::S3::BucketPolicy", "Bucket"),
    ("AWS::SNS::TopicPolicy", "Topics"),
    ("AWS::SNS::TopicInlinePolicy", "TopicArn"),
)
"""Types of policies, and the property that names what they are about."""


class ResourcePolicies:
    """Policies of a graph's buckets, keys and topics."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._roles = permissions_of(graph)
        self._statements: dict[Resource, list[Statement]] = defaultdict(list)
        for type_, targets in _POLICIES:
            for policy in graph.of_type(type_):
                named = policy.get(targets, default=[])
                for name in named if isinstance(named, list) else [named]:
                    owner = graph.owner(name)
                    if owner is not None:
                        self._statements[owner] += statements_of(policy.get("PolicyDocument"))
        for key in graph.of_type("AWS::KMS::Key"):
            if key.get("KeyPolicy") is not None:  # without one, KMS hands every decision to IAM
                self._statements[key] += statements_of(key.get("KeyPolicy"))

    def of(self, resource: Resource) -> tuple[Statement, ...]:
        """The statements of a resource's own policy; empty if it has none."""
        return tuple(self._statements.get(resource, ()))

    def key(self, key_id: object) -> Resource | None:
        """The key of an id, ARN or alias, if the templates have it."""
        if not isinstance(key_id, str) or not key_id or isinstance(key_id, Unknown):
            return None
        found = self._graph.owner(key_id)
        if found is not None and found.type == "AWS::KMS::Alias":
            found = self._graph.owner(found.get("TargetKeyId"))
        return found if found is not None and found.type == "AWS::KMS::Key" else None

    def role_may(
        self, role: Resource, action: str, bucket_or_key: Resource, arn: str, context: Context
    ) -> PartialDecision:
        """Whether the role may do `action` on `arn`, which is the bucket, key or part of it."""
        permissions, statements = self._roles.of(role), self.of(bucket_or_key)
        if not statements:
            return permissions.allows(action, arn, context)
        session = session_of(role.arn, self._graph.account)
        must_allow = bucket_or_key.type == "AWS::KMS::Key"
        return permissions.allows_beside(statements, session, action, arn, context, must_allow=must_allow)


@lru_cache(maxsize=4)
def resource_policies_of(graph: Graph) -> ResourcePolicies:
    """The policies of a graph's resources; made once for a graph."""
    return ResourcePolicies(graph)
