"""Every value of a profile that `trainworks.toml` can replace, with how it is declared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from trainworks.config.constraints import Between, Matching, NotAllowedError, NotFewerThan, OneOf, Passing
from trainworks.config.profile import EnvironmentProfile
from trainworks.config.zones import CountOrLetters

_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'"), max_size=30)


@dataclass(frozen=True)
class Leaf:
    keys: tuple[str, ...]
    hint: Any

    @property
    def dotted(self) -> str:
        return ".".join(self.keys)

    def illegal(self) -> st.SearchStrategy[Any]:
        """Values of TOML that the declaration rules out."""
        return _illegal(self.hint)


def leaves() -> Iterator[Leaf]:
    yield from _leaves(EnvironmentProfile, ())


def _leaves(record: type[Any], keys: tuple[str, ...]) -> Iterator[Leaf]:
    for name, hint in get_type_hints(record, include_extras=True).items():
        if name.startswith("_"):
            continue
        table = next((each for each in (hint, *get_args(hint)) if is_dataclass(each) and isinstance(each, type)), None)
        if table:
            yield from _leaves(table, (*keys, name))
        else:
            yield Leaf((*keys, name), hint)


def _fits(text: str, limit: Matching | Passing) -> bool:
    if isinstance(limit, Matching):
        return re.search(limit.pattern, text) is not None
    try:
        limit.check(text)
    except NotAllowedError:
        return False
    return True


def _illegal(hint: Any) -> st.SearchStrategy[Any]:
    kind, constraints = _parts(hint)
    other = st.one_of(st.just({"a": 1}), st.floats(0.25, 0.75), st.dates())
    if any(isinstance(each, CountOrLetters) for each in constraints):
        return _neither_count_nor_letters(other)
    if kind is bool:
        return st.one_of(other, st.integers(), _TEXT, st.just([True]))
    if kind is int:
        return st.one_of(other, _other_numbers(constraints), st.just(True), _TEXT, st.just([1]))
    if kind is str:
        (limit,) = [each for each in constraints if isinstance(each, Matching | Passing)]
        unlike = _TEXT.filter(lambda text: not _fits(text, limit))
        return st.one_of(other, st.integers(), st.just(True), unlike, st.just(["x"]))
    if get_origin(kind) is tuple:
        item = _illegal(get_args(kind)[0])
        fewer = [each.count for each in constraints if isinstance(each, NotFewerThan)]
        short: st.SearchStrategy[Any] = st.just([]) if fewer else st.nothing()
        return st.one_of(other, st.integers(), _TEXT, short, st.lists(item, min_size=2, max_size=3))
    return st.one_of(other, st.integers(), st.just(True), _no_member(kind))


def _other_numbers(constraints: tuple[Any, ...]) -> st.SearchStrategy[int]:
    (limit,) = [each for each in constraints if isinstance(each, Between | OneOf)]
    if isinstance(limit, OneOf):
        return st.integers().filter(lambda n: n not in limit.values)
    below = st.integers(max_value=limit.minimum - 1)
    above = st.integers(min_value=limit.maximum + 1) if limit.maximum is not None else st.nothing()
    return st.one_of(below, above)


def _neither_count_nor_letters(other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    counts = st.integers().filter(lambda n: not 2 <= n <= 6)
    letters = st.lists(_TEXT.filter(lambda text: not re.fullmatch("[a-z]", text)), max_size=3)
    return st.one_of(other, counts, _TEXT, st.just(True), st.just(["a"]), st.just(["a", "a"]), letters)


def _no_member(kind: Any) -> st.SearchStrategy[str]:
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        raise TypeError(f"no illegal values are known for {kind}")
    values = {each.value for each in kind}
    return _TEXT.filter(lambda text: text not in values)


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The kind of a value and its constraints, without what makes it optional."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = [each for each in get_args(hint) if each is not NoneType]
    if get_origin(hint) is Annotated:
        kind, *constraints = get_args(hint)
        return kind, tuple(constraints)
    return hint, ()


def toml(values: Mapping[str, Any]) -> str:
    """`{"environments.x": {key: value}}` as a document; values are those of `illegal` or plain ones."""
    tables = [f"[{table}]\n" + "".join(f"{key} = {literal(value)}\n" for key, value in each.items())
              for table, each in values.items()]  # fmt: skip
    return "\n".join(tables)


def literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(literal(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {literal(each)}' for key, each in value.items())}}}"
    return str(value)
