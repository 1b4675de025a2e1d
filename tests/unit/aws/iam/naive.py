"""IAM's rules a second time, as plainly as they can be written: the judge of `trainworks.aws.iam` in its tests.

Shares no code with it: documents stay dictionaries, patterns are tried by every way to split the text, and each layer
of policies is asked for in the order in which AWS's flow chart has them.
"""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

MISSING = object()


def fits(pattern: list[Any], text: str) -> bool:
    """`pattern` is a list of characters and of ("any",) and ("one",)."""
    reachable = {0}
    for part in pattern:
        if part == ("any",):
            reachable = set(range(min(reachable, default=len(text) + 1), len(text) + 1))
        elif part == ("one",):
            reachable = {at + 1 for at in reachable if at < len(text)}
        else:
            reachable = {at + 1 for at in reachable if at < len(text) and text[at] == part}
    return len(text) in reachable


def spelled(value: str, context: dict[str, Any], variables: bool, wild: bool) -> list[Any] | None:
    """A policy's value as such a list; None where a variable has no value."""
    out: list[Any] = []
    at = 0
    while at < len(value):
        end = value.find("}", at) if variables and value.startswith("${", at) else -1
        inside = value[at + 2 : end]
        if end > 0 and "{" not in inside and inside != "":
            at = end + 1
            if inside in ("*", "?", "$"):
                out.append(inside)
                continue
            key, comma, default = inside.partition(",")
            found = context.get(key.strip().lower())
            if isinstance(found, str):
                out += list(found)
            elif comma:
                out += list(default.strip().strip("'"))
            else:
                return None
            continue
        sign = value[at]
        out.append(("any",) if wild and sign == "*" else ("one",) if wild and sign == "?" else sign)
        at += 1
    return out


