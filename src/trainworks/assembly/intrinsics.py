"""CloudFormation's intrinsic functions over values that are already resolved. Pure: text and lists in, values out.

An argument of the wrong form raises `IntrinsicError`; an argument that nobody knows yet makes the result `Unknown`.
Source: the intrinsic function reference of the CloudFormation user guide.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import Any

from trainworks.assembly.physical_ids import TOKEN
from trainworks.aws.unknown import Unknown


class IntrinsicError(ValueError):
    """A function was given what it cannot work on."""


MAX_TEXT = 1_000_000
"""Characters that a function may make: no property takes as many, and functions inside functions multiply them."""

_MAX_BLOCKS = 256
_SHOWN = 40


def shortened(value: Any) -> str:
    """A value for a message."""
    text = str(value) if not isinstance(value, int) or abs(value) < 10**_SHOWN else "a number of many digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def text_of(value: Any) -> str:
    """A scalar as the text that CloudFormation makes of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict) or value is None:
        raise IntrinsicError(f"{json.dumps(value)} is not text")
    return value if isinstance(value, str) else str(value)


def concatenated(parts: Sequence[Any], delimiter: str = "") -> str:
    """The parts as one text, Unknown if one of them is."""
    texts = [text_of(part) for part in parts]
    if sum(map(len, texts)) + len(delimiter) * len(texts) > MAX_TEXT:
        return Unknown(f"a text of more than {MAX_TEXT:,} characters")  # which `expansion` has a flaw for
    joined = delimiter.join(texts)
    return Unknown(joined) if any(isinstance(text, Unknown) for text in texts) else joined


def join(argument: Any) -> Any:
    delimiter, parts = _arguments("Fn::Join", argument, 2)
    if isinstance(parts, Unknown):
        return parts
    if not isinstance(delimiter, str) or not isinstance(parts, list):
        raise IntrinsicError("Fn::Join takes a delimiter and a list")
    return concatenated(parts, delimiter)


def split(argument: Any) -> Any:
    delimiter, text = _arguments("Fn::Split", argument, 2)
    if not isinstance(delimiter, str) or not delimiter or not isinstance(text, str):
        raise IntrinsicError("Fn::Split takes a delimiter and a text")
    if isinstance(text, Unknown):
        return Unknown(text)
    return text.split(delimiter)


def select(argument: Any) -> Any:
    index, values = _arguments("Fn::Select", argument, 2)
    if isinstance(values, Unknown) or isinstance(index, Unknown):
        return Unknown(f"one of {values}")
    if not isinstance(values, list) or not str(index).isdecimal() or len(str(index)) > 9:
        raise IntrinsicError("Fn::Select takes an index and a list")
    if int(index) >= len(values):
        if any(TOKEN.search(str(each)) for each in values):
            return Unknown(f"one of {values}")  # parts of a made-up id; the form of the real one is not known
        raise IntrinsicError(f"Fn::Select asks for member {index} of a list of {len(values)}")
    return values[int(index)]


def cidr(argument: Any) -> Any:
    block, count, *bits = argument if isinstance(argument, list) and len(argument) in {2, 3} else (None, None)
    given = [block, count, *bits]
    if any(isinstance(each, Unknown) for each in given):
        return Unknown("{{Fn::Cidr}}")
    if not str(count).isdecimal() or len(str(count)) > 3 or not 1 <= int(str(count)) <= _MAX_BLOCKS:
        raise IntrinsicError(f"Fn::Cidr gives 1 to {_MAX_BLOCKS} blocks, not {shortened(count)}")
    try:
        network = ipaddress.ip_network(str(block))
        size = int(bits[0]) if bits else 8
        subnets = network.subnets(new_prefix=network.max_prefixlen - size)
        return [str(next(subnets)) for _ in range(int(str(count)))]
    except (ValueError, TypeError, StopIteration) as error:
        raise IntrinsicError(f"Fn::Cidr cannot divide {block} into {count} blocks") from error


def length(argument: Any) -> Any:
    if isinstance(argument, Unknown):
        return Unknown("{{Fn::Length}}")
    if not isinstance(argument, list):
        raise IntrinsicError("Fn::Length takes a list")
    return len(argument)


def to_json_string(argument: Any) -> str:
    written = json.dumps(argument, separators=(",", ":"))
    return Unknown(written) if _has_unknown(argument) else written


def base64(argument: Any) -> str:
    """The text itself, not its encoding: those who read a graph want to know what it says."""
    return argument if isinstance(argument, str) else text_of(argument)


PURE = {
    "Fn::Join": join,
    "Fn::Split": split,
    "Fn::Select": select,
    "Fn::Cidr": cidr,
    "Fn::Length": length,
    "Fn::ToJsonString": to_json_string,
    "Fn::Base64": base64,
}
"""Functions that need nothing but their resolved argument."""


def both(values: Sequence[bool | None]) -> bool | None:
    """`Fn::And` of conditions that may be undecided (None)."""
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def either(values: Sequence[bool | None]) -> bool | None:
    """`Fn::Or` of conditions that may be undecided."""
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def equal(argument: Any) -> bool | None:
    """`Fn::Equals`; undecided if one side is Unknown."""
    first, second = _arguments("Fn::Equals", argument, 2)
    if _has_unknown(first) or _has_unknown(second):
        return None
    if isinstance(first, list | dict) or isinstance(second, list | dict):
        return bool(first == second)
    return text_of(first) == text_of(second)


def _arguments(function: str, argument: Any, count: int) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != count:
        raise IntrinsicError(f"{function} takes a list of {count}")
    return argument


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(_has_unknown(each) for each in value)
    return isinstance(value, Unknown)
