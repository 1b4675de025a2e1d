"""What a role of the templates may do: all its policies together, Deny before Allow.

    inline policies, AWS::IAM::Policy, RolePolicy, ManagedPolicy, AWS's managed policies --> Statements --> allows()

Identity policies only: a bucket's or key's own policy may add or take away, and is asked for separately. What they
allow together is decided as the twin decides it (`aws.iam.partial`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.managed_policies import managed_policy, managed_policy_name
from trainworks.aws.iam.partial.conditions import Context, Verdict
from trainworks.aws.iam.partial.permissions import Permissions, role_context
from trainworks.aws.iam.partial.statements import Statement, anything, statements_of


class RolePermissions:
    """The permissions of every role of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._attached: dict[Resource, list[Resource]] = defaultdict(list)
        for policy in graph.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            names = policy.get("Roles", default=[]) or []
            for name in [*(names if isinstance(names, list) else []), policy.get("RoleName", default="")]:
                role = self.role(name)
                if role:
                    self._attached[role].append(policy)
        self.context: Context = role_context(graph.account, graph.region)
        self._made: dict[Resource, Permissions] = {}
        self._inline: dict[Resource, tuple[Statement, ...]] = {}
        self._trust: dict[Resource, tuple[Statement, ...]] = {}

    def role(self, name_or_arn: object) -> Resource | None:
        """The role of that name or ARN if the templates have it."""
        if not isinstance(name_or_arn, str) or not name_or_arn or isinstance(name_or_arn, Unknown):
            return None
        found = self._graph.owner(name_or_arn)
        return found if found is not None and found.type == "AWS::IAM::Role" else None

    def of(self, role: Resource) -> Permissions:
        """All its statements."""
        if role not in self._made:
            boundary = role.get("PermissionsBoundary")
            self._made[role] = Permissions(
                self._statements(role),
                Permissions(self._named(boundary), context=self.context) if isinstance(boundary, str) else None,
                self.context,
            )
        return self._made[role]

    def inline(self, identity: Resource) -> tuple[Statement, ...]:
        """Statements of the policies inside a role, user or group."""
        if identity not in self._inline:
            self._inline[identity] = tuple(_inline(identity))
        return self._inline[identity]

    def trust(self, role: Resource) -> tuple[Statement, ...]:
        """Statements of the role's trust policy that say who may assume it, or may not."""
        if role not in self._trust:
            self._trust[role] = tuple(
                statement
                for statement in statements_of(role.get("AssumeRolePolicyDocument"))
                if statement.speaks_of("sts:AssumeRole") is not Verdict.FALSE
            )
        return self._trust[role]

    def managed_policy_arns(self, role: Resource) -> tuple[str, ...]:
        """ARNs of managed policies that the role names."""
        arns = role.get("ManagedPolicyArns", default=[])
        return tuple(arn for arn in arns if isinstance(arn, str)) if isinstance(arns, list) else ()

    def _statements(self, role: Resource) -> Iterator[Statement]:
        yield from self.inline(role)
        for policy in self._attached[role]:
            yield from statements_of(policy.get("PolicyDocument"))
        for arn in self.managed_policy_arns(role):
            policy_resource = self._graph.owner(arn)
            # A managed policy may name the role as well as be named by it.
            if policy_resource is None or policy_resource not in self._attached[role]:
                yield from self._named(arn)

    def _named(self, arn: str) -> Iterator[Statement]:
        name = None if isinstance(arn, Unknown) else managed_policy_name(arn)
        owner = self._graph.owner(arn)
        if name:
            yield from managed_policy(name).statements
        elif owner is not None and owner.type == "AWS::IAM::ManagedPolicy":
            yield from statements_of(owner.get("PolicyDocument"))
        else:
            yield anything()


def _inline(identity: Resource) -> Iterator[Statement]:
    policies = identity.get("Policies", default=[])
    for policy in policies if isinstance(policies, list) else []:
        document: Any = policy.get("PolicyDocument") if isinstance(policy, Mapping) else None
        yield from statements_of(document)


@lru_cache(maxsize=4)
def permissions_of(graph: Graph) -> RolePermissions:
    """The permissions of a graph's roles; made once for a graph."""
    return RolePermissions(graph)
