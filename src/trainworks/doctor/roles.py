"""A role, what it may do, and findings about what it lacks.

Asked of `iam:SimulatePrincipalPolicy` where that is permitted; where it is not, or where it refuses for want of a
condition's value, the role's policies are read and decide as far as they can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.doctor.finding import Evidence, Finding, Likelihood, Outcome
from trainworks.doctor.looking import Look, Looker
from trainworks.doctor.policies import Statement, Verdict, mentions, statements_of, verdict_of

_NO_SUCH_ENTITY = ("NoSuchEntity",)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the role may do `action` on `resource`; `purpose` completes "cannot ..."."""

    action: str
    resource: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Role:
    """`iam:GetRole`. `trusted_services` are the service principals that may assume it."""

    role_name: str
    trusted_services: tuple[str, ...] = ()
    has_boundary: bool = False


@dataclass(frozen=True, slots=True)
class Simulated:
    """One result of `iam:SimulatePrincipalPolicy`; `decision` is allowed, implicitDeny or explicitDeny."""

    action: str
    resource: str
    decision: str
    missing_context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What was learned about a role, and the questions that were put."""

    role_arn: str
    role: Look[Role]
    simulated: Look[tuple[Simulated, ...]]
    statements: Look[tuple[Statement, ...]]
    questions: tuple[Question, ...] = ()


def look_at_role(looker: Looker, role_arn: str, questions: Sequence[Question]) -> RoleFacts:
    """Ask IAM about a role given by its ARN."""
    name = role_arn.rpartition("/")[2]
    role = looker.ask("iam:GetRole", lambda iam: _role(iam, name), absent=_NO_SUCH_ENTITY, subject=name)
    return RoleFacts(
        role_arn,
        role,
        looker.ask(
            "iam:SimulatePrincipalPolicy",
            lambda iam: _simulate(iam, role_arn, questions),
            absent=_NO_SUCH_ENTITY,
            subject=name,
        ),
        looker.ask("iam:GetRolePolicy", lambda iam: _statements(iam, name), absent=_NO_SUCH_ENTITY, subject=name),
        tuple(questions),
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
    if role is not None and service not in role.trusted_services:
        yield Finding(
            "role-not-assumable",
            Outcome.PROBLEM,
            f"{service} may not assume the role of {used_by}: {facts.role_arn}",
            (facts.role.evidence(f"trusts {', '.join(role.trusted_services) or 'no service'}"),),
            f'let the role\'s trust policy allow sts:AssumeRole to {{"Service": "{service}"}}',
        )
    for question in facts.questions:
        verdict, evidence = judged(facts, question)
        if verdict is Verdict.DENIED:
            yield Finding(
                "role-lacks-permission",
                Outcome.PROBLEM,
                f"{used_by} cannot {question.purpose}: its role {facts.role_arn.rpartition('/')[2]} may not "
                f"{question.action} on {question.resource}",
                evidence,
                f"allow {question.action} on {question.resource} in a policy of {facts.role_arn}",
                Likelihood.LIKELY,
            )


def judged(facts: RoleFacts, question: Question) -> tuple[Verdict, tuple[Evidence, ...]]:
    """May the role do it, and by what is that known? Both sources unseen is UNDECIDED, with no evidence."""
    simulated = _result(facts, question)
    if simulated is not None:
        evidence = (facts.simulated.evidence(f"{question.action} on {question.resource}: {simulated.decision}"),)
        if simulated.decision == "allowed":
            return Verdict.ALLOWED, evidence
        if simulated.decision == "explicitDeny":
            return Verdict.DENIED, evidence
        if simulated.missing_context:
            return Verdict.UNDECIDED, evidence
        return _read_verdict(facts, question, default=Verdict.DENIED), evidence
    verdict = _read_verdict(facts, question, default=Verdict.UNDECIDED)
    decided = verdict is not Verdict.UNDECIDED
    shown = f"the statements of its policies: {question.action} on {question.resource} {verdict}"
    return verdict, (facts.statements.evidence(shown),) if decided else ()


def _read_verdict(facts: RoleFacts, question: Question, *, default: Verdict) -> Verdict:
    """By the policies' text; where they could not be read, or a boundary may take away what they give, `default`."""
    if facts.statements.value is None:
        return default
    verdict = verdict_of(facts.statements.value, question.action, question.resource)
    if verdict is Verdict.ALLOWED and facts.role.value is not None and facts.role.value.has_boundary:
        return default
    # A policy that allows the action on narrower resources than the question's wildcard has thought of it.
    if verdict is Verdict.DENIED and "*" in question.resource and mentions(facts.statements.value, question.action):
        return Verdict.UNDECIDED
    return verdict


def _result(facts: RoleFacts, question: Question) -> Simulated | None:
    results = facts.simulated.value or ()
    return next((r for r in results if (r.action, r.resource) == (question.action, question.resource)), None)


def _role(iam: Any, name: str) -> Role:
    body = iam.get_role(RoleName=name)["Role"]
    services: list[str] = []
    for statement in _as_list(body["AssumeRolePolicyDocument"].get("Statement", [])):
        principal = statement.get("Principal", {})
        if statement.get("Effect") == "Allow" and isinstance(principal, dict):
            services += _as_list(principal.get("Service", []))
    return Role(name, tuple(dict.fromkeys(services)), "PermissionsBoundary" in body)


def _simulate(iam: Any, role_arn: str, questions: Sequence[Question]) -> tuple[Simulated, ...]:
    """One call a resource, as every action is simulated on every resource of a call."""
    found: list[Simulated] = []
    for resource in dict.fromkeys(question.resource for question in questions):
        actions = list(dict.fromkeys(q.action for q in questions if q.resource == resource))
        answer = iam.simulate_principal_policy(PolicySourceArn=role_arn, ActionNames=actions, ResourceArns=[resource])
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
    """The condition keys that were not given: told of each resource where resources were asked about."""
    of_resources = [
        key for each in result.get("ResourceSpecificResults", []) for key in each.get("MissingContextValues", [])
    ]
    return [*result.get("MissingContextValues", []), *of_resources]


def _statements(iam: Any, name: str) -> tuple[Statement, ...]:
    """Those of inline and attached policies."""
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for policy in page["PolicyNames"]
    ]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for policy in page["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            body = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]
            documents.append(body["Document"])
    return tuple(statement for document in documents for statement in statements_of(document))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
