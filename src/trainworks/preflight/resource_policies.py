"""Permissions of a role together with the policies of the buckets and keys it works on.

In one account either policy suffices for a bucket; a key's policy has to name the role, or hand the decision to IAM by
naming the account. A Deny in either is final.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.conditions import Context, values_of
from trainworks.preflight.permissions import Answer, Permissions, permissions_of
from trainworks.preflight.policy import UNKNOWN, Statement, statements_of
from trainworks.preflight.wildcards import covers

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
                        self._statements[owner] += statements_of(policy.get("PolicyDocument"), policy)
        for key in graph.of_type("AWS::KMS::Key"):
            if key.get("KeyPolicy") is not None:  # without one, KMS hands every decision to IAM
                self._statements[key] += statements_of(key.get("KeyPolicy"), key)

    def of(self, resource: Resource) -> tuple[Statement, ...]:
        """The statements of a resource's own policy; none where it has none."""
        return tuple(self._statements.get(resource, ()))

    def key(self, key_id: object) -> Resource | None:
        """The key of an id, ARN or alias, where the templates have it."""
        if not isinstance(key_id, str) or not key_id or isinstance(key_id, Unknown):
            return None
        found = self._graph.owner(key_id)
        if found is not None and found.type == "AWS::KMS::Alias":
            found = self._graph.owner(found.get("TargetKeyId"))
        return found if found is not None and found.type == "AWS::KMS::Key" else None

    def role_may(self, role: Resource, action: str, bucket_or_key: Resource, arn: str, context: Context) -> Answer:
        """Whether the role may do `action` on `arn`, which is the bucket, key or part of it."""
        identity = self._roles.of(role).allows(action, arn, context)
        own = self.of(bucket_or_key)
        if not own:
            return identity
        named = Permissions(_about(own, role)).allows(action, arn, context)
        if bucket_or_key.type == "AWS::KMS::Key":
            account = Permissions(_for_account(own, self._graph)).allows(action, arn, context)
            best = max(named, min(identity, account))
        else:
            best = max(named, identity)
        denied = Permissions(
            (
                Statement(True, ("*",), resources=("*",)),
                *(each for each in _about(own, role) if not each.allows),
            )
        )
        return min(best, denied.allows(action, arn, context))


@lru_cache(maxsize=4)
def resource_policies_of(graph: Graph) -> ResourcePolicies:
    """The policies of a graph's resources; made once for a graph."""
    return ResourcePolicies(graph)


def _about(statements: Iterable[Statement], role: Resource) -> list[Statement]:
    """Statements whose principal is the role or everybody."""
    arn = role.arn
    return list(_of_principals(statements, lambda name: name in ("*", arn)))


def _for_account(statements: Iterable[Statement], graph: Graph) -> list[Statement]:
    """Statements whose principal is the account or everybody: they hand the decision to IAM."""
    root = f"arn:*:iam::{graph.account}:root"
    return list(_of_principals(statements, lambda name: name in ("*", graph.account) or covers(root, name)))


def _of_principals(statements: Iterable[Statement], wanted: Callable[[str], bool]) -> Iterator[Statement]:
    """Statements about a wanted principal; those about an unknown one may be, so they say nothing for certain."""
    for statement in statements:
        names = _aws_principals(statement)
        if any(wanted(name) for name in names if not isinstance(name, Unknown)):
            yield statement
        elif any(isinstance(name, Unknown) for name in names):
            yield replace(statement, resources=(UNKNOWN,), not_resources=())


def _aws_principals(statement: Statement) -> tuple[str, ...]:
    principal = statement.principal
    if principal is None:  # a policy that is not known, or one with NotPrincipal
        return (UNKNOWN,)
    if isinstance(principal, str):
        return (principal,)
    return values_of(principal["AWS"]) if isinstance(principal, Mapping) and "AWS" in principal else ()
