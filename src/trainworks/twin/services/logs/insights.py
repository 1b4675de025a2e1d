"""Logs Insights QL, the part that is executed: `fields`, `display`, `filter`, `parse`, `stats ... by`, `sort`, `limit`.

    fields @timestamp, @message | filter level = "ERROR" and code >= 500 | sort @timestamp desc | limit 20
    stats count(*) as n, avg(loss) by bin(5m)

Anything else is refused with `MalformedQueryException` that names it. Regular expressions are matched in linear time.
After "CloudWatch Logs Insights language query syntax" (CloudWatch Logs User Guide).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainworks.twin.lexing import UnreadableError, pieces
from trainworks.twin.linear_regex import LinearPattern, UnsupportedPatternError, compile_linear, encodable
from trainworks.twin.numerals import whole_number
from trainworks.twin.ports import ApiError

MAX_ROWS = 10_000
_KEPT_BYTES = 32 * 1024 * 1024
_MAX_GROUPS = 10_000
_MAX_FIELDS = 200
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n?|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<regex>/(?:\\.|[^/\\\n])+/i?)"""
    r"""|`(?P<quoted>[^`]+)`|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))|(?P<word>[@\w][\w.@-]*)"""
    r"""|(?P<sign>\|\||&&|>=|<=|!=|=~|[|=<>(),\[\]*]))"""
)
_BIN = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_BIN_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

Record = Mapping[str, Any]
Test = Callable[[Record], bool]


def malformed(reason: str) -> ApiError:
    return ApiError(
        "MalformedQueryException", f"{reason}. See docs/reference/fidelity.md for what of Logs Insights is executed."
    )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One function of `stats`, over a field or over all events."""

    function: str
    field: str
    shown_as: str


@dataclass(slots=True)
class Query:
    """A parsed query. `stages` filter and extend records, in order; the rest says what becomes of them."""

    stages: list[Callable[[dict[str, Any]], bool]] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    by: list[tuple[str, int, str]] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None


def parse(text: str) -> Query:
    """Raises `ApiError` `MalformedQueryException`."""
    return _Parser(text).query()


def run(query: Query, records: Iterable[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """The rows of a query over records (oldest first): what is shown, newest first where nothing else is said."""
    limit = min(query.limit or limit, MAX_ROWS)
    chosen = (record for record in records if all(stage(record) for stage in query.stages))
    if query.aggregates:
        rows = _aggregated(query, chosen)
        return _sorted(rows, query.order)[:limit]
    order = query.order or [("@timestamp", True)]
    shown = query.shown or [("@timestamp", "@timestamp"), ("@message", "@message")]
    kept: list[tuple[list[Any], dict[str, Any]]] = []
    size = 0
    for record in chosen:
        row = {alias: record[name] for name, alias in shown if record.get(name) is not None}
        row["@ptr"] = record["@ptr"]
        kept.append(([record.get(name) for name, _ in order], row))
        size += sum(len(str(value)) for value in row.values())
        if len(kept) > 2 * limit or size > 2 * _KEPT_BYTES:
            kept, size = _cut(kept, order, limit)
    return [row for _, row in _cut(kept, order, limit)[0]]


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JSON message as Insights discovers them: nested ones with dots, at most 200."""
    found: dict[str, Any] = {}
    open_values: list[tuple[str, Any]] = list(document.items())[::-1]
    while open_values and len(found) < _MAX_FIELDS:
        name, value = open_values.pop()
        if isinstance(value, dict):
            open_values += [(f"{name}.{key}", each) for key, each in reversed(value.items())]
        elif isinstance(value, list):
            open_values += [(f"{name}.{place}", each) for place, each in enumerate(value)][::-1]
        elif value is not None:
            found[name] = value
    return found


# -- rows ---------------------------------------------------------------------------------------------------------


def _cut(
    kept: list[tuple[list[Any], dict[str, Any]]], order: Sequence[tuple[str, bool]], limit: int
) -> tuple[list[tuple[list[Any], dict[str, Any]]], int]:
    """The first rows in order, within the limit of rows and of memory."""
    for place in reversed(range(len(order))):
        kept.sort(key=lambda each: _sort_key(each[0][place]), reverse=order[place][1])
    size = 0
    for count, (_, row) in enumerate(kept[:limit]):
        size += sum(len(str(value)) for value in row.values())
        if size > _KEPT_BYTES:
            return kept[: max(count, 1)], size
    return kept[:limit], size


