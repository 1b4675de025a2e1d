"""The evaluation against a second one that only the tests have, and what must hold whatever the policies."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.aws.iam import naive
from tests.unit.aws.iam.policies import ACCOUNT, ARNS, CALLERS, OTHER, conditions, contexts, documents, statements
from trainworks.aws.iam.conditions import parse_conditions
from trainworks.aws.iam.documents import Policy, parse
from trainworks.aws.iam.evaluate import EndpointPolicy, Grants, Layer, Request, ResourcePolicy, decide
from trainworks.aws.iam.partial.endpoints import lets_through
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.statements import statements_of
from trainworks.aws.iam.principals import Principal, PrincipalKind, PrincipalMatch
from trainworks.aws.wildcards import matches

KINDS = {"user": PrincipalKind.USER, "session": PrincipalKind.SESSION, "root": PrincipalKind.ROOT}


def parsed(document: dict[str, Any]) -> Policy:
    return parse(json.dumps(document))


@settings(max_examples=400, deadline=None)
@given(
    who=st.sampled_from(CALLERS),
    action=st.sampled_from(["s3:Get", "s3:GetX", "sqs:Send"]),
    resource=st.sampled_from([*ARNS, "*"]),
    context=contexts,
    identity=st.lists(documents(), max_size=2),
    boundary=st.none() | documents(),
    session=st.none() | st.lists(documents(), min_size=1, max_size=2),
    own=st.none() | documents(resource_policy=True),
    own_account=st.sampled_from([ACCOUNT, ACCOUNT, OTHER]),
    must_allow=st.booleans(),
)
def test_the_decision_is_the_naive_one(  # noqa: PLR0917
    who: dict[str, str],
    action: str,
    resource: str,
    context: dict[str, Any],
    identity: list[dict[str, Any]],
    boundary: dict[str, Any] | None,
    session: list[dict[str, Any]] | None,
    own: dict[str, Any] | None,
    own_account: str,
    must_allow: bool,
) -> None:
    expected = naive.allowed(
        who,
        action,
        resource,
        context,
        {
            "identity": identity,
            "boundary": boundary,
            "session": session,
            "resource": own,
            "resource_account": own_account,
            "must_allow": must_allow,
        },
    )
    principal = Principal(who["arn"], who["account"], KINDS[who["kind"]], who["role"])
    grants = Grants(
        [] if who["kind"] == "root" else [parsed(each) for each in identity],
        parsed(boundary) if boundary else None,
        None if session is None else [parsed(each) for each in session],
        everything=who["kind"] == "root",
    )
    policy = ResourcePolicy(parsed(own), own_account, must_allow) if own else None
    decision = decide(Request(principal, action, resource, context), grants, policy)
    assert decision.allowed == expected
    assert not (decision.allowed and decision.explicit)


@settings(max_examples=300, deadline=None)
@given(
    who=st.sampled_from(CALLERS),
    action=st.sampled_from(["s3:Get", "s3:GetX", "sqs:Send"]),
    resource=st.sampled_from(ARNS),
    context=contexts,
    document=documents(resource_policy=True),
    gateway=st.booleans(),
)
def test_what_passes_an_endpoint_is_the_naive_one(  # noqa: PLR0917
    who: dict[str, str], action: str, resource: str, context: dict[str, Any], document: dict[str, Any], gateway: bool
) -> None:
    """The decision on a request of which all is known, and the one of which only the caller is."""
    expected = naive.passes(who, action, resource, context, document, gateway)
    principal = Principal(who["arn"], who["account"], KINDS[who["kind"]], who["role"])
    request = Request(principal, action, resource, context)
    endpoint = EndpointPolicy(parsed(document), gateway)
    decision = decide(request, Grants(everything=True), endpoints=[endpoint])
    assert decision.allowed == expected
    assert decision.allowed or decision.layer is Layer.ENDPOINT
    assert decide(request, Grants(), endpoints=[endpoint]).layer is Layer.IDENTITY, "an endpoint grants nothing"
    policy = tuple(statements_of(document))
    for caller in (principal, None):
        said = lets_through(policy, gateway, caller, action, resource, {})
        assert said is not (PartialDecision.NO if expected else PartialDecision.YES), (caller, said)


@settings(max_examples=800, deadline=None)
@given(condition=conditions.filter(bool), context=contexts, variables=st.booleans())
def test_a_condition_holds_as_the_naive_one(
    condition: dict[str, Any], context: dict[str, Any], variables: bool
) -> None:
    expected = all(
        naive.condition_holds(operator, key, wanted, context, variables)
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )
    assert all(each.holds(context) for each in parse_conditions(condition, variables=variables)) == expected


@settings(max_examples=400, deadline=None)
@given(statement=statements(resource_policy=True), who=st.sampled_from(CALLERS))
def test_a_principal_is_named_as_by_the_naive_one(statement: dict[str, Any], who: dict[str, str]) -> None:
    ways = {
        "no": PrincipalMatch.NOT,
        "account": PrincipalMatch.ACCOUNT,
        "broad": PrincipalMatch.NAMED,
        "itself": PrincipalMatch.DIRECT,
    }
    principal = Principal(who["arn"], who["account"], KINDS[who["kind"]], who["role"])
    found = parsed({"Version": "2012-10-17", "Statement": statement}).statements[0]
    assert found.naming(principal) is ways[naive.named(statement, who)]


@settings(max_examples=500, deadline=None)
@given(statement=statements(resource_policy=False), context=contexts, resource=st.sampled_from([*ARNS, "*"]))
def test_a_resource_is_named_as_by_the_naive_one(
    statement: dict[str, Any], context: dict[str, Any], resource: str
) -> None:
    bare = {key: value for key, value in statement.items() if key not in ("Action", "NotAction", "Condition")}
    bare["Action"] = "*"
    found = parsed({"Version": "2012-10-17", "Statement": bare}).statements[0]
    expected = naive.statement_applies(bare, "s3:Get", resource, context, True)
    assert found.names_resource(resource, context) == expected


pattern_text = st.text("ab*?:", max_size=12)


@settings(max_examples=300, deadline=None)
@given(pattern_text, st.text("ab:", max_size=12))
def test_patterns_fit_as_the_naive_ones(pattern: str, text: str) -> None:
    signs: dict[str, Any] = {"*": ("any",), "?": ("one",)}
    assert matches(pattern, text) == naive.fits([signs.get(sign, sign) for sign in pattern], text)


def test_hostile_patterns_take_no_time() -> None:
    started = time.thread_time()
    for pattern in ("*a" * 2000 + "b", "a*" * 3000 + "?" * 200 + "*b", "*" + "?" * 3000 + "b*"):
        assert not matches(pattern, "a" * 6000 + "c")
    assert time.thread_time() - started < 1.0
