"""Statements of the platform given to somebody else's role, user or function."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from aws_cdk import aws_iam as iam

from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.policy import Statement


def grant(grantee: iam.IGrantable, statements: Sequence[Statement]) -> iam.Grant:
    """Add `statements` to the grantee's policy as they are: no action gets a wildcard, no resource is widened.

    Raises `ConfigurationError` if the grantee has no policy of its own to add to (a service, another account): the
    CDK would leave the permission out without a word. For a role imported with `mutable=False` the CDK itself says
    that it was granted.
    """
    return reduce(lambda all_, one: all_.combine(one), [_grant(grantee, statement) for statement in statements])


def _grant(grantee: iam.IGrantable, statement: Statement) -> iam.Grant:
    if statement["Effect"] != "Allow":
        raise ValueError(f"{statement['Sid']} denies; a grant only allows")
    given = iam.Grant.add_to_principal(
        grantee=grantee,
        actions=statement["Action"],
        resource_arns=statement["Resource"],
        conditions=statement.get("Condition"),
    )
    if not given.success:
        raise ConfigurationError(
            f"{', '.join(statement['Action'])} cannot be granted: the grantee has no policy in this app",
            fix="grant to a role, user, group or function that the app creates, or to an imported role",
        )
    return given
