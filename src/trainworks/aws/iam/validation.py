"""What a service refuses to store as a policy document, in AWS's words with the place and the value behind them.

After the grammar of the JSON policy language and the messages that IAM and S3 answer. One checker for all kinds; a
`PolicyKind` says what differs: principals are for policies of resources and roles, resources are not for roles.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainworks.aws.iam.conditions import Operator, known_operators, parse_operator
from trainworks.aws.iam.documents import listed, policy_of
from trainworks.aws.iam.principals import PRINCIPAL_KINDS

VERSIONS = ("2012-10-17", "2008-10-17")

QUOTA_EXCEEDED = "LimitExceeded"

_SYNTAX = "Syntax errors in policy."
_ACTION = re.compile(r"^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$")
_SID = re.compile(r"^[A-Za-z0-9]*$")
_ARN = re.compile(r"^arn:[a-z*?-]+:[A-Za-z0-9*?.-]+:[^:]*:[^:]*:.+$", re.DOTALL)
_TRUST_ACTION = re.compile(r"^(\*|sts:[A-Za-z*?]+)$", re.IGNORECASE)
_AWS_PRINCIPAL = re.compile(
    r"^(\*|\d{12}|arn:aws[a-z-]*:(iam::\d{12}:(root|user/[^*?\s]+|role/[^*?\s]+)|sts::\d{12}:(assumed-role/[^/\s*?]+/[^*?\s]+|"
    r"federated-user/[^*?\s]+))|A(ID|RO)A[A-Z0-9]+)$"
)
# Who CloudFront reads a bucket as; only bucket policies know it.
_ORIGIN_ACCESS = re.compile(r"^arn:aws[a-z-]*:iam::cloudfront:user/CloudFront Origin Access Identity [A-Z0-9]+$")
# Names end in many ways (amazonaws.com.cn, amazonaws.eu, aws.internal); a name without a dot is none.
_SERVICE_PRINCIPAL = re.compile(r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
_STATEMENT = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """What a document has to be like.

    `principals` and `resources`: whether statements must have them; None if they may. `actions_of`: the only service
    whose actions may be there. `max_bytes`: the longest document. `code` is the error's code, `too_long` the code for a
    document above the limit. `quota`: a quota of IAM by its name, with the characters other than white space it allows.
    """

    name: str
    code: str
    principals: bool | None
    resources: bool | None
    max_bytes: int
    actions_of: str = ""
    too_long: str = ""
    free_sids: bool = False
    quota: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document is refused: AWS's error code and its message."""

    code: str
    message: str


IDENTITY = PolicyKind("policy", "MalformedPolicyDocument", False, True, 131_072)
# "IAM and AWS STS quotas", as accounts have them at first.
MANAGED = replace(IDENTITY, quota=("PolicySize", 6144))
TRUST = PolicyKind("trust policy", "MalformedPolicyDocument", True, False, 131_072, quota=("ACLSizePerRole", 2048))
SESSION = PolicyKind("session policy", "MalformedPolicyDocument", False, True, 2048, too_long="PackedPolicyTooLarge")


class _RefusedError(Exception):
    """The first fault that was found."""


def problem(document: object, kind: PolicyKind) -> Problem | None:
    """What is wrong with a document (its text, or the object that was read from it), or None.

    What is too long is not read at all, and nothing passes that `documents.parse` could not read later.
    """
    try:
        text = document if isinstance(document, str) else json.dumps(document)
        size = len(text) if len(text) > kind.max_bytes else len(text.encode("utf-8", "replace"))
        if size > kind.max_bytes:
            message = (
                f"Policy exceeds the maximum allowed document size. The {kind.name} has {size} bytes, at most "
                f"{kind.max_bytes} are allowed"
            )
            return Problem(kind.too_long or kind.code, message)
        _check(document, kind)
    except _RefusedError as refused:
        return Problem(kind.code, str(refused))
    except RecursionError:
        return Problem(kind.code, f"{_SYNTAX} The document is nested too deep")
    if kind.quota is not None and size_without_space(text) > kind.quota[1]:
        return Problem(QUOTA_EXCEEDED, f"Cannot exceed quota for {kind.quota[0]}: {kind.quota[1]}")
    return None


def size_without_space(text: str) -> int:
    """The size of a document as IAM counts it: without white space."""
    return len(re.sub(r"\s+", "", text))


