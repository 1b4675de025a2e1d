"""Checks of the account behind an environment."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.doctor.finding import Finding, Likelihood, Outcome
from trainworks.doctor.installation.facts import Account
from trainworks.doctor.stack.causes import diagnose_stack

_TOLERATED_SKEW_SECONDS = 60
_REFUSED_SKEW_SECONDS = 290
"""AWS refuses requests that were signed five minutes from its own time (some services fifteen)."""


def account_findings(account: Account) -> Iterator[Finding]:
    """Credentials, clock, roles, quotas, and the platform that is deployed there."""
    yield from _identity(account)
    yield from _clock(account)
    for service, look in account.service_linked_roles:
        if look.is_absent:
            yield Finding(
                "no-service-linked-role",
                Outcome.WARNING,
                f"the account has no service-linked role for {service}: the first deployment creates it if it may",
                (look.evidence("NoSuchEntity"),),
                f"aws iam create-service-linked-role --aws-service-name {service}",
            )
    for quota in account.quotas:
        if quota.value is not None:
            zero = quota.value.value == 0
            yield Finding(
                "quota-zero" if zero else "quota",
                Outcome.WARNING if zero else Outcome.OK,
                f"quota {quota.value.name!r} is {quota.value.value:g}" + (": nothing can be started" if zero else ""),
                (quota.evidence(f"{quota.value.value:g}"),),
                "ask for more: aws service-quotas request-service-quota-increase" if zero else "",
                Likelihood.LIKELY,
            )
    for look_name, access in (("cost data", account.cost_access), ("budgets", account.budget_access)):
        if access is not None and access.value is not None:
            yield Finding("billing-access", Outcome.OK, f"{look_name} can be read", (access.evidence(access.value),))
    if account.platform is not None:
        stack = account.platform.stack.value
        name = stack.name if stack is not None else account.platform.stack.call.partition(" ")[2]
        # Whose account it is, and what could not be looked at, is said once for the whole installation.
        told = ("wrong-account", "could-not-look")
        yield from (each for each in diagnose_stack(account.platform, name).findings if each.code not in told)


def _identity(account: Account) -> Iterator[Finding]:
    identity = account.identity.value
    where = "the twin" if account.is_twin else "AWS"
    if identity is None:
        why_not = account.identity.why_not
        unreachable = why_not.startswith("no answer")
        fix = "aws configure, aws sso login, or set aws_profile of the environment in trainworks.toml"
        if unreachable or account.is_twin:
            fix = (
                "trainworks twin status" if account.is_twin else "check the network, and AWS_ENDPOINT_URL if it is set"
            )
        yield Finding(
            "unreachable" if unreachable else "no-credentials",
            Outcome.PROBLEM,
            f"{where} {'does not answer' if unreachable else 'does not accept these credentials'}: {why_not}",
            (account.identity.evidence(why_not),),
            fix,
        )
        return
    seen = (account.identity.evidence(f"Account={identity.account} Arn={identity.arn}"),)
    if account.expected_account and identity.account != account.expected_account:
        yield Finding(
            "wrong-account",
            Outcome.PROBLEM,
            f"the credentials belong to account {identity.account}; environment {account.environment} is in account "
            f"{account.expected_account}",
            seen,
            "set aws_profile of the environment in trainworks.toml, or log in to the right account",
        )
    else:
        what = f"{where}: account {identity.account}, region {account.region}, as {identity.arn.rpartition(':')[2]}"
        yield Finding("account", Outcome.OK, what, seen)


def _clock(account: Account) -> Iterator[Finding]:
    identity = account.identity.value
    if identity is None:
        return
    skew = identity.skew_seconds
    if abs(skew) >= _TOLERATED_SKEW_SECONDS:
        yield Finding(
            "clock-skew",
            Outcome.PROBLEM if abs(skew) >= _REFUSED_SKEW_SECONDS else Outcome.WARNING,
            f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the endpoint's: "
            "signatures are refused from five minutes on",
            (account.identity.evidence(f"Date header: {skew:+.0f} s"),),
            "set the clock: sudo timedatectl set-ntp true",
        )
