"""What policies say, against a second, slower reading of the same rules."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.doctor.facts import absent, refused, seen
from trainworks.doctor.finding import Outcome
from trainworks.doctor.policies import Statement, Verdict, statements_of, verdict_of
from trainworks.doctor.roles import Question, Role, RoleFacts, Simulated, judged, role_findings

ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt")
RESOURCES = ("arn:aws:s3:::b/a", "arn:aws:s3:::b/c/d", "arn:aws:s3:::b")
statements = st.lists(
    st.builds(
        Statement,
        st.sampled_from(("Allow", "Deny")),
        st.lists(st.sampled_from((*ACTIONS, "*", "s3:*", "s3:Get*", "S3:putobject")), min_size=1, max_size=2).map(
            tuple
        ),
        st.lists(st.sampled_from((*RESOURCES, "*", "arn:aws:s3:::b/*", "arn:aws:s3:::?")), min_size=1).map(tuple),
        inverted_actions=st.booleans(),
        inverted_resources=st.booleans(),
        has_condition=st.booleans(),
    ),
    max_size=5,
)


@given(statements, st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_a_verdict_is_what_iam_would_say(policy: list[Statement], action: str, resource: str) -> None:
    def covers(each: Statement) -> bool:
        named = any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in each.actions)
        meant = any(fnmatch.fnmatchcase(resource, pattern) for pattern in each.resources)
        return named is not each.inverted_actions and meant is not each.inverted_resources

    def possible(effect: str, *, conditions_hold: bool) -> bool:
        return any(covers(s) and s.effect == effect and (conditions_hold or not s.has_condition) for s in policy)

    verdict = verdict_of(policy, action, resource)
    surely_allowed = possible("Allow", conditions_hold=False) and not possible("Deny", conditions_hold=True)
    surely_denied = possible("Deny", conditions_hold=False) or not possible("Allow", conditions_hold=True)
    assert (verdict is Verdict.ALLOWED) == surely_allowed
    assert (verdict is Verdict.DENIED) == surely_denied


def test_documents_with_single_values_and_not_actions() -> None:
    body = {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*", "Condition": {"Bool": {}}}}
    assert statements_of(body) == (Statement("Allow", ("iam:*",), ("*",), inverted_actions=True, has_condition=True),)


PUT = Question("s3:PutObject", "arn:aws:s3:::b/a", "save its checkpoints")


def facts(
    decision: str = "", *, policy: tuple[Statement, ...] = (), boundary: bool = False, **more: object
) -> RoleFacts:
    role = Role("r", ("sagemaker.amazonaws.com",), boundary)
    simulated = refused("iam:SimulatePrincipalPolicy")
    if decision:
        simulated = seen((Simulated(PUT.action, PUT.resource, decision, tuple(more.get("missing", ()))),))  # type: ignore[arg-type]
    return RoleFacts("arn:aws:iam::1:role/r", seen(role), simulated, seen(policy), (PUT,))


ALLOW = Statement("Allow", ("s3:*",), ("*",))
CONDITIONAL = Statement("Allow", ("s3:PutObject",), ("*",), has_condition=True)


@pytest.mark.parametrize(
    ("given_facts", "verdict"),
    [
        (facts("allowed"), Verdict.ALLOWED),
        (facts("explicitDeny", policy=(ALLOW,)), Verdict.DENIED),
        (facts("implicitDeny"), Verdict.DENIED),
        (facts("implicitDeny", missing=("s3:prefix",)), Verdict.UNDECIDED),
        (facts("implicitDeny", policy=(CONDITIONAL,)), Verdict.UNDECIDED),
        (facts(policy=(ALLOW,)), Verdict.ALLOWED),
        (facts(), Verdict.DENIED),
        (facts(policy=(ALLOW,), boundary=True), Verdict.UNDECIDED),
    ],
)
def test_simulation_decides_and_where_it_cannot_the_policies_do(given_facts: RoleFacts, verdict: Verdict) -> None:
    assert judged(given_facts, PUT)[0] is verdict


def test_nobody_is_blamed_where_nothing_could_be_seen() -> None:
    blind = RoleFacts("arn:aws:iam::1:role/r", refused(), refused(), refused(), (PUT,))
    assert list(role_findings(blind, used_by="the job", service="sagemaker.amazonaws.com")) == []


def test_a_role_that_is_not_there_or_trusts_somebody_else() -> None:
    gone = RoleFacts("arn:aws:iam::1:role/r", absent(), absent(), absent(), (PUT,))
    assert [f.code for f in role_findings(gone, used_by="the job", service="x")] == ["role-missing"]
    strange = facts("allowed")
    found = list(role_findings(strange, used_by="the job", service="ecs-tasks.amazonaws.com"))
    assert [(f.code, f.outcome) for f in found] == [("role-not-assumable", Outcome.PROBLEM)]
    assert "trusts sagemaker.amazonaws.com" in found[0].evidence[0].value
