"""A role, what it may do, and findings about what it lacks.

`iam:SimulatePrincipalPolicy` is asked if that is permitted. If it is not, or if the simulation lacks the value
of a condition, the role's policies are read, and `aws.iam.partial` decides by them as it does for `check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions, role_context, session_of
from trainworks.aws.iam.partial.statements import Statement, anything, statements_of
from trainworks.aws.iam.partial.trust import may_assume, trusted_services
from trainworks.doctor.finding import Evidence, Finding, Likelihood, Outcome
from trainworks.doctor.looking import Look, Looker

_NO_SUCH_ENTITY = ("NoSuchEntity",)


@dataclass(frozen=True, slots=True)
class PermissionQuestion:
    """Whether the role may do `action` on `resource`; `purpose` completes "cannot ..."."""

    action: str
    resource: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Role:
    """`iam:GetRole`. `trust` are the statements of its trust policy, `boundary_arn` the ARN of its boundary, if any."""

    role_name: str
    trust: tuple[Statement, ...] = ()
    boundary_arn: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """Statements of a role's inline and attached policies, and those of its boundary; None if it has none."""

    statements: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None = None


@dataclass(frozen=True, slots=True)
class BucketPolicy:
    """`s3:GetBucketPolicy`."""

    bucket_arn: str
    statements: tuple[Statement, ...]

    def is_about(self, resource: str) -> bool:
        """Whether `resource` is the bucket or something in it."""
        return resource == self.bucket_arn or resource.startswith(f"{self.bucket_arn}/")


@dataclass(frozen=True, slots=True)
class Simulated:
    """One result of `iam:SimulatePrincipalPolicy`; `decision` is allowed, implicitDeny or explicitDeny."""

    action: str
    resource: str
    decision: str
    missing_context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What was learned about a role, and the questions that were put. `region`: where it is used, "" if unknown."""

    role_arn: str
    role: Look[Role]
    simulated: Look[tuple[Simulated, ...]]
    policies: Look[Policies]
    questions: tuple[PermissionQuestion, ...] = ()
    region: str = ""
    buckets: tuple[Look[BucketPolicy], ...] = ()

    @property
    def account(self) -> str:
        """The account of the role."""
        return parts_of_arn(self.role_arn).account

    def permissions(self, policies: Policies) -> Permissions:
        """What the role may do by its policies."""
        known = role_context(self.account, self.region)
        boundary = None if policies.boundary is None else Permissions(policies.boundary, context=known)
        return Permissions(policies.statements, boundary, known)


def look_at_role(looker: Looker, role_arn: str, questions: Sequence[PermissionQuestion], region: str = "") -> RoleFacts:
    """Ask IAM about a role given by its ARN, which is used in `region`."""
    name = role_arn.rpartition("/")[2]
    role = looker.ask("iam:GetRole", lambda iam: _role(iam, name), absent=_NO_SUCH_ENTITY, subject=name)
    return RoleFacts(
        role_arn,
        role,
        looker.ask(
            "iam:SimulatePrincipalPolicy",
            lambda iam: _simulate(iam, role_arn, questions, region),
            absent=_NO_SUCH_ENTITY,
            subject=name,
        ),
        looker.ask("iam:GetRolePolicy", lambda iam: _policies(iam, name, role), absent=_NO_SUCH_ENTITY, subject=name),
        tuple(questions),
        region,
        tuple(_bucket_policy(looker, arn) for arn in dict.fromkeys(filter(None, map(_bucket_arn, questions)))),
    )


def role_findings(facts: RoleFacts, *, used_by: str, service: str) -> Iterator[Finding]:
    """Findings about a role that `used_by` ("the training job") runs as and `service` has to assume."""
    if facts.role.is_absent:
        yield Finding(
            "role-missing",
            Outcome.PROBLEM,
            f"the role of {used_by} does not exist: {facts.role_arn}",
            (facts.role.evidence("NoSuchEntity"),),
            "deploy the platform again (trainworks up), or give the job a role that exists",
        )
        return
    role = facts.role.value
    if (
        role is not None
        and may_assume(role.trust, service, facts.role_arn, facts.account, facts.region) is PartialDecision.NO
    ):
        yield Finding(
            "role-not-assumable",
            Outcome.PROBLEM,
            f"{service} may not assume the role of {used_by}: {facts.role_arn}",
            (facts.role.evidence(f"trusts {', '.join(trusted_services(role.trust)) or 'no service'}"),),
            f'let the role\'s trust policy allow sts:AssumeRole to {{"Service": "{service}"}}',
        )
    for question in facts.questions:
        verdict, evidence = judged(facts, question)
        if verdict is PartialDecision.NO:
            yield Finding(
                "role-lacks-permission",
                Outcome.PROBLEM,
                f"{used_by} cannot {question.purpose}: its role {facts.role_arn.rpartition('/')[2]} may not "
                f"{question.action} on {question.resource}",
                evidence,
                _fix(facts, question),
                Likelihood.LIKELY,
            )


def _fix(facts: RoleFacts, question: PermissionQuestion) -> str:
    """If the role's own policies allow it, the bucket's policy or one of the organization denies it."""
    policies = facts.policies.value
    if (
        policies is None
        or facts.permissions(policies).allows(question.action, question.resource) is not PartialDecision.YES
    ):
        return f"allow {question.action} on {question.resource} in a policy of {facts.role_arn}"
    if _policy_of(facts, question) is not None:
        return (
            f"take the Deny on {question.action} out of the policy of the bucket, or exclude {facts.role_arn} from it"
        )
    return f"its own policies allow it: look for a Deny on {question.action} in the organization's control policies"


def judged(facts: RoleFacts, question: PermissionQuestion) -> tuple[PartialDecision, tuple[Evidence, ...]]:
    """May the role do it, and by what is that known? Both sources unseen is UNKNOWN, with no evidence.

    The simulation does not know bucket policies: if a bucket has one, the policies are read together.
    """
    bucket = _policy_of(facts, question)
    if bucket is not None and facts.policies.value is not None:
        return _read_by(facts, question, bucket, "with the statements of the role's policies")
    simulated = _result(facts, question)
    if simulated is not None:
        evidence = (facts.simulated.evidence(f"{question.action} on {question.resource}: {simulated.decision}"),)
        if simulated.decision == "allowed":
            return PartialDecision.YES, evidence
        if simulated.missing_context:
            # A condition on what the simulation was not told, a negated one of a Deny too, was decided without it.
            return _read(facts, question, unread=PartialDecision.UNKNOWN), evidence
        if simulated.decision == "explicitDeny":
            return PartialDecision.NO, evidence
        return _read(facts, question, unread=PartialDecision.NO), evidence
    return _read_by(facts, question, facts.policies, "the statements of its policies")


def _read_by(
    facts: RoleFacts, question: PermissionQuestion, source: Look[Any], by: str
) -> tuple[PartialDecision, tuple[Evidence, ...]]:
    """What the policies' text says, with `source` as the evidence of an answer that is certain."""
    answer = _read(facts, question, unread=PartialDecision.UNKNOWN)
    word = {PartialDecision.YES: "allowed", PartialDecision.NO: "denied"}.get(answer)
    shown = f"{by}: {question.action} on {question.resource} {word}"
    return answer, (source.evidence(shown),) if word else ()


