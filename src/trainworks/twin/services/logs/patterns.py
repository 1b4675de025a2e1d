"""Filter patterns: terms, JSON properties and space-delimited fields; matched in time linear in the message.

    ""                                    every event
    ERROR "disk full" -debug              all terms, and not the excluded one      ?ERROR ?WARN    one of them
    %fail(ed|ure)%                        a regular expression
    { $.code = 4* && $.user.id > 7 }      properties of a JSON message
    [ip, user, ..., status = 5*, bytes]   fields separated by blanks, "..." and [...] being one field

After "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail" (CloudWatch
Logs User Guide).
"""

from __future__ import annotations

import json
import operator as operators
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.aws.wildcards import with_stars
from trainworks.twin.lexing import UnreadableError, pieces
from trainworks.twin.linear_regex import UnsupportedPatternError, compile_linear, encodable
from trainworks.twin.ports import ApiError

Fields = Mapping[str, str]
"""What a pattern took out of a message: `$name` of a field or `$.path` of a property, as text."""

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"]+))')
_BARE = re.compile(r"\w+")
_TOKEN = re.compile(
    r'\s*(?:(?P<sign>\(|\)|&&|\|\||>=|<=|!=|=|>|<)|"(?P<text>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]*)%'
    r'|(?P<word>[^\s()"&|=<>!]+(?:\[[^\]]*\])?))'
)
_STEP = re.compile(r"""\.(?:([\w\-@]+)|\*)|\[(\d+|\*|'[^']*'|"[^"]*")\]|\.\[(\d+|\*|'[^']*'|"[^"]*")\]""")
_MOST_DEPTH = 50


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """A compiled pattern: `match` gives the fields of a message that it matches, or None."""

    match: Callable[[str], Fields | None]


def compile_pattern(text: str) -> FilterPattern:
    """Raises `ApiError` `InvalidParameterException`."""
    stripped = text.strip()
    if not stripped:
        return FilterPattern(lambda message: {})
    if stripped.startswith("{"):
        return _json_pattern(stripped)
    if stripped.startswith("["):
        return _field_pattern(stripped)
    return _term_pattern(stripped)


def invalid(reason: str) -> ApiError:
    return ApiError("InvalidParameterException", f"Invalid filter pattern: {reason}")


# -- terms --------------------------------------------------------------------------------------------------------


def _term_pattern(text: str) -> FilterPattern:
    wanted: dict[str, list[Callable[[str], bool]]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid(f"a quotation mark is not closed in '{text[position:].strip()}'")
        sign, quoted, regex, bare = found.groups()
        if bare is not None and not _BARE.fullmatch(bare):
            raise invalid(f"Invalid character(s) in term '{bare}'; write it in quotation marks")
        term = _unescaped(quoted) if quoted is not None else bare
        wanted[sign].append(_searches(regex) if regex is not None else _contains(term))
        position = found.end()
        position += len(text[position:]) - len(text[position:].lstrip())
    required, optional, excluded = wanted[""], wanted["?"], wanted["-"]

    def match(message: str) -> Fields | None:
        if any(each(message) for each in excluded) or not all(each(message) for each in required):
            return None
        # Optional terms next to required ones have no effect, as on AWS.
        return {} if required or not optional or any(each(message) for each in optional) else None

    return FilterPattern(match)


def _contains(term: str) -> Callable[[str], bool]:
    return lambda message: term in message


def _searches(regex: str) -> Callable[[str], bool]:
    try:
        compiled = compile_linear(regex)
    except UnsupportedPatternError as error:
        raise invalid(f"the regular expression '{regex}': {error}") from None
    return lambda message: compiled.search(encodable(message)) is not None


# -- conditions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Value:
    """The right side of a comparison: text with wildcards, or a number, or a regular expression."""

    text: str
    is_regex: bool = False

    def test(self, operator: str) -> Callable[[Any], bool]:
        """Whether a value that was found compares; what is not there is None."""
        if operator in ("<", ">", "<=", ">="):
            limit = _number(self.text)
            if limit is None:
                raise invalid(f"'{operator}' compares numbers, not '{self.text}'")
            return lambda value: (number := _number(value)) is not None and _compares(number, operator, limit)
        equal = self._equal()
        return equal if operator == "=" else lambda value: value is not None and not equal(value)

    def _equal(self) -> Callable[[Any], bool]:
        if self.is_regex:
            searches = _searches(self.text)
            return lambda value: value is not None and searches(_shown(value))
        number = _number(self.text)
        wildcards = with_stars(self.text) if "*" in self.text else None

        def equal(value: Any) -> bool:
            if value is None:
                return False
            if number is not None and (found := _number(value)) is not None:
                return found == number
            shown = _shown(value)
            return wildcards.matches(shown) if wildcards is not None else shown == self.text

        return equal


_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operators.lt,
    ">": operators.gt,
    "<=": operators.le,
    ">=": operators.ge,
}


