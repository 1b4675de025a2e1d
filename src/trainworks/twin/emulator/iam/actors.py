"""Who is behind an access key, and which policies speak for it: read from ministack's IAM and STS."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.documents import NOTHING, Policy, parse
from trainworks.aws.iam.evaluate import Grants
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine
from trainworks.twin.home import ACCOUNT_ID
from trainworks.twin.ports import Interfaces

ROOT_ARN = f"arn:aws:iam::{ACCOUNT_ID}:root"
AWS_MANAGED = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True)
class Actor:
    """A caller with what is allowed to it. `keys` are the condition keys that describe it, in lower case.

    `interfaces` are those of the job in a VPC whose session it is; None for a caller that may be anywhere.
    """

    principal: Principal
    grants: Grants
    keys: Mapping[str, Value]
    interfaces: Interfaces | None = None


class Actors:
    """Looks callers up. `root_key` is the one access key of the account's root."""

    def __init__(self, root_key: str) -> None:
        self._root_key = root_key

    def of_key(self, access_key_id: str, account: str) -> Actor | None:
        """The actor of an access key whose signature was checked; None for a key that is no longer there."""
        if access_key_id == self._root_key:
            return root_actor()
        session = dict.get(engine.service("sts")._sessions, access_key_id)
        if session is not None:
            return self.of_session(session)
        record = engine.row(engine.service("iam")._access_keys, account, access_key_id)
        return None if record is None else self._user(str(record.get("UserName", "")), account)

    def of_session(self, session: Mapping[str, Any]) -> Actor | None:
        """The actor of temporary credentials, from their row."""
        arn = str(session["Arn"])
        account = str(session.get("AccountId") or parts_of_arn(arn).account)
        expiration = session.get("Expiration")
        if isinstance(expiration, (int, float)) and time.time() > expiration:
            return None
        kind = str(session.get("PrincipalType", ""))
        if kind == "AssumedRole":
            return self._role_session(session, arn, account)
        if kind == "User":
            actor = self._user(str(session.get("PrincipalName", "")), account)
            return (
                None
                if actor is None
                else Actor(actor.principal, actor.grants, {**actor.keys, **_session_keys(session)})
            )
        if kind == "Root":
            return Actor(root_actor().principal, root_actor().grants, {**root_actor().keys, **_session_keys(session)})
        return self._federated(session, arn, account)

    def snapshot(self, access_key_id: str) -> dict[str, Any]:
        """What `restored` needs to find the caller again when its key is gone: a stack outlives a session."""
        if access_key_id == self._root_key:
            return {"kind": "Root"}
        session = dict.get(engine.service("sts")._sessions, access_key_id)
        if session is None:
            return {"kind": "Key", "access_key_id": access_key_id}
        kept = ("Arn", "UserId", "AccountId", "PrincipalType", "PrincipalName", "SessionTags", "SessionPolicies")
        return {"kind": "Session", "session": {name: session[name] for name in kept if name in session}}

    def restored(self, snapshot: Mapping[str, Any], account: str) -> Actor | None:
        """The caller of a snapshot, with the policies that it has now."""
        if snapshot["kind"] == "Root":
            return root_actor()
        if snapshot["kind"] == "Session":
            return self.of_session(snapshot["session"])
        return self.of_key(snapshot["access_key_id"], account)

    def of_arn(self, arn: str) -> Actor | None:
        """The actor of a user's or a role's ARN, for simulations; None if it is neither, or does not exist."""
        account, kind = parts_of_arn(arn).account, arn.rpartition(":")[2].partition("/")[0]
        if kind == "user":
            return self._user(arn.rsplit("/", 1)[-1], account)
        return self.of_role(arn, "simulated") if kind == "role" else None

    def of_role(self, role_arn: str, session_name: str) -> Actor | None:
        """A session of a role as a service makes it; None if there is no such role."""
        account, name = parts_of_arn(role_arn).account, role_arn.rsplit("/", 1)[-1]
        role = engine.row(engine.service("iam")._roles, account, name)
        if role is None or role.get("Arn") != role_arn:
            return None
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}"
        row = {"Arn": arn, "UserId": f"{role['RoleId']}:{session_name}", "PrincipalType": "AssumedRole"}
        return self.of_session(row)

    def _role_session(self, session: Mapping[str, Any], arn: str, account: str) -> Actor:
        name, user_id = arn.split("/")[1], str(session.get("UserId", ""))
        role = engine.row(engine.service("iam")._roles, account, name)
        if role is not None and role.get("RoleId") != user_id.partition(":")[0]:
            # The role was deleted and made again: it is another one, and the old session has nothing of it.
            role = None
        principal = Principal(arn, account, PrincipalKind.SESSION, str((role or {}).get("Arn", "")))
        keys: dict[str, Value] = {"aws:userid": user_id, "aws:principalarn": principal.role_arn or arn}
        keys |= _tag_keys([*((role or {}).get("Tags") or []), *(session.get("SessionTags") or [])])
        given = session.get("Interfaces")
        interfaces = None if given is None else Interfaces(tuple(given["subnet_ids"]), given["public_ip"])
        if role is None:
            return Actor(principal, Grants(), keys | _session_keys(session), interfaces)
        grants = Grants(
            tuple(_attached(role.get("InlinePolicies"), role.get("AttachedPolicies"), account)),
            _boundary(role, account),
            _session_policies(session, account),
        )
        return Actor(principal, grants, keys | _session_keys(session), interfaces)

    def _user(self, name: str, account: str) -> Actor | None:
        iam = engine.service("iam")
        user = engine.row(iam._users, account, name)
        if user is None:
            return None
        arn = str(user.get("Arn") or f"arn:aws:iam::{account}:user/{name}")
        inline = engine.row(iam._user_inline_policies, account, name)
        policies = [*_attached(inline, user.get("AttachedPolicies"), account), *_group_policies(iam, name, account)]
        keys: dict[str, Value] = {
            "aws:username": name,
            "aws:userid": str(user.get("UserId", "")),
            "aws:principalarn": arn,
        }
        grants = Grants(tuple(policies), _boundary(user, account))
        return Actor(Principal(arn, account, PrincipalKind.USER), grants, keys | _tag_keys(user.get("Tags") or []))

    def _federated(self, session: Mapping[str, Any], arn: str, account: str) -> Actor | None:
        name = str(session.get("PrincipalName") or "")
        source = self._user(name, account) if name else root_actor()
        if source is None:
            return None
        # A federated user has only what the session policies let through, nothing without one.
        limits = _session_policies(session, account) or ()
        grants = Grants(source.grants.identity, source.grants.boundary, limits, source.grants.everything)
        keys: dict[str, Value] = {"aws:userid": str(session.get("UserId", "")), "aws:principalarn": arn}
        keys |= _tag_keys(session.get("SessionTags") or [])
        return Actor(Principal(arn, account, PrincipalKind.FEDERATED), grants, keys | _session_keys(session))