def principals_of(document: object) -> list[str]:
    """The ARNs of users, roles and sessions that a valid document names: those that have to exist."""
    parsed = json.loads(document) if isinstance(document, str) else document
    names: list[str] = []
    for statement in listed(parsed.get("Statement")) if isinstance(parsed, Mapping) else []:
        for element in ("Principal", "NotPrincipal"):
            given = statement.get(element)
            if isinstance(given, Mapping):
                names += [str(name) for name in listed(given.get("AWS"))]
    return [name for name in names if name.startswith("arn:")]


def _check(document: object, kind: PolicyKind) -> None:
    parsed = _read(document) if isinstance(document, str) else document
    if not isinstance(parsed, Mapping):
        raise _RefusedError(f"{_SYNTAX} A policy is a JSON object, this is {json.dumps(parsed)[:60]}")
    for name in parsed:
        if name not in ("Version", "Id", "Statement"):
            raise _RefusedError(f"{_SYNTAX} Unknown field {name}")
    version = parsed.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise _RefusedError(f"{_SYNTAX} The policy must contain a valid version string, {version!r} is none")
    if not isinstance(parsed.get("Id", ""), str):
        raise _RefusedError(f"{_SYNTAX} Id is a string")
    statements = listed(parsed.get("Statement"))
    if not statements:
        raise _RefusedError(f"{_SYNTAX} Missing required field Statement")
    sids: set[str] = set()
    for number, statement in enumerate(statements):
        where = f"Statement {number}"
        if not isinstance(statement, Mapping):
            raise _RefusedError(f"{_SYNTAX} {where} is not a JSON object")
        _check_statement(statement, f"{where}: ", kind)
        sid = statement.get("Sid")
        if sid and sid in sids:
            raise _RefusedError(f"Statement IDs (SID) in a single policy must be unique. {sid!r} is there twice")
        sids |= {sid} if sid else set()
    try:
        policy_of(parsed)
    except ValueError as error:
        raise _RefusedError(f"{_SYNTAX} {error}") from error