def _compares(value: float, operator: str, limit: float) -> bool:
    return _ORDER[operator](value, limit)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


Condition = Callable[[Mapping[str, Any]], bool]


class _Conditions:
    """Reads `a = 1 && (b < 2 || c != x*)`; `resolve` makes a reader of the left sides."""

    def __init__(self, text: str, resolve: Callable[[str], Callable[[Mapping[str, Any]], Any]]) -> None:
        self._tokens = _tokens(text)
        self._text = text
        self._resolve = resolve
        self._place = 0
        self._depth = 0

    def read(self) -> Condition:
        condition = self._either()
        if self._place < len(self._tokens):
            raise invalid(f"'{self._tokens[self._place][1]}' is not expected in '{self._text}'")
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._taken("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda source: any(part(source) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._taken("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda source: all(part(source) for part in parts)

    def _one(self) -> Condition:
        if self._taken("("):
            self._depth += 1
            if self._depth > _MOST_DEPTH:
                raise invalid("it is nested too deep")
            inside = self._either()
            if not self._taken(")"):
                raise invalid(f"a parenthesis is not closed in '{self._text}'")
            return inside
        left = self._resolve(self._word("a property"))
        kind, operator = self._next("an operator")
        if kind == "word":
            return self._state(left, operator.upper())
        if operator in ("(", ")", "&&", "||"):
            raise invalid(f"'{operator}' is not a comparison in '{self._text}'")
        kind, text = self._next("a value")
        if kind == "sign":
            raise invalid(f"'{text}' is not a value in '{self._text}'")
        test = _Value(text, kind == "regex").test(operator)
        return lambda source: test(left(source))

    def _state(self, left: Callable[[Mapping[str, Any]], Any], word: str) -> Condition:
        following = self._word("IS TRUE, IS FALSE, IS NULL or NOT EXISTS").upper()
        if (word, following) == ("NOT", "EXISTS"):
            return lambda source: left(source) is None
        states = {"TRUE": True, "FALSE": False, "NULL": _NULL}
        if word != "IS" or following not in states:
            raise invalid(f"'{word} {following}' is not a condition in '{self._text}'")
        wanted = states[following]
        return lambda source: left(source) is wanted

    def _next(self, what: str) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise invalid(f"{what} is missing at the end of '{self._text}'")
        self._place += 1
        return self._tokens[self._place - 1]

    def _word(self, what: str) -> str:
        kind, text = self._next(what)
        if kind != "word":
            raise invalid(f"{what} is expected, not '{text}', in '{self._text}'")
        return text

    def _taken(self, sign: str) -> bool:
        if self._place < len(self._tokens) and self._tokens[self._place] == ("sign", sign):
            self._place += 1
            return True
        return False


class _Null:
    """JSON's null, which is something other than no property at all."""


_NULL = _Null()
_ABSENT = _Null()


def _tokens(text: str) -> list[tuple[str, str]]:
    try:
        return [_token(found) for found in pieces(_TOKEN, text)]
    except UnreadableError as error:
        raise invalid(f"'{error}' cannot be read") from None


def _token(found: re.Match[str]) -> tuple[str, str]:
    kind = str(found.lastgroup)
    return kind, _unescaped(found[kind]) if kind == "text" else found[kind]


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


# -- JSON ---------------------------------------------------------------------------------------------------------


def _json_pattern(text: str) -> FilterPattern:
    if not text.endswith("}"):
        raise invalid(f"the brace of '{text}' is not closed")
    condition = _Conditions(text[1:-1], property_of).read()

    def match(message: str) -> Fields | None:
        start = message.find("{")
        if start < 0:
            return None
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return None
        return _JsonFields(document) if isinstance(document, dict) and condition(document) else None

    return FilterPattern(match)


class _JsonFields(dict[str, str]):
    """Properties by selector, looked up when somebody asks."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self._document = document

    def __missing__(self, selector: str) -> str:
        value = property_of(selector)(self._document) if selector.startswith("$.") else None
        if value is None or value is _NULL:
            raise KeyError(selector)
        return _shown(value)

    def get(self, selector: str, default: Any = None) -> Any:
        try:
            return self[selector]
        except KeyError:
            return default


def property_of(selector: str) -> Callable[[Mapping[str, Any]], Any]:
    """A reader of `$.a.b[0]`; of several elements (`[*]`) the first. Raises `ApiError` if it is not a selector."""
    if not selector.startswith("$"):
        raise invalid(f"the property '{selector}' has to begin with $.")
    steps: list[str | int] = []
    position = 1
    while position < len(selector):
        found = _STEP.match(selector, position)
        if found is None:
            raise invalid(f"'{selector}' is not a property selector")
        name, index = found[1], found[2] or found[3]
        if name is None and index is None:
            index = "*"
        steps.append(name if name is not None else 0 if index == "*" else _index(index))
        position = found.end()

    def read(document: Mapping[str, Any]) -> Any:
        value: Any = document
        for step in steps:
            if isinstance(step, str) and isinstance(value, dict):
                value = value.get(step, _ABSENT)
            elif isinstance(step, int) and isinstance(value, list):
                value = value[step] if step < len(value) else _ABSENT
            else:
                return None
        if value is _ABSENT:
            return None
        return _NULL if value is None else value

    return read


def _index(text: str) -> str | int:
    return text[1:-1] if text[0] in "'\"" else int(text)


# -- fields -------------------------------------------------------------------------------------------------------


def _field_pattern(text: str) -> FilterPattern:
    if not text.endswith("]"):
        raise invalid(f"the bracket of '{text}' is not closed")
    parts = [part.strip() for part in _split_fields(text[1:-1])]
    if parts.count("...") > 1:
        raise invalid("'...' can stand for fields once only")
    names: list[str] = []
    conditions: list[Condition] = []
    for part in parts:
        word = re.match(r"[^\s=!<>&|,]*", part)
        name = word[0] if word else ""
        names.append(name)
        if part not in ("...", name):
            conditions.append(_Conditions(part, _reader_of_field).read())
    gap = names.index("...") if "..." in names else -1

    def match(message: str) -> Fields | None:
        values = split_message(message)
        if gap < 0 and len(values) != len(names):
            return None
        if gap >= 0 and len(values) < len(names) - 1:
            return None
        behind = len(names) - gap - 1
        pairs = (
            zip(names, values, strict=True)
            if gap < 0
            else [
                *zip(names[:gap], values, strict=False),
                *zip(names[gap + 1 :], values[len(values) - behind :], strict=True),
            ]
        )
        fields = {f"${name or place}": value for place, (name, value) in enumerate(pairs, 1)}
        return fields if all(condition(fields) for condition in conditions) else None

    return FilterPattern(match)


def _reader_of_field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda fields: fields.get(f"${name}")


def _split_fields(text: str) -> list[str]:
    parts, start, quoted = [], 0, False
    for place, letter in enumerate(text):
        if letter == '"' and text[place - 1 : place] != "\\":
            quoted = not quoted
        elif letter == "," and not quoted:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def split_message(message: str) -> list[str]:
    """The fields of a message: words, and what stands in quotation marks or brackets as one."""
    values: list[str] = []
    position, length = 0, len(message)
    closings = {'"': '"', "[": "]"}
    while position < length:
        letter = message[position]
        if letter.isspace():
            position += 1
            continue
        closing = closings.get(letter)
        end = message.find(closing, position + 1) if closing else -1
        if closing and end < 0:
            del closings[letter]  # looked for once: it is nowhere behind
        if end >= 0:
            values.append(message[position + 1 : end])
            position = end + 1
            continue
        end = position
        while end < length and not message[end].isspace():
            end += 1
        values.append(message[position:end])
        position = end
    return values
