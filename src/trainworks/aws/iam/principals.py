"""Who makes a request, and whom the Principal and NotPrincipal elements of a policy name.

After "AWS JSON policy elements: Principal" and "NotPrincipal". A session of a role is named by its own ARN, by its
role's, or by its account; an account by its number or by its root's ARN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

_ACCOUNT = re.compile(r"^(?:(?P<number>\d{12})|arn:aws[a-z-]*:iam::(?P<root>\d{12}):root)$")
_SESSION = re.compile(r"^arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+$")


class PrincipalKind(StrEnum):
    """What `aws:PrincipalType` says, and what no IAM principal is."""

    ROOT = "Account"
    USER = "User"
    SESSION = "AssumedRole"
    FEDERATED = "FederatedUser"
    SERVICE = "Service"
    WEB_IDENTITY = "WebIdentity"
    ANONYMOUS = "Anonymous"


@dataclass(frozen=True)
class Principal:
    """Who asks. `arn` is as in `sts:GetCallerIdentity`; of a service or provider it is its name.

    `role_arn` is the role of a session, with its path.
    """

    arn: str
    account: str
    kind: PrincipalKind
    role_arn: str = ""

    @cached_property
    def direct(self) -> frozenset[str]:
        """The ARNs that name this user or session itself; what they are given, nothing narrows."""
        return (
            frozenset({self.arn})
            if self.kind in (PrincipalKind.USER, PrincipalKind.SESSION, PrincipalKind.FEDERATED)
            else frozenset()
        )


class PrincipalMatch(StrEnum):
    """How a Principal element reaches a caller. What it grants differs: see `evaluate`."""

    NOT = "not"
    ACCOUNT = "account"
    NAMED = "named"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal element: names by kind. `everyone` is `"*"` or `{"AWS": "*"}`."""

    everyone: bool
    aws: frozenset[str]
    accounts: frozenset[str]
    services: frozenset[str]
    federated: frozenset[str]

    def naming(self, principal: Principal) -> PrincipalMatch:
        """How these name `principal`: itself, its role or everyone, only its account, or not at all."""
        if principal.kind is PrincipalKind.SERVICE:
            return PrincipalMatch.NAMED if self.everyone or principal.arn in self.services else PrincipalMatch.NOT
        if principal.kind is PrincipalKind.WEB_IDENTITY:
            return PrincipalMatch.NAMED if principal.arn in self.federated else PrincipalMatch.NOT
        if self.aws & principal.direct:
            return PrincipalMatch.DIRECT
        if self.everyone or principal.role_arn in self.aws:
            return PrincipalMatch.NAMED
        if principal.account and principal.account in self.accounts:
            # The root user is the account.
            return PrincipalMatch.NAMED if principal.kind is PrincipalKind.ROOT else PrincipalMatch.ACCOUNT
        return PrincipalMatch.NOT

    def exempts(self, principal: Principal) -> bool:
        """Whether this as NotPrincipal leaves `principal` out: all that it is has to be named, its account too."""
        if self.everyone:
            return True
        if principal.kind in (PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY):
            return self.naming(principal) is PrincipalMatch.NAMED
        if principal.account not in self.accounts:
            return False
        itself = principal.kind is PrincipalKind.ROOT or bool(self.aws & principal.direct)
        return itself and (not principal.role_arn or principal.role_arn in self.aws)


def parse_principals(element: object) -> Principals:
    """Reads a Principal element. Raises `ValueError` if it is not one."""
    if element == "*":
        return Principals(True, frozenset(), frozenset(), frozenset(), frozenset())
    if not isinstance(element, Mapping):
        raise ValueError(f"Invalid principal in policy: {element!r}")
    names: dict[str, list[str]] = {}
    for kind, given in element.items():
        if kind not in PRINCIPAL_KINDS:
            raise ValueError(f"Invalid principal in policy: unknown kind {kind!r}")
        names[kind] = _names(kind, given)
    aws = names.get("AWS", [])
    accounts = {found["number"] or found["root"] for name in aws if (found := _ACCOUNT.match(name)) is not None}
    return Principals(
        "*" in aws,
        frozenset(name for name in aws if not _ACCOUNT.match(name)),
        frozenset(accounts),
        frozenset(name.lower() for name in names.get("Service", [])),
        frozenset(names.get("Federated", [])),
    )


PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")


def session_role_arn(session_arn: str) -> str:
    """The ARN of a session's role without the role's path, which a session's ARN does not have; "" for no session."""
    found = _SESSION.match(session_arn)
    return "" if found is None else f"arn:{found['partition']}:iam::{found['account']}:role/{found['role']}"


def _names(kind: str, given: object) -> list[str]:
    names: Sequence[object] = given if isinstance(given, list) else [given]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f'Invalid principal in policy: "{kind}":{given!r}')
    return [str(name) for name in names]