def _read(document: str) -> object:
    if not document.strip():
        raise _RefusedError("The policy document is empty")
    try:
        parsed = json.loads(document, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
        # An escape may stand for half a character, which no text and no answer can hold.
        json.dumps(parsed, ensure_ascii=False).encode()
        return parsed
    except UnicodeEncodeError as error:
        raise _RefusedError("This policy contains invalid Json: an escape that is not a character") from error
    except ValueError as error:
        raise _RefusedError(f"This policy contains invalid Json: {error}") from error


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _RefusedError(f"{_SYNTAX} {name} is given twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_statement(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> None:
    for name in statement:
        if name not in _STATEMENT:
            raise _RefusedError(f"{_SYNTAX} {where}Unknown field {name}{_near(name, _STATEMENT)}")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        told = "Missing required field Effect" if effect is None else f"Invalid effect : {effect}"
        raise _RefusedError(f"{_SYNTAX} {where}{told}")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or (not kind.free_sids and not _SID.match(sid)):
        raise _RefusedError(f"{_SYNTAX} {where}Statement IDs (SID) have letters and digits only, this is {sid!r}")
    for name in ("Principal", "Action", "Resource"):
        if name in statement and f"Not{name}" in statement:
            raise _RefusedError(f"{_SYNTAX} {where}{name} and Not{name} exclude each other")
    _check_principals(statement, where, kind)
    _check_actions(statement, where, kind)
    _check_resources(statement, where, kind)
    if "Condition" in statement:
        _check_conditions(statement["Condition"], where)


def _check_actions(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> None:
    actions = _strings(statement, ("Action", "NotAction"), where)
    if not actions:
        raise _RefusedError(f"{where}Policy statement must contain actions.")
    for action in actions:
        if not _ACTION.match(action):
            vendorless = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. "
            raise _RefusedError(f"{'' if ':' in action else vendorless}{where}Policy has invalid action: {action}")
        vendor = action.partition(":")[0].lower()
        if kind is TRUST and not _TRUST_ACTION.match(action):
            raise _RefusedError(f"AssumeRole policy may only specify STS AssumeRole actions. {where}{action}")
        if kind.actions_of and action != "*" and vendor != kind.actions_of:
            raise _RefusedError(f"{where}Policy has invalid action: {action} is not an action of {kind.actions_of}")


def _check_resources(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> None:
    resources = _strings(statement, ("Resource", "NotResource"), where)
    if kind.resources is False and ("Resource" in statement or "NotResource" in statement):
        name = "Resource" if "Resource" in statement else "NotResource"
        raise _RefusedError(f"Has prohibited field {name}. {where}The role itself is the resource of its trust policy")
    if kind.resources and not resources:
        raise _RefusedError(f"{where}Policy statement must contain resources.")
    for resource in resources:
        if resource != "*" and not _ARN.match(resource) and not _spans_components(resource):
            raise _RefusedError(f'{where}Resource {resource} must be in ARN format or "*".')


def _spans_components(resource: str) -> bool:
    """A pattern of an ARN whose wildcard stands for several components, as AWS accepts it: `arn:aws:s3*`."""
    return resource.startswith("arn:") and "*" in resource


def _check_principals(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> None:
    given = [name for name in ("Principal", "NotPrincipal") if name in statement]
    if kind.principals is False and given:
        raise _RefusedError(f"Policy document should not specify a principal. {where}{given[0]}")
    if kind.principals and not given:
        raise _RefusedError(f"{where}Missing required field Principal")
    if kind is TRUST and "NotPrincipal" in given:
        raise _RefusedError(f"AssumeRole policy must not contain NotPrincipal field. {where}")
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise _RefusedError(f"{where}Allow with NotPrincipal is not allowed. NotPrincipal goes with Deny")
    for name in given:
        _check_principal(statement[name], where, kind)


def _check_principal(element: object, where: str, policy: PolicyKind) -> None:
    if element == "*":
        return
    if not isinstance(element, Mapping) or not element:
        raise _RefusedError(f"Invalid principal in policy: {where}{json.dumps(element)[:80]}")
    for kind, names in element.items():
        if kind not in PRINCIPAL_KINDS:
            raise _RefusedError(
                f"Invalid principal in policy: {where}unknown kind {kind}{_near(kind, PRINCIPAL_KINDS)}"
            )
        for name in listed(names) or [None]:
            fits = _PRINCIPALS[kind]
            if policy.actions_of == "s3" and isinstance(name, str) and _ORIGIN_ACCESS.match(name):
                continue
            if not isinstance(name, str) or not fits(name):
                raise _RefusedError(f'Invalid principal in policy: {where}"{kind}":{json.dumps(name)}')


def _check_conditions(block: object, where: str) -> None:
    if not isinstance(block, Mapping):
        raise _RefusedError(f"{_SYNTAX} {where}Condition is an object of operators")
    for name, keys in block.items():
        operator = parse_operator(str(name))
        if operator is None:
            raise _RefusedError(
                f"{_SYNTAX} {where}Invalid Condition type : {name}{_near(str(name), known_operators())}"
            )
        if not isinstance(keys, Mapping) or not keys:
            raise _RefusedError(f"{_SYNTAX} {where}the operator {name} takes an object of condition keys")
        for key, values in keys.items():
            _check_condition_values(operator, str(key), values, f"{where}{name}: ")


def _check_condition_values(operator: Operator, key: str, values: object, where: str) -> None:
    if ":" not in key:
        raise _RefusedError(f"{where}Policy has an invalid condition key: {key}")
    for value in listed(values):
        if not isinstance(value, (str, int, float)):
            raise _RefusedError(f"{_SYNTAX} {where}{key} takes strings, this is {json.dumps(value)[:60]}")
        if operator.base in ("bool", "null") and str(value).lower() not in ("true", "false"):
            raise _RefusedError(f'{_SYNTAX} {where}{key} takes "true" or "false", this is {value!r}')


def _strings(statement: Mapping[str, Any], names: tuple[str, str], where: str) -> list[str]:
    values = [value for name in names for value in listed(statement.get(name))]
    for value in values:
        if not isinstance(value, str):
            raise _RefusedError(f"{_SYNTAX} {where}{names[0]} takes strings, this is {json.dumps(value)[:60]}")
    return values


def _near(name: str, known: Sequence[str] | frozenset[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1, 0.7)
    return f"; is {near[0]} meant?" if near else ""


_PRINCIPALS: dict[str, Callable[[str], object]] = {
    "AWS": _AWS_PRINCIPAL.match,
    "Service": _SERVICE_PRINCIPAL.match,
    "Federated": bool,
    "CanonicalUser": bool,
}
