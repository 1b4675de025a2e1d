"""Makes the diagnosis of a stack from its facts: a pure function. Which command fixes a state is in the table below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.doctor.finding import Diagnosis, Finding, Likelihood, Outcome, diagnosis
from trainworks.doctor.looking import could_not_look
from trainworks.doctor.stack.facts import Failure, Stack, StackFacts

_PATIENCE_SECONDS = 1800
_SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})


@dataclass(frozen=True, slots=True)
class _State:
    """A state that a stack stays in. `fix` is for a platform of trainworks, `aws` for any other stack."""

    code: str
    what: str
    fix: str
    aws: str
    outcome: Outcome = Outcome.PROBLEM


_DELETE = "aws cloudformation delete-stack --stack-name {stack}"
_CONTINUE = "aws cloudformation continue-update-rollback --stack-name {stack}"
_AGAIN = "correct the cause, then: trainworks up --env {environment}"
_STATES = {
    "ROLLBACK_COMPLETE": _State(
        "never-created",
        "its creation failed and was rolled back: what is left of it cannot be updated, only deleted",
        "correct the cause, then: trainworks up --env {environment} (it removes what is left and creates it again)",
        f"correct the cause, then: {_DELETE}, and create it again",
    ),
    "CREATE_FAILED": _State(
        "create-failed",
        "its creation failed and was not rolled back",
        "correct the cause, then: trainworks up --recreate --env {environment}",
        f"correct the cause, then: {_DELETE}, and create it again",
    ),
    "ROLLBACK_FAILED": _State(
        "rollback-failed",
        "its creation failed, and so did the rollback",
        "correct what blocks it, then: trainworks up --recreate --env {environment}",
        f"correct what blocks it, then: {_DELETE}",
    ),
    "DELETE_FAILED": _State(
        "delete-failed",
        "its deletion failed: something in it could not be deleted",
        "remove what blocks it, then: trainworks down --env {environment}",
        f"remove what blocks it, then: {_DELETE}",
    ),
    "UPDATE_ROLLBACK_FAILED": _State(
        "update-rollback-failed",
        "an update failed, and so did its rollback: nothing can be changed until the rollback is continued",
        "correct what blocks it, then: trainworks up --continue-rollback --env {environment} "
        "(--skip LOGICAL_ID leaves a resource as it is)",
        f"correct what blocks it, then: {_CONTINUE}",
    ),
    "REVIEW_IN_PROGRESS": _State(
        "in-review",
        "it is empty: a change set was made for it and never executed",
        "trainworks up --env {environment} (it replaces the empty stack)",
        f"execute its change set, or {_DELETE}",
        Outcome.WARNING,
    ),
    "UPDATE_ROLLBACK_COMPLETE": _State(
        "update-rolled-back",
        "its last update failed and was rolled back: it is as it was before",
        _AGAIN,
        "correct the cause, then update it again",
    ),
    "UPDATE_FAILED": _State(
        "update-failed",
        "its last update failed and was not rolled back",
        _AGAIN,
        "correct the cause, then update it again",
    ),
    "IMPORT_ROLLBACK_FAILED": _State(
        "import-rollback-failed",
        "an import failed, and so did its rollback",
        _AGAIN,
        f"correct the cause, then: {_CONTINUE}",
    ),
    "IMPORT_ROLLBACK_COMPLETE": _State(
        "import-rolled-back", "an import failed and was rolled back", _AGAIN, "correct the cause, then import again"
    ),
}
_HAS_TO_BE_DELETED = frozenset(
    {"ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}
)
_MAX_FAILURES = 8


def diagnose_stack(facts: StackFacts, name: str) -> Diagnosis:
    """Why the stack is in its state, and what fixes it. A stack that does not exist is a problem of an environment."""
    stack = facts.stack.value
    state = stack.status if stack is not None else "not deployed" if facts.stack.is_absent else "unknown"
    return diagnosis("stack", name, state, [*_findings(facts, name), *could_not_look(facts)])


def _findings(facts: StackFacts, name: str) -> Iterator[Finding]:
    yield from _account(facts)
    yield from _bootstrap(facts)
    stack = facts.stack.value
    if stack is None:
        if facts.stack.is_absent:
            fix = f"trainworks up --env {facts.environment}" if facts.environment else ""
            seen = (facts.stack.evidence("does not exist"),)
            yield Finding("not-deployed", Outcome.WARNING, f"there is no stack {name}", seen, fix)
        return
    yield from _causes(facts, stack)
    yield from _state(facts, stack)
    if stack.status in _HAS_TO_BE_DELETED and stack.termination_protection:
        yield _protected(facts, stack)
    if stack.drift_status == "DRIFTED":
        yield Finding(
            "drifted",
            Outcome.WARNING,
            "it was changed by hand since its deployment",
            (facts.stack.evidence(f"StackDriftStatus={stack.drift_status}"),),
            f"see what: trainworks diff --env {facts.environment}"
            if facts.environment
            else f"aws cloudformation describe-stack-resource-drifts --stack-name {stack.name}",
        )
    if stack.status in _SUCCEEDED:
        seen = (facts.stack.evidence(f"StackStatus={stack.status}"),)
        yield Finding("as-it-should-be", Outcome.OK, f"stack {stack.name} is {stack.status}", seen)


def _causes(facts: StackFacts, stack: Stack) -> Iterator[Finding]:
    """The first cause, then what else blocks a rollback or deletion."""
    if facts.failures is None or stack.status in _SUCCEEDED:
        return
    failures = facts.failures.value or ()
    for number, failure in enumerate(failures[:_MAX_FAILURES]):
        first = number == 0
        yield Finding(
            _code(failure) if first else "blocked-by",
            Outcome.PROBLEM,
            f"{'first cause' if first else 'also failed'}: {failure.place} ({failure.resource_type}): {failure.reason}",
            (
                facts.failures.evidence(
                    f"{failure.at:%H:%M:%S} {failure.logical_id} {failure.status}: {failure.reason}"
                ),
            ),
            failure.hint or _blocking_hint(facts, stack, failure),
            Likelihood.CERTAIN if first else Likelihood.LIKELY,
        )
    if not failures and stack.status_reason and stack.status in _STATES:
        yield Finding(
            "stack-status-reason",
            Outcome.PROBLEM,
            stack.status_reason,
            (facts.stack.evidence(f"StackStatusReason={stack.status_reason}"),),
        )


def _code(failure: Failure) -> str:
    """The kind of a first cause, for programs."""
    kinds = (
        (r"not authorized|AccessDenied|UnauthorizedOperation", "access-denied"),
        (r"already exists", "name-taken"),
        (r"LimitExceeded|limit exceeded|quota", "quota-exceeded"),
        (r"not empty|BucketNotEmpty|RepositoryNotEmpty", "not-empty"),
        (r"termination protection", "termination-protected"),
    )
    return next((code for regex, code in kinds if re.search(regex, failure.reason, re.IGNORECASE)), "resource-failed")


def _blocking_hint(facts: StackFacts, stack: Stack, failure: Failure) -> str:
    if stack.status == "UPDATE_ROLLBACK_FAILED" and facts.environment:
        return f"or leave it: trainworks up --continue-rollback --skip {failure.logical_id} --env {facts.environment}"
    return ""


def _state(facts: StackFacts, stack: Stack) -> Iterator[Finding]:
    state = _STATES.get(stack.status)
    if state is not None:
        fix = state.fix if facts.environment else state.aws
        yield Finding(
            state.code,
            state.outcome,
            state.what,
            (facts.stack.evidence(f"StackStatus={stack.status}"),),
            fix.format(environment=facts.environment, stack=stack.name),
            Likelihood.LIKELY,
        )
    elif stack.status.endswith("_IN_PROGRESS"):
        yield _running(facts, stack)


def _running(facts: StackFacts, stack: Stack) -> Finding:
    since = facts.last_event_at or stack.changed_at
    quiet = 0.0 if since is None else (facts.looked_at - since).total_seconds()
    evidence = (facts.stack.evidence(f"StackStatus={stack.status}, last event {quiet:.0f} s ago"),)
    follow = f"follow it: trainworks up --env {facts.environment}" if facts.environment else ""
    if quiet < _PATIENCE_SECONDS:
        return Finding(
            "in-progress", Outcome.OK, f"an operation on it is in progress ({stack.status})", evidence, follow
        )
    cancel = f"aws cloudformation cancel-update-stack --stack-name {stack.name}"
    return Finding(
        "in-progress-for-long",
        Outcome.WARNING,
        f"nothing has happened in it for {quiet / 60:.0f} min: a resource waits for something",
        evidence,
        cancel if stack.status == "UPDATE_IN_PROGRESS" else "wait for CloudFormation's own time limit of that resource",
        Likelihood.LIKELY,
    )


def _protected(facts: StackFacts, stack: Stack) -> Finding:
    return Finding(
        "termination-protected",
        Outcome.PROBLEM,
        "it is protected from deletion",
        (facts.stack.evidence("EnableTerminationProtection=true"),),
        "aws cloudformation update-termination-protection --no-enable-termination-protection "
        f"--stack-name {stack.name}",
    )


def _account(facts: StackFacts) -> Iterator[Finding]:
    account = facts.account
    if account is None or not account.value or not facts.expected_account or account.value == facts.expected_account:
        return
    yield Finding(
        "wrong-account",
        Outcome.PROBLEM,
        f"the credentials belong to account {account.value}; environment {facts.environment} is in account "
        f"{facts.expected_account}",
        (account.evidence(f"Account={account.value}"),),
        "set aws_profile of the environment in trainworks.toml, or log in to the right account",
    )


def _bootstrap(facts: StackFacts) -> Iterator[Finding]:
    bucket = facts.bootstrap_bucket
    if bucket is None or not bucket.is_absent:
        return
    yield Finding(
        "bootstrap-bucket-missing",
        Outcome.PROBLEM if facts.stack.value is not None else Outcome.WARNING,
        f"the bucket for templates and assets does not exist: {bucket.call.partition(' ')[2]}",
        (bucket.evidence("404"),),
        f"trainworks up --bootstrap --env {facts.environment}" if facts.environment else "cdk bootstrap",
    )
