"""What the simulator tells, held to the naive evaluation: decisions, statements that decided, keys that are missing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.aws.iam import naive
from tests.unit.aws.iam.policies import ACCOUNT, ARNS, CALLERS, OTHER, contexts, documents
from trainworks.aws.iam.positions import statement_positions
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.aws.iam.simulation import RESOURCE_POLICY, PolicySource, Simulation, context_keys

USER = CALLERS[0]


@settings(max_examples=200, deadline=None)
@given(
    action=st.sampled_from(["s3:Get", "s3:GetX", "sqs:Send"]),
    resource=st.sampled_from([*ARNS, "*"]),
    context=contexts,
    identity=st.lists(documents(), min_size=1, max_size=2),
    boundary=st.none() | documents(),
    own=st.none() | documents(resource_policy=True),
    owner=st.sampled_from([ACCOUNT, ACCOUNT, OTHER]),
)
def test_a_simulation_is_what_the_naive_evaluation_says(  # noqa: PLR0917
    action: str,
    resource: str,
    context: dict[str, Any],
    identity: list[dict[str, Any]],
    boundary: dict[str, Any] | None,
    own: dict[str, Any] | None,
    owner: str,
) -> None:
    account = resource.split(":")[4] if resource.count(":") >= 5 else ""
    layers = {"identity": identity, "boundary": boundary, "session": None, "resource": own}
    rest = {"resource_account": account or owner, "must_allow": False}
    expected = naive.allowed(USER, action, resource, context, {**layers, **rest})
    simulation = Simulation(
        Principal(USER["arn"], ACCOUNT, PrincipalKind.USER),
        context,
        [PolicySource(f"p{number}", json.dumps(each, indent=1)) for number, each in enumerate(identity)],
        None if boundary is None else PolicySource("boundary", json.dumps(boundary)),
        None if own is None else (PolicySource("own", json.dumps(own), RESOURCE_POLICY), owner),
    )
    outcome = simulation.ask(action, resource)
    assert (outcome.decision == "allowed") == expected
    # Statements that decided are named if and only if some did.
    assert bool(outcome.matched) == (outcome.decision != "implicitDeny")
    assert all(context.get(key.lower()) in (None, []) for key in outcome.missing)
    texts = [json.dumps(each) for each in (*identity, boundary, own) if each is not None]
    assert {key.lower() for key in outcome.missing} <= {key.lower() for key in context_keys(texts)}


@settings(max_examples=100, deadline=None)
@given(document=documents(), indent=st.none() | st.integers(0, 3), single=st.booleans())
def test_a_statement_is_where_the_position_says(document: dict[str, Any], indent: int | None, single: bool) -> None:
    statements = document["Statement"]
    if single:
        document, statements = {**document, "Statement": statements[0]}, statements[:1]
    text = json.dumps(document, indent=indent)
    lines = text.split("\n")
    found = statement_positions(text)
    assert len(found) == len(statements)
    for statement, (start, end) in zip(statements, found, strict=True):
        inside = [*lines[start.line - 1 : end.line - 1], lines[end.line - 1][: end.column - 1]]
        inside[0] = inside[0][start.column - 1 :]
        between = "\n".join(inside).lstrip(", \n")
        assert json.loads("{" + between if single else between) == statement


@pytest.mark.parametrize(
    ("statement", "keys"),
    [
        ({"Resource": "arn:aws:s3:::${aws:Username}/${*}"}, ["aws:Username"]),
        ({"NotResource": ["a", "${aws:PrincipalTag/team, 'x'}"]}, ["aws:PrincipalTag/team"]),
        ({"Condition": {"StringLike": {"s3:prefix": ["${aws:userid}"]}}}, ["s3:prefix", "aws:userid"]),
        ({"Condition": {"Null": {"aws:A": "true"}, "Bool": {"AWS:a": "true"}}}, ["aws:A"]),
    ],
)
def test_the_keys_of_a_document_are_those_of_conditions_and_variables(statement: Any, keys: list[str]) -> None:
    whole = {"Effect": "Allow", "Action": "*", **statement}
    assert context_keys([json.dumps({"Version": "2012-10-17", "Statement": whole})]) == keys
    # Before 2012-10-17 there are no variables.
    plain = [
        key for key in keys if key in str(statement.get("Condition", {}).values()) and f"{{{key}" not in str(whole)
    ]
    assert context_keys([json.dumps({"Statement": whole})]) == plain