def _read(facts: RoleFacts, question: PermissionQuestion, *, unread: PartialDecision) -> PartialDecision:
    """By the policies' text; `unread` where they could not be read."""
    if facts.policies.value is None:
        return unread
    permissions = facts.permissions(facts.policies.value)
    bucket = _policy_of(facts, question)
    if bucket is not None and bucket.value is not None:
        session, own = session_of(facts.role_arn, facts.account), bucket.value.statements
        answer = permissions.allows_beside(own, session, question.action, question.resource)
    else:
        answer = permissions.allows(question.action, question.resource)
    # A policy that allows the action on narrower resources than the question's wildcard has thought of it.
    if answer is PartialDecision.NO and "*" in question.resource and permissions.allows_somewhere(question.action):
        return PartialDecision.UNKNOWN
    return answer


def _policy_of(facts: RoleFacts, question: PermissionQuestion) -> Look[BucketPolicy] | None:
    """The policy of the bucket that the question is about, if it has one that could be read."""
    found = (each for each in facts.buckets if each.value is not None and each.value.is_about(question.resource))
    return next(found, None)


def _bucket_arn(question: PermissionQuestion) -> str:
    """The bucket of a question about one, or about what is in it; "" for others."""
    start, mark, path = question.resource.partition(":s3:::")
    return f"{start}{mark}{path.partition('/')[0]}" if mark and "*" not in path.partition("/")[0] else ""


def _bucket_policy(looker: Looker, bucket_arn: str) -> Look[BucketPolicy]:
    name = bucket_arn.rpartition(":")[2]

    def read(s3: Any) -> BucketPolicy:
        document = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
        return BucketPolicy(bucket_arn, tuple(statements_of(document)))

    return looker.ask("s3:GetBucketPolicy", read, absent=("NoSuchBucketPolicy", "NoSuchBucket"), subject=name)


def _result(facts: RoleFacts, question: PermissionQuestion) -> Simulated | None:
    results = facts.simulated.value or ()
    return next((r for r in results if (r.action, r.resource) == (question.action, question.resource)), None)


def _role(iam: Any, name: str) -> Role:
    body = iam.get_role(RoleName=name)["Role"]
    boundary = body.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    return Role(name, tuple(statements_of(body["AssumeRolePolicyDocument"])), boundary)


def _simulate(iam: Any, role_arn: str, questions: Sequence[PermissionQuestion], region: str) -> tuple[Simulated, ...]:
    """One call a resource, as every action is simulated on every resource of a call."""
    known = role_context(parts_of_arn(role_arn).account, region)
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in known.items()
    ]
    found: list[Simulated] = []
    for resource in dict.fromkeys(question.resource for question in questions):
        actions = list(dict.fromkeys(q.action for q in questions if q.resource == resource))
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=actions, ResourceArns=[resource], ContextEntries=context
        )
        found += [
            Simulated(
                result["EvalActionName"],
                resource,
                result["EvalDecision"],
                tuple(_missing(result)),
            )
            for result in answer["EvaluationResults"]
        ]
    return tuple(found)


def _missing(result: Any) -> list[str]:
    """The condition keys that were not given: reported for each resource if resources were asked about."""
    of_resources = [
        key for each in result.get("ResourceSpecificResults", []) for key in each.get("MissingContextValues", [])
    ]
    return [*result.get("MissingContextValues", []), *of_resources]


def _policies(iam: Any, name: str, role: Look[Role]) -> Policies:
    """Those inline and attached. If a role could not be looked at, its boundary may be anything."""
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for policy in page["PolicyNames"]
    ]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        documents += [_managed(iam, policy["PolicyArn"]) for policy in page["AttachedPolicies"]]
    statements = tuple(statement for document in documents for statement in statements_of(document))
    if role.value is None:
        return Policies(statements, (anything(),))
    boundary = role.value.boundary_arn
    return Policies(statements, tuple(statements_of(_managed(iam, boundary))) if boundary else None)


def _managed(iam: Any, policy_arn: str) -> Any:
    """The document of a managed policy's default version."""
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]["Document"]