def _sorted(rows: list[dict[str, Any]], order: Sequence[tuple[str, bool]]) -> list[dict[str, Any]]:
    for name, descending in reversed(order):
        rows.sort(key=lambda row: _sort_key(row.get(name)), reverse=descending)
    return rows


def _sort_key(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    number = as_number(value)
    return (1, number, "") if number is not None else (2, 0.0, str(value))


def as_number(value: Any) -> float | None:
    """A number, or what reads as one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _aggregated(query: Query, records: Iterable[Record]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[_State]] = {}
    for record in records:
        key = tuple(_bin(record.get(name), width) for name, width, _ in query.by)
        if key not in groups:
            if len(groups) >= _MAX_GROUPS:
                raise malformed(f"stats makes more than {_MAX_GROUPS} groups")
            groups[key] = [_State(each) for each in query.aggregates]
        for state in groups[key]:
            state.add(record)
    if not groups and not query.by:
        groups[()] = [_State(each) for each in query.aggregates]
    rows = []
    for key, states in groups.items():
        row = {alias: value for (_, _, alias), value in zip(query.by, key, strict=True) if value is not None}
        rows.append(row | {each.aggregate.shown_as: value for each in states if (value := each.value()) is not None})
    return rows


class Moment(int):
    """Milliseconds since the epoch, which are shown as a time."""


def _bin(value: Any, width_ms: int) -> Any:
    return value if not width_ms or value is None else Moment(int(value) // width_ms * width_ms)


class _State:
    """One aggregate of one group, as far as it was read."""

    def __init__(self, aggregate: Aggregate) -> None:
        self.aggregate = aggregate
        self._count = 0
        self._sum = 0.0
        self._least: float | None = None
        self._most: float | None = None
        self._distinct: set[str] = set()

    def add(self, record: Record) -> None:
        if self.aggregate.field == "*":
            self._count += 1
            return
        value = record.get(self.aggregate.field)
        if value is None:
            return
        if self.aggregate.function == "count":
            self._count += 1
        elif self.aggregate.function == "count_distinct":
            if len(self._distinct) < _MAX_GROUPS:
                self._distinct.add(str(value)[:1000])
        elif (number := as_number(value)) is not None:
            self._count += 1
            self._sum += number
            self._least = number if self._least is None else min(self._least, number)
            self._most = number if self._most is None else max(self._most, number)

    def value(self) -> float | int | None:
        function = self.aggregate.function
        if function == "count":
            return self._count
        if function == "count_distinct":
            return len(self._distinct)
        if not self._count:
            return None
        return {"sum": self._sum, "avg": self._sum / self._count, "min": self._least, "max": self._most}[function]


# -- reading ------------------------------------------------------------------------------------------------------


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0

    def query(self) -> Query:
        query = Query()
        while True:
            command = self._word("a command").lower()
            read = {
                "fields": self._fields,
                "display": self._fields,
                "filter": self._filter,
                "parse": self._parse,
                "stats": self._stats,
                "sort": self._sort,
                "limit": self._limit,
                "head": self._limit,
            }.get(command)
            if read is None:
                raise malformed(f"trainworks does not execute the command '{command}'")
            read(query)
            if self._place >= len(self._tokens):
                return query
            if not self._takes("sign", "|"):
                raise malformed(f"'{self._tokens[self._place][1]}' is not expected after '{command}'")

    def _fields(self, query: Query) -> None:
        query.shown = []
        while True:
            name = self._name()
            query.shown.append((name, self._alias() or name))
            if not self._takes("sign", ","):
                return

    def _filter(self, query: Query) -> None:
        query.stages.append(self._either())

    def _limit(self, query: Query) -> None:
        kind, text = self._next("a number")
        most = whole_number(text) if kind == "number" else None
        if most is None or not 1 <= most <= MAX_ROWS:
            raise malformed(f"limit takes a number from 1 to {MAX_ROWS}, not '{text}'")
        query.limit = most

    def _sort(self, query: Query) -> None:
        while True:
            name, descending = self._name(), False
            if self._takes("word", "desc"):
                descending = True
            else:
                self._takes("word", "asc")
            query.order.append((name, descending))
            if not self._takes("sign", ","):
                return

    def _stats(self, query: Query) -> None:
        if query.aggregates:
            raise malformed("trainworks executes one stats command in a query")
        while True:
            query.aggregates.append(self._aggregate())
            if not self._takes("sign", ","):
                break
        if self._takes("word", "by"):
            while True:
                query.by.append(self._group())
                if not self._takes("sign", ","):
                    return

    def _aggregate(self) -> Aggregate:
        function = self._word("a function").lower()
        if function not in ("count", "count_distinct", "sum", "avg", "min", "max"):
            raise malformed(f"trainworks does not execute the function '{function}' of stats")
        self._expect("(")
        name = "*" if self._takes("sign", "*") or self._peek() == ("sign", ")") else self._name()
        self._expect(")")
        if name == "*" and function != "count":
            raise malformed(f"{function} takes a field")
        return Aggregate(function, name, self._alias() or f"{function}({name})")

    def _group(self) -> tuple[str, int, str]:
        name = self._name()
        if name.lower() != "bin" or not self._takes("sign", "("):
            return name, 0, self._alias() or name
        text = self._next("a period")[1]
        found = _BIN.fullmatch(text)
        count = whole_number(found[1]) if found else None
        if found is None or not count:
            raise malformed(f"bin takes a period such as 5m, not '{text}'")
        self._expect(")")
        return "@timestamp", count * _BIN_MS[found[2]], self._alias() or f"bin({text})"

    def _parse(self, query: Query) -> None:
        name = "@message"
        if self._peek()[0] not in ("text", "regex"):
            name = self._name()
        kind, text = self._next("a pattern")
        if kind == "regex":
            pattern = _regex(re.sub(r"\(\?<([A-Za-z]\w*)>", r"(?P<\1>", text))
            query.stages.append(_regex_parser(name, pattern))
            return
        if kind != "text" or not self._takes("word", "as"):
            raise malformed('parse takes /a regex/ with named groups, or "a * text" as names')
        names = [self._name()]
        while self._takes("sign", ","):
            names.append(self._name())
        if text.count("*") != len(names):
            raise malformed(f"parse has {text.count('*')} wildcards and {len(names)} names")
        pattern = _regex(
            "(.*?)".join(re.escape(part) for part in text.split("*")) + ("$" if text.endswith("*") else "")
        )
        query.stages.append(_glob_parser(name, pattern, names))

    def _either(self) -> Test:
        parts = [self._both()]
        while self._takes("word", "or") or self._takes("sign", "||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _both(self) -> Test:
        parts = [self._one()]
        while self._takes("word", "and") or self._takes("sign", "&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH * 20:
            raise malformed("the filter is nested too deep")
        if self._takes("word", "not"):
            inside = self._one()
            return lambda record: not inside(record)
        if self._takes("sign", "("):
            inside = self._either()
            self._expect(")")
            return inside
        name = self._name()
        if name.lower() == "ispresent" and self._takes("sign", "("):
            name = self._name()
            self._expect(")")
            return lambda record: record.get(name) is not None
        return self._comparison(name)

    def _comparison(self, name: str) -> Test:
        negated = self._takes("word", "not")
        kind, operator = self._next("a comparison")
        operator = operator.lower()
        if operator in ("like", "=~"):
            test = self._like(name)
        elif operator == "in":
            test = self._in(name)
        elif kind == "sign" and operator in ("=", "!=", "<", ">", "<=", ">=") and not negated:
            test = _compare(name, operator, self._literal())
        else:
            raise malformed(f"trainworks does not execute the comparison '{operator}'")
        return (lambda record: not test(record)) if negated else test

    def _like(self, name: str) -> Test:
        kind, text = self._next("a pattern")
        if kind == "regex":
            pattern = _regex(text)
            return lambda record: (
                (value := record.get(name)) is not None and pattern.search(encodable(str(value))) is not None
            )
        if kind != "text":
            raise malformed(f"like takes a text or a /regex/, not '{text}'")
        return lambda record: (value := record.get(name)) is not None and text in str(value)

    def _in(self, name: str) -> Test:
        self._expect("[")
        values = [self._literal()]
        while self._takes("sign", ","):
            values.append(self._literal())
        self._expect("]")
        tests = [_compare(name, "=", value) for value in values]
        return lambda record: any(test(record) for test in tests)

    def _literal(self) -> Any:
        kind, text = self._next("a value")
        if kind == "number":
            return float(text)
        if kind == "text":
            return text
        if kind == "word" and text.lower() in ("true", "false"):
            return text.lower()
        raise malformed(f"'{text}' is neither text nor a number")

    def _alias(self) -> str:
        return self._name() if self._takes("word", "as") else ""

    def _name(self) -> str:
        kind, text = self._next("a field")
        if kind not in ("word", "quoted"):
            raise malformed(f"a field is expected, not '{text}'")
        if self._peek() == ("sign", "(") and text.lower() not in ("bin", "ispresent"):
            raise malformed(f"trainworks does not execute the function '{text}'")
        return text

    def _word(self, what: str) -> str:
        kind, text = self._next(what)
        if kind != "word":
            raise malformed(f"{what} is expected, not '{text}'")
        return text

    def _expect(self, sign: str) -> None:
        if not self._takes("sign", sign):
            raise malformed(f"'{sign}' is expected before '{self._peek()[1]}'")

    def _takes(self, kind: str, text: str) -> bool:
        found = self._peek()
        if found[0] == kind and found[1].lower() == text:
            self._place += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "the end of the query")

    def _next(self, what: str) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise malformed(f"{what} is missing at the end of the query")
        self._place += 1
        return self._tokens[self._place - 1]


def _tokens(text: str) -> list[tuple[str, str]]:
    try:
        return [token for found in pieces(_TOKEN, text) if (token := _token(found)) is not None]
    except UnreadableError as error:
        raise malformed(f"'{str(error)[:40]}' cannot be read") from None


def _token(found: re.Match[str]) -> tuple[str, str] | None:
    """(kind, text); None for a comment."""
    kind = found.lastgroup
    if kind == "text":
        return "text", re.sub(r"\\(.)", r"\1", found[kind][1:-1])
    if kind == "regex":
        body = found[kind]
        return "regex", f"(?i){body[1:-2]}" if body.endswith("i") else body[1:-1]
    return None if kind is None else (kind, found[kind])


def _regex(text: str) -> LinearPattern:
    try:
        return compile_linear(text)
    except UnsupportedPatternError as error:
        raise malformed(f"the regular expression /{text}/ is not valid: {error}") from None


def _regex_parser(name: str, pattern: LinearPattern) -> Callable[[dict[str, Any]], bool]:
    def stage(record: dict[str, Any]) -> bool:
        found = pattern.search(encodable(str(record.get(name, ""))))
        if found is not None:
            record |= {key: value for key, value in found.groupdict().items() if value is not None}
        return True

    return stage


def _glob_parser(name: str, pattern: LinearPattern, names: Sequence[str]) -> Callable[[dict[str, Any]], bool]:
    def stage(record: dict[str, Any]) -> bool:
        found = pattern.search(encodable(str(record.get(name, ""))))
        if found is not None:
            record |= {each: found.group(place) for place, each in enumerate(names, 1)}
        return True

    return stage


def _compare(name: str, operator: str, wanted: Any) -> Test:
    limit = as_number(wanted)

    def test(record: Record) -> bool:
        value = record.get(name)
        if value is None:
            return operator == "!="
        number = as_number(value)
        if limit is not None and number is not None:
            left, right = (number, limit)
            return {
                "=": left == right,
                "!=": left != right,
                "<": left < right,
                ">": left > right,
                "<=": left <= right,
                ">=": left >= right,
            }[operator]
        same = (json.dumps(value) if isinstance(value, bool) else str(value)) == str(wanted)
        return same if operator == "=" else operator == "!=" and not same

    return test