def number(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def moment(text: str) -> Fraction | None:
    seconds = number(text)
    if seconds is not None:
        return seconds
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Fraction((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


def compared(  # noqa: PLR0911, PLR0912 - one line an operator
    operator: str, actual: str, wanted: str, context: dict[str, Any], variables: bool
) -> bool:
    """One value of the request against one of the policy, for the affirmative operator."""
    textual = operator.startswith(("String", "Arn"))
    wild = operator in ("StringLike", "ArnEquals", "ArnLike")
    pattern = spelled(wanted, context, variables and textual, wild)
    if pattern is None:
        return False
    if operator.startswith("Arn"):
        pieces: list[list[Any]] = [[]]
        for part in pattern:
            if part == ":" and len(pieces) < 6:
                pieces.append([])
            else:
                pieces[-1].append(part)
        given = actual.split(":", 5)
        if len(pieces) < 6:
            return fits(pattern, actual)
        return len(given) == 6 and all(fits(piece, text) for piece, text in zip(pieces, given, strict=True))
    if operator == "StringLike":
        return fits(pattern, actual)
    plain = "".join("*" if part == ("any",) else "?" if part == ("one",) else part for part in pattern)
    if operator == "StringEquals":
        return actual == plain
    if operator == "StringEqualsIgnoreCase":
        return actual.casefold() == plain.casefold()
    if operator == "Bool":
        return actual.lower() == plain.lower()
    if operator == "BinaryEquals":
        try:
            return base64.b64decode(actual, validate=True) == base64.b64decode(plain, validate=True)
        except ValueError:
            return False
    if operator == "IpAddress":
        try:
            return ipaddress.ip_address(actual) in ipaddress.ip_network(plain, strict=False)
        except ValueError:
            return False
    read = number if operator.startswith("Numeric") else moment
    left, right = read(actual), read(plain)
    if left is None or right is None:
        return False
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[operator.removeprefix("Numeric").removeprefix("Date")]


def affirmative(operator: str) -> tuple[str, bool]:
    return (operator.replace("Not", "", 1), True) if "Not" in operator else (operator, False)


def condition_holds(operator: str, key: str, wanted: Any, context: dict[str, Any], variables: bool) -> bool:
    wanted = wanted if isinstance(wanted, list) else [wanted]
    actual = context.get(key.lower(), MISSING)
    if actual == [] or actual is None:
        actual = MISSING
    if operator == "Null":
        return any(str(each).lower() == ("true" if actual is MISSING else "false") for each in wanted)
    quantifier, colon, rest = operator.partition(":")
    if not colon:
        quantifier, rest = "", operator
    if_exists = rest.endswith("IfExists")
    base, negated = affirmative(rest.removesuffix("IfExists"))
    if actual is MISSING:
        if if_exists:
            return True
        return {"ForAllValues": True, "ForAnyValue": False, "": negated}[quantifier]
    values = actual if isinstance(actual, list) else [actual]

    def fits_one(value: str) -> bool:
        hits = [compared(base, value, str(each), context, variables) for each in wanted]
        return not any(hits) if negated else any(hits)

    if quantifier == "ForAllValues" or (not quantifier and negated):
        return all(fits_one(value) for value in values)
    return any(fits_one(value) for value in values)


def statement_applies(
    statement: dict[str, Any], action: str, resource: str, context: dict[str, Any], variables: bool
) -> bool:
    def as_list(value: Any) -> list[str]:
        return value if isinstance(value, list) else [value]

    def action_in(name: str) -> bool:
        return any(
            fits(spelled(each.lower(), {}, False, True) or [], action.lower()) for each in as_list(statement[name])
        )

    def resource_in(name: str) -> bool:
        patterns = [spelled(each, context, variables, True) for each in as_list(statement[name])]
        return any(pattern is not None and fits(pattern, resource) for pattern in patterns)

    if not (action_in("Action") if "Action" in statement else not action_in("NotAction")):
        return False
    if "Resource" in statement and not resource_in("Resource"):
        return False
    if "NotResource" in statement:
        unresolved = any(spelled(each, context, variables, True) is None for each in as_list(statement["NotResource"]))
        if resource_in("NotResource") or (unresolved and statement["Effect"] == "Allow"):
            return False
    return all(
        condition_holds(operator, key, wanted, context, variables)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def applying(document: dict[str, Any], effect: str, *request: Any) -> list[dict[str, Any]]:
    statements = document["Statement"]
    variables = document.get("Version") == "2012-10-17"
    return [
        each
        for each in (statements if isinstance(statements, list) else [statements])
        if each["Effect"] == effect and statement_applies(each, *request, variables)
    ]


def named(statement: dict[str, Any], who: dict[str, str]) -> str:
    """How a statement of a resource's policy names the caller: itself, broad (its role, everyone), account, or not."""
    element = statement.get("Principal", statement.get("NotPrincipal"))
    names = ["*"] if element == "*" else element.get("AWS", [])
    names = names if isinstance(names, list) else [names]
    account = [who["account"], f"arn:aws:iam::{who['account']}:root"]
    if "NotPrincipal" in statement:
        needed = [[who["arn"]], account, *([[who["role"]]] if who["role"] else [])]
        if who["kind"] == "root":
            needed = [account]
        return "no" if "*" in names or all(set(each) & set(names) for each in needed) else "broad"
    if who["kind"] != "root" and who["arn"] in names:
        return "itself"
    if "*" in names or (who["role"] and who["role"] in names):
        return "broad"
    if set(account) & set(names):
        return "broad" if who["kind"] == "root" else "account"
    return "no"


def allowed(  # noqa: PLR0911 - a flow chart
    who: dict[str, str], action: str, resource: str, context: dict[str, Any], policies: dict[str, Any]
) -> bool:
    """`policies`: identity (list), boundary, session (list), resource, resource_account, must_allow; None is absent."""
    request = (action, resource, context)
    identity = [] if who["kind"] == "root" else policies["identity"]
    layers = [*identity, *(policies["session"] or []), *([policies["boundary"]] if policies["boundary"] else [])]
    if any(applying(document, "Deny", *request) for document in layers):
        return False
    document = policies["resource"]
    if document and any(named(each, who) != "no" for each in applying(document, "Deny", *request)):
        return False
    grants = {named(each, who) for each in applying(document, "Allow", *request)} if document else set()
    own = who["kind"] == "root" or any(applying(each, "Allow", *request) for each in identity)
    limits = []
    if policies["boundary"]:
        limits.append(bool(applying(policies["boundary"], "Allow", *request)))
    if policies["session"] is not None:
        limits.append(any(applying(each, "Allow", *request) for each in policies["session"]))
    within = all(limits)
    if document and policies["resource_account"] != who["account"]:
        return bool(grants - {"no"}) and own and within
    if "itself" in grants:
        return True
    if "broad" in grants:
        return within
    if document and policies["must_allow"] and "account" not in grants:
        return False
    return own and within


def passes(  # noqa: PLR0917
    who: dict[str, str], action: str, resource: str, context: dict[str, Any], document: dict[str, Any], gateway: bool
) -> bool:
    """Whether the policy of a VPC endpoint lets a request through, which grants nothing by that."""
    request = (action, resource, context)
    if any(named(each, who) != "no" for each in applying(document, "Deny", *request)):
        return False
    grants = {named(each, who) for each in applying(document, "Allow", *request)}
    return bool(grants & ({"itself", "broad"} if gateway else {"itself", "broad", "account"}))
