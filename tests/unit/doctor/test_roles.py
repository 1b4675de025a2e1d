"""What is concluded of a role: by the simulation, by its policies where that says nothing, by its trust policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.doctor.facts import absent, refused, seen
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.statements import Statement, anything, statements_of
from trainworks.doctor.finding import Outcome
from trainworks.doctor.looking import Look
from trainworks.doctor.roles import (
    BucketPolicy,
    PermissionQuestion,
    Policies,
    Role,
    RoleFacts,
    Simulated,
    judged,
    role_findings,
)

PUT = PermissionQuestion("s3:PutObject", "arn:aws:s3:::b/a", "save its checkpoints")


ROLE_ARN = "arn:aws:iam::111111111111:role/r"
SAGEMAKER = "sagemaker.amazonaws.com"


def trust(service: str = SAGEMAKER, **condition: object) -> tuple[Statement, ...]:
    body = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", "Condition": condition}
    return tuple(statements_of({"Version": "2012-10-17", "Statement": body}))


def policy(effect: str = "Allow", **condition: object) -> tuple[Statement, ...]:
    body = {"Effect": effect, "Action": "S3:*", "Resource": "arn:aws:s3:::b/*", "Condition": condition}
    return tuple(statements_of({"Version": "2012-10-17", "Statement": [body]}))


def facts(
    decision: str = "",
    *,
    statements: tuple[Statement, ...] = (),
    boundary: tuple[Statement, ...] | None = None,
    trusted: tuple[Statement, ...] | None = None,
    **more: object,
) -> RoleFacts:
    simulated = refused("iam:SimulatePrincipalPolicy")
    if decision:
        simulated = seen((Simulated(PUT.action, PUT.resource, decision, tuple(more.get("missing", ()))),))  # type: ignore[arg-type]
    role = Role("r", trust() if trusted is None else trusted)
    return RoleFacts(ROLE_ARN, seen(role), simulated, seen(Policies(statements, boundary)), (PUT,), "us-east-1")


TAGGED = policy(StringEquals={"aws:RequestTag/a": "b"})
HERE = policy(StringEquals={"aws:RequestedRegion": "us-east-1"}, Bool={"aws:SecureTransport": "true"})
ELSEWHERE = policy(StringEquals={"aws:RequestedRegion": "eu-west-1"})


@pytest.mark.parametrize(
    ("given_facts", "verdict"),
    [
        (facts("allowed"), PartialDecision.YES),
        (facts("explicitDeny", statements=policy()), PartialDecision.NO),
        (facts("implicitDeny"), PartialDecision.NO),
        (facts("implicitDeny", statements=TAGGED, missing=("aws:RequestTag/a",)), PartialDecision.CONDITIONAL),
        (facts("explicitDeny", statements=policy(), missing=("aws:PrincipalAccount",)), PartialDecision.YES),
        (facts("implicitDeny", statements=TAGGED), PartialDecision.CONDITIONAL),
        (facts(statements=policy()), PartialDecision.YES),
        (facts(), PartialDecision.NO),
        (facts(statements=HERE), PartialDecision.YES),
        (facts(statements=ELSEWHERE), PartialDecision.NO),
        (facts(statements=(*policy(), *policy("Deny"))), PartialDecision.NO),
        (facts(statements=policy(), boundary=()), PartialDecision.NO),
        (facts(statements=policy(), boundary=policy()), PartialDecision.YES),
        (facts(statements=policy(), boundary=(anything(),)), PartialDecision.UNKNOWN),
    ],
)
def test_simulation_decides_and_where_it_cannot_the_policies_do(
    given_facts: RoleFacts, verdict: PartialDecision
) -> None:
    assert judged(given_facts, PUT)[0] is verdict


def test_nobody_is_blamed_where_nothing_could_be_seen() -> None:
    blind = RoleFacts(ROLE_ARN, refused(), refused(), refused(), (PUT,))
    assert list(role_findings(blind, used_by="the job", service="sagemaker.amazonaws.com")) == []


def test_a_role_that_is_not_there_or_trusts_somebody_else() -> None:
    gone = RoleFacts(ROLE_ARN, absent(), absent(), absent(), (PUT,))
    assert [f.code for f in role_findings(gone, used_by="the job", service="x")] == ["role-missing"]
    strange = facts("allowed")
    found = list(role_findings(strange, used_by="the job", service="ecs-tasks.amazonaws.com"))
    assert [(f.code, f.outcome) for f in found] == [("role-not-assumable", Outcome.PROBLEM)]
    assert "trusts sagemaker.amazonaws.com" in found[0].evidence[0].value


@pytest.mark.parametrize(
    ("trusted", "is_trusted"),
    [
        (trust(), True),
        (trust(StringEquals={"aws:SourceAccount": "111111111111"}), True),
        (trust(StringEquals={"aws:SourceAccount": "222222222222"}), False),
        (trust(ArnLike={"aws:SourceArn": "arn:aws:sagemaker:*:222222222222:*"}), True),  # nobody knows yet
        (trust("sagemaker.us-east-1.amazonaws.com"), True),
        (trust("sagemaker.eu-west-1.amazonaws.com"), False),
        (trust("SageMaker.amazonaws.com"), True),
        ((), False),
    ],
)
def test_a_trust_policy_is_read_with_its_conditions(trusted: tuple[Statement, ...], is_trusted: bool) -> None:
    found = role_findings(facts("allowed", trusted=trusted), used_by="the job", service=SAGEMAKER)
    assert [each.code for each in found] == ([] if is_trusted else ["role-not-assumable"])


def test_the_policy_of_the_bucket_counts() -> None:
    def bucket(effect: str) -> tuple[Look[BucketPolicy], ...]:
        body = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
        statements = tuple(statements_of({"Version": "2012-10-17", "Statement": body}))
        return (seen(BucketPolicy("arn:aws:s3:::b", statements), "s3:GetBucketPolicy b"),)

    closed = replace(facts("allowed", statements=policy()), buckets=bucket("Deny"))
    [finding] = role_findings(closed, used_by="the job", service=SAGEMAKER)
    assert (finding.code, finding.evidence[0].call) == ("role-lacks-permission", "s3:GetBucketPolicy b")
    assert "out of the policy of the bucket" in finding.fix
    [elsewhere] = role_findings(facts("explicitDeny", statements=policy()), used_by="the job", service=SAGEMAKER)
    assert "organization's control policies" in elsewhere.fix
    opened = replace(facts("implicitDeny"), buckets=bucket("Allow"))
    assert not list(role_findings(opened, used_by="the job", service=SAGEMAKER))
    unread = replace(facts("implicitDeny"), buckets=(refused("s3:GetBucketPolicy b"),))
    assert [each.code for each in role_findings(unread, used_by="the job", service=SAGEMAKER)] == [
        "role-lacks-permission"
    ]
