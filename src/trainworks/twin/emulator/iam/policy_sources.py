"""The policies of a user, group or role with their names, for `SimulatePrincipalPolicy` and its kin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.aws.iam.simulation import PolicySource
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.actors import AWS_MANAGED, managed_document
from trainworks.twin.ports import ApiError

_ENTITIES = ("user", "group", "role")


@dataclass(frozen=True, slots=True)
class Held:
    """A policy of somebody. `kind` is one of `PolicyIdentifierPolicyType`; an inline one has no ARN."""

    name: str
    kind: str
    document: Any
    arn: str = ""
    holder: tuple[str, str] = ("", "")

    @property
    def source(self) -> PolicySource:
        """It as a simulation has it. A document that was stored as an object is spelled as IAM shows it."""
        return PolicySource(self.name, self.document if isinstance(self.document, str) else json.dumps(self.document))


def policies_of(arn: str, account: str) -> list[Held]:
    """Those of an entity, its groups' and its boundary. Raises `ApiError` `InvalidInput`, `NoSuchEntity`."""
    parts = arn.split(":", 5)
    kind, _, path = parts[5].partition("/") if len(parts) == 6 else ("", "", "")
    if kind not in _ENTITIES or not path or parts[4] != account:
        raise ApiError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    name = path.rsplit("/", 1)[-1]
    entity = engine.row(getattr(engine.service("iam"), f"_{kind}s"), account, name)
    if entity is None or entity.get("Arn", arn) != arn:
        raise ApiError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
    found = list(_held(kind, name, entity, account))
    if kind == "user":
        found += [each for group, row in _groups_of(name, account) for each in _held("group", group, row, account)]
    boundary = entity.get("PermissionsBoundary")
    if boundary:
        found.append(_managed(str(boundary), account, "permission-boundary"))
    return [each for each in found if each.document]


def _held(kind: str, name: str, entity: Mapping[str, Any], account: str) -> Iterator[Held]:
    iam = engine.service("iam")
    own = entity.get("InlinePolicies") if kind == "role" else None
    inline = own if kind == "role" else engine.row(getattr(iam, f"_{kind}_inline_policies"), account, name)
    for policy, document in (inline or {}).items():
        yield Held(policy, "inline", document, holder=(kind, name))
    for arn in entity.get("AttachedPolicies") or ():
        yield _managed(arn, account, "aws-managed" if arn.startswith(AWS_MANAGED) else "user-managed")


def _groups_of(user_name: str, account: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for (owner, name), group in list(dict.items(engine.service("iam")._groups._data)):
        if owner == account and user_name in group.get("Users", ()):
            yield name, group


def _managed(arn: str, account: str, kind: str) -> Held:
    return Held(arn.rsplit("/", 1)[-1], kind, managed_document(arn, account), arn)


def without(held: Sequence[Held], exclusions: Sequence[Mapping[str, Any]]) -> list[Held]:
    """Those that no member of a `PolicyExclusionList` names."""
    return [each for each in held if not any(_names(exclusion, each) for exclusion in exclusions)]


def _names(exclusion: Mapping[str, Any], held: Held) -> bool:
    inline = exclusion.get("InlinePolicyIdentifier")
    if inline is not None:
        holder = (inline["AttachmentType"], inline["AttachmentName"])
        return held.kind == "inline" and (held.name, held.holder) == (inline["PolicyName"], holder)
    if "PolicyArn" in exclusion:
        return bool(held.arn) and held.arn == exclusion["PolicyArn"]
    return bool(exclusion.get("PolicyType") == held.kind)