def root_actor() -> Actor:
    """The account's root user, who has every permission that no resource's policy takes away."""
    return _ROOT


_ROOT = Actor(
    Principal(ROOT_ARN, ACCOUNT_ID, PrincipalKind.ROOT),
    Grants(everything=True),
    {"aws:userid": ACCOUNT_ID, "aws:principalarn": ROOT_ARN},
)


def _attached(inline: Mapping[str, Any] | None, attached: Sequence[str] | None, account: str) -> Iterator[Policy]:
    for document in (inline or {}).values():
        yield parse(document)
    for arn in attached or ():
        yield parse(managed_document(arn, account))


def _group_policies(iam: Any, user_name: str, account: str) -> Iterator[Policy]:
    for (owner, name), group in list(dict.items(iam._groups._data)):
        if owner == account and user_name in group.get("Users", ()):
            inline = engine.row(iam._group_inline_policies, account, name)
            yield from _attached(inline, group.get("AttachedPolicies"), account)


def managed_document(arn: str, account: str) -> Any:
    """The document of a managed policy, as text or as the object that it stands for; None if there is none."""
    if arn.startswith(AWS_MANAGED):
        return engine.module("core.iam_evaluator")._resolve_managed_policy_document(arn, account)
    record = engine.row(engine.service("iam")._policies, account, arn) or {}
    return record.get("Versions", {}).get(record.get("DefaultVersionId", "v1"), {}).get("Document")


def _boundary(entity: Mapping[str, Any], account: str) -> Policy | None:
    arn = entity.get("PermissionsBoundary")
    return parse(managed_document(str(arn), account)) if arn else None


def _session_policies(session: Mapping[str, Any], account: str) -> tuple[Policy, ...] | None:
    passed = session.get("SessionPolicies")
    if not passed:
        return None
    own = [parse(passed["Policy"])] if passed.get("Policy") else []
    return tuple(own + [parse(managed_document(arn, account)) for arn in passed.get("PolicyArns", ())]) or (NOTHING,)


def _session_keys(session: Mapping[str, Any]) -> dict[str, Value]:
    keys: dict[str, Value] = {"aws:multifactorauthpresent": "false"}
    issued = session.get("IssuedAt")
    if isinstance(issued, (int, float)):
        keys["aws:tokenissuetime"] = datetime.fromtimestamp(issued, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return keys


def _tag_keys(tags: Sequence[Mapping[str, Any]]) -> dict[str, Value]:
    return {f"aws:principaltag/{tag['Key']}".lower(): str(tag["Value"]) for tag in tags}
