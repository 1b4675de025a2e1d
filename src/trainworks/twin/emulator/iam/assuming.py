"""What STS checks in `AssumeRole` besides permission: lengths of sessions, and what a trust policy can look at.

After the API reference of STS and "Methods to assume a role". The trust policy is the role's own policy, so the
ordinary decision covers it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.principals import PrincipalKind
from trainworks.aws.iam.validation import size_without_space
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.actors import Actor
from trainworks.twin.ports import ApiError

ACTIONS = frozenset({"sts:AssumeRole"})

_SHORTEST, _CHAINED = 900, 3600
_NAME = re.compile(r"^[\w+=,.@-]{2,64}$", re.ASCII)
_MAX_POLICIES = 10
_MAX_TAGS = 50
_PACKED_BYTES = 2048


def check(
    actor: Actor, action: str, role_arn: str, params: Mapping[str, Any], given: Mapping[str, Value]
) -> dict[str, Value]:
    """The condition keys of the request, with those that come from its members.

    Raises `ApiError` `ValidationError` for a session that is too long, a name or a policy that is none.
    """
    name = str(params.get("RoleSessionName", ""))
    if not _NAME.match(name):
        raise _invalid(
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: [\\w+=,.@-]* and have 2 to 64 characters"
        )
    _check_duration(actor, role_arn, params.get("DurationSeconds"))
    _check_packed(params)
    keys: dict[str, Value] = {**given, "sts:rolesessionname": name}
    if params.get("ExternalId"):
        keys["sts:externalid"] = str(params["ExternalId"])
    if params.get("SourceIdentity"):
        keys["sts:sourceidentity"] = str(params["SourceIdentity"])
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in params.get("Tags") or ()}
    keys |= {f"aws:requesttag/{key}".lower(): value for key, value in tags.items()}
    if tags:
        keys["aws:tagkeys"] = tuple(tags)
    return keys


def _check_duration(actor: Actor, role_arn: str, asked: Any) -> None:
    if asked is None:
        return
    seconds = int(asked)
    if seconds < _SHORTEST:
        raise _invalid(
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: "
            f"Member must have value greater than or equal to {_SHORTEST}"
        )
    if actor.principal.kind is PrincipalKind.SESSION and seconds > _CHAINED:
        raise _invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    role = engine.row(engine.service("iam")._roles, parts_of_arn(role_arn).account, role_arn.rsplit("/", 1)[-1])
    if role is not None and seconds > int(role.get("MaxSessionDuration") or 3600):
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _check_packed(params: Mapping[str, Any]) -> None:
    """The limit on what a session carries: policies, their ARNs and tags together. AWS packs them, this counts them."""
    arns, tags = params.get("PolicyArns") or [], params.get("Tags") or []
    if len(arns) > _MAX_POLICIES:
        raise _invalid(f"A session takes {_MAX_POLICIES} managed policies, these are {len(arns)}")
    if len(tags) > _MAX_TAGS:
        raise _invalid(f"A session takes {_MAX_TAGS} tags, these are {len(tags)}")
    size = size_without_space(str(params.get("Policy") or "")) + sum(len(json.dumps(tag)) // 2 for tag in tags)
    if size > _PACKED_BYTES:
        percent = 100 * size // _PACKED_BYTES
        raise ApiError(
            "PackedPolicyTooLarge", f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        )


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationError", message)
