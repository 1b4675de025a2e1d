"""The form of each intrinsic function's argument, and what CloudFormation says to any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.assembly.flaw import Flaw, Where

_SUB_NAME = re.compile(r"\$\{([^${}]*)\}")
_SUB_NAME_FORM = re.compile(r"!.*|[A-Za-z0-9_.: -]+", re.DOTALL)
_MAX_OPEN = 20
_SUPPORTED = (
    "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, "
    "Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, "
    "Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr"
)


def form_flaw(name: str, argument: Any, where: Where) -> Flaw | None:
    """What is wrong with the argument of a function, or with its name."""
    if name not in FUNCTIONS:
        said = f"Encountered unsupported function: {name} Supported functions are: [{_SUPPORTED}]"
        message = f"{name} is not a function that is known"
        return Flaw(where, message, "correct its name", f"Template format error: {said}")
    holds, takes, said = FUNCTIONS[name]
    if holds(argument):
        return None
    message = f"{name} cannot be resolved: {name} takes {takes}"
    return Flaw(where, message, "see the intrinsic function's reference", f"Template error: {said}")


def _is_call(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))).startswith(("Fn::", "Ref"))


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _list_of(least: int, most: int | None = None) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and least <= len(value) <= (most or least)


def _join(value: Any) -> bool:
    return _list_of(2)(value) and isinstance(value[0], str) and (isinstance(value[1], list) or _is_call(value[1]))


def _split(value: Any) -> bool:
    return _list_of(2)(value) and isinstance(value[0], str) and (_is_text(value[1]) or _is_call(value[1]))


def _select(value: Any) -> bool:
    if not _list_of(2)(value) or not (isinstance(value[1], list) or _is_call(value[1])):
        return False
    return _is_call(value[0]) or (not isinstance(value[0], bool) and str(value[0]).isdigit())


def _get_att(value: Any) -> bool:
    if isinstance(value, str):
        logical_id, _, attribute = value.partition(".")
        return bool(logical_id and attribute)
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str) or not value[0]:
        return False
    return _is_call(value[1]) or (isinstance(value[1], str) and bool(value[1]))


def _sub(value: Any) -> bool:
    if isinstance(value, list):
        if len(value) != 2 or not isinstance(value[0], str) or not isinstance(value[1], Mapping):
            return False
        value = value[0]
    if not isinstance(value, str):
        return False
    names = _SUB_NAME.findall(value)
    # Many that are never closed cost stock's pattern a time that grows with their square.
    return value.count("${") <= len(names) + _MAX_OPEN and all(_SUB_NAME_FORM.fullmatch(name) for name in names)


def _if(value: Any) -> bool:
    return _list_of(3)(value) and isinstance(value[0], str)


def _find_in_map(value: Any) -> bool:
    return _list_of(3, 4)(value) and all(_is_text(each) or _is_call(each) for each in value[:3])


def _cidr(value: Any) -> bool:
    return _list_of(2, 3)(value) and all(_is_text(each) or _is_call(each) for each in value)


def _text_or_call(value: Any) -> bool:
    return _is_text(value) or _is_call(value)


def _anything(value: Any) -> bool:
    return True


FUNCTIONS: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "Ref": (lambda value: isinstance(value, str), "a name", "every Ref object must have a single String value."),
    "Fn::GetAtt": (
        _get_att,
        "a logical id and an attribute",
        "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
    ),
    "Fn::Sub": (
        _sub,
        "a text, or a text and an object, with names in ${}",
        "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, "
        "and an optional second argument to specify a mapping of values to replace in the string",
    ),
    "Fn::Join": (
        _join,
        "a list of 2",
        "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined "
        "or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
    ),
    "Fn::Split": (
        _split,
        "a delimiter and a text",
        "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a "
        "function that returns a string to be split.",
    ),
    "Fn::Select": (
        _select,
        "an index and a list",
        "Fn::Select requires a list argument with two elements: an integer index and a list",
    ),
    "Fn::If": (
        _if,
        "a condition's name and two values",
        "Fn::If requires a list argument with the first element being a condition",
    ),
    "Fn::FindInMap": (
        _find_in_map,
        "a map's name and two keys",
        "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return "
        "value",
    ),
    "Fn::Cidr": (
        _cidr,
        "a block, a count and bits",
        "every Fn::Cidr object requires two or three parameters, the ip block, the count and the cidr bits",
    ),
    "Fn::Base64": (_text_or_call, "a text", "every Fn::Base64 object must have a String-typed value."),
    "Fn::GetAZs": (_text_or_call, "a region", "every Fn::GetAZs object must have a String-typed value."),
    "Fn::ImportValue": (_text_or_call, "a name", "the attribute in Fn::ImportValue must be a string or a function"),
    "Fn::Equals": (_list_of(2), "two values", "every Fn::Equals object requires a list of 2 string parameters."),
    "Fn::And": (
        _list_of(2, 10),
        "2 to 10 conditions",
        "every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
    ),
    "Fn::Or": (
        _list_of(2, 10),
        "2 to 10 conditions",
        "every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.",
    ),
    "Fn::Not": (
        _list_of(1),
        "one condition",
        "every Fn::Not object requires a list with exactly 1 boolean parameter.",
    ),
    "Fn::Length": (_anything, "a list", ""),
    "Fn::ToJsonString": (_anything, "an object or a list", ""),
    "Fn::GetStackOutput": (_anything, "a stack and an output", ""),
    "Fn::Contains": (_anything, "", ""),
    "Fn::EachMemberEquals": (_anything, "", ""),
    "Fn::EachMemberIn": (_anything, "", ""),
    "Fn::RefAll": (_anything, "", ""),
    "Fn::ValueOf": (_anything, "", ""),
    "Fn::ValueOfAll": (_anything, "", ""),
}
"""name -> (whether an argument has its form, what it takes, what CloudFormation says otherwise)."""
