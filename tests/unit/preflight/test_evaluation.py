"""What check says of policies is what the twin decides, whatever the values are that only the deploy knows."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.aws.iam.policies import ACCOUNT, ARNS, ROLE, SESSION, contexts, documents
from trainworks.assembly.graph import Unknown
from trainworks.aws.iam.documents import parse
from trainworks.aws.iam.evaluate import Grants, Request, ResourcePolicy, decide
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.iam.partial.statements import statements_of
from trainworks.aws.iam.principals import Principal, PrincipalKind

WHO = Principal(SESSION, ACCOUNT, PrincipalKind.SESSION, ROLE)
UNSAID = "x:missing"
ACTIONS = st.sampled_from(["s3:Get", "s3:GetX", "sqs:Send"])
# No key of a bucket has a star or a question mark in its name: in a question of check these are patterns.
PLAIN = st.sampled_from([arn for arn in ARNS if "*" not in arn])
KEYS = ("aws:username", "aws:principaltag/team", "s3:prefix", "aws:tagkeys", "aws:sourcearn", "x:number", UNSAID)


def checked(  # noqa: PLR0917 - a request and its policies
    action: str, resource: str, context: dict[str, Any], identity: Any, boundary: Any, own: Any, must_allow: bool
) -> PartialDecision:
    """What check says, of documents in which values may be unknown; keys that `context` lacks are not known."""
    limit = None if boundary is None else Permissions(statements_of(boundary))
    permissions = Permissions([each for document in identity for each in statements_of(document)], limit)
    if own is None:
        return permissions.allows(action, resource, context)
    statements = tuple(statements_of(own))
    return permissions.allows_beside(statements, WHO, action, resource, context, must_allow=must_allow)


def decided(  # noqa: PLR0917 - the same
    action: str, resource: str, context: dict[str, Any], identity: Any, boundary: Any, own: Any, must_allow: bool
) -> bool:
    grants = Grants([parse(json.dumps(each)) for each in identity], boundary and parse(json.dumps(boundary)))
    policy = None if own is None else ResourcePolicy(parse(json.dumps(own)), ACCOUNT, must_allow)
    return decide(Request(WHO, action, resource, context), grants, policy).allowed


POLICIES = {
    "identity": st.lists(documents(), max_size=2),
    "boundary": st.none() | documents(),
    "own": st.none() | documents(resource_policy=True),
    "must_allow": st.booleans(),
}


@settings(max_examples=120)
@given(action=ACTIONS, resource=PLAIN, context=contexts, **POLICIES)
def test_what_is_known_is_decided_as_the_twin_decides(  # noqa: PLR0917
    action: str, resource: str, context: dict[str, Any], identity: Any, boundary: Any, own: Any, must_allow: bool
) -> None:
    stated = {key: tuple(value) if isinstance(value, list) else value for key, value in context.items()}
    stated = {**dict.fromkeys(KEYS, ()), **stated}
    answer = checked(action, resource, stated, identity, boundary, own, must_allow)
    allowed = decided(action, resource, context, identity, boundary, own, must_allow)
    # A variable without a value is undecided to check, which asks before anybody has signed in.
    assert answer in (
        (PartialDecision.YES, PartialDecision.UNKNOWN, PartialDecision.CONDITIONAL)
        if allowed
        else tuple(PartialDecision)[:3]
    )
    if "${" not in json.dumps([identity, boundary, own]):
        assert answer is (PartialDecision.YES if allowed else PartialDecision.NO)


def hidden(node: Any, chance: random.Random) -> Any:
    """The document with some of its resources, principals and values unknown."""
    if isinstance(node, dict):
        said = ("Version", "Effect", "Action", "NotAction")
        return {key: value if key in said else hidden(value, chance) for key, value in node.items()}
    if isinstance(node, list):
        return [hidden(each, chance) for each in node]
    return Unknown("later") if isinstance(node, str) and chance.random() < 0.25 else node


@settings(max_examples=120)
@given(
    action=ACTIONS,
    resource=PLAIN,
    context=contexts,
    known=st.sets(st.sampled_from(KEYS)),
    seed=st.integers(0, 2**32),
    **POLICIES,
)
def test_what_check_is_sure_of_is_so_whatever_the_unknown_values_are(  # noqa: PLR0917
    action: str,
    resource: str,
    context: dict[str, Any],
    known: set[str],
    seed: int,
    identity: Any,
    boundary: Any,
    own: Any,
    must_allow: bool,
) -> None:
    stated = {key: tuple(context[key]) if isinstance(context.get(key), list) else context.get(key, ()) for key in known}
    chance = random.Random(seed)
    seen = [hidden(each, chance) for each in (identity, boundary, own)]
    answer = checked(action, resource, stated, *seen, must_allow)
    allowed = decided(action, resource, context, identity, boundary, own, must_allow)
    assert allowed or answer is not PartialDecision.YES
    assert not allowed or answer is not PartialDecision.NO
