"""The text of one CloudFormation template, in JSON or YAML, as plain data.

What a text can cost is bounded: it may not be nested deeper than `MAX_DEPTH`, and YAML has no aliases, as in
CloudFormation, so that it never says more than is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trainworks.errors import RequestError

MAX_DEPTH = 100
_TAGS_OF_LISTS = frozenset({"GetAtt"})
_ALIASES = "Template error: YAML aliases are not allowed in CloudFormation templates"


class TemplateTextError(ValueError):
    """A text is not a template. `refusal` is what CloudFormation answers; a line that is known is counted from 1."""

    def __init__(self, message: str, refusal: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.refusal = refusal
        self.line = line


class _AliasError(yaml.MarkedYAMLError):  # type: ignore[misc]  # PyYAML ships no types
    """An alias, which CloudFormation does not take."""


class _DepthError(Exception):
    """A text is nested deeper than `MAX_DEPTH`."""


# Events by libyaml, ten times as fast, where PyYAML was built with it.
_Parser: Any = yaml.cyaml.CParser if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(yaml.composer.Composer, yaml.constructor.SafeConstructor, yaml.resolver.Resolver, _Parser):  # type: ignore[misc]
    """YAML as CloudFormation takes it: short intrinsic functions; no aliases, merges, or values of its own types."""

    def __init__(self, text: str) -> None:
        _Parser.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _AliasError(
                problem="CloudFormation does not support YAML aliases", problem_mark=self.peek_event().start_mark
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _DepthError
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


# A date such as the format version is a text in a template.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in result:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """`!Ref x` as `{"Ref": "x"}`, `!Sub x` as `{"Fn::Sub": "x"}`."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix in _TAGS_OF_LISTS:
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """A number that JSON has, too."""
    kind = node.tag.rpartition(":")[2]
    number: int | float = getattr(loader, f"construct_yaml_{kind}")(node)
    if (isinstance(number, float) and not math.isfinite(number)) or abs(number) >= 1 << 1023:
        raise yaml.MarkedYAMLError(problem="is not a number", problem_mark=node.start_mark)
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _intrinsic)


def read_template(path: Path) -> dict[str, Any]:
    """The template in `path`, with a mapping `Resources` whose members have a `Type`.

    Raises `RequestError` naming the file, and where it can the line, when it is not such a template.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}", fix="name a template or a cdk.out") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from error
    return checked_template(path, _parsed(path, text))


def parse_template(text: str) -> object:
    """What a text says, in JSON or YAML. Raises `TemplateTextError`."""
    is_json = text.lstrip().startswith("{")
    name = "JSON" if is_json else "YAML"
    try:
        document = _json(text) if is_json else yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe one
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} (column {error.colno})"
        raise TemplateTextError(message, _ill_formed(name, error.lineno, error.colno), error.lineno) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        refusal = _ill_formed(name, mark.line + 1, mark.column + 1) if mark else _ill_formed(name)
        refusal = _ALIASES if isinstance(error, _AliasError) else refusal
        raise TemplateTextError(f"not valid YAML: {error.problem}", refusal, mark.line + 1 if mark else None) from error
    except (RecursionError, _DepthError) as error:
        raise _too_deep() from error
    except (yaml.YAMLError, ValueError) as error:
        message = " ".join(str(error).split())[:200]
        raise TemplateTextError(f"not valid {name}: {message}", _ill_formed(name)) from error
    if is_json and _is_deeper(document, MAX_DEPTH):
        raise _too_deep()
    if "\\ud" in text.lower() and not _is_unicode(document):
        raise TemplateTextError(f"not valid {name}: half a surrogate pair is not a character", _ill_formed(name))
    return document


def _is_unicode(document: object) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(path: Path, text: str) -> object:
    try:
        return parse_template(text)
    except TemplateTextError as error:
        line = f":{error.line}" if error.line else ""
        fix = "correct the line" if error.line else "correct the file"
        raise RequestError(f"{path}{line}: {error.message}", fix=fix) from error


def _json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return result


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _ill_formed(name: str, line: int | None = None, column: int | None = None) -> str:
    place = f" (line {line}, column {column})" if line else ""
    return f"Template format error: {name} not well-formed.{place}"


def _too_deep() -> TemplateTextError:
    refusal = f"Template format error: the template is nested more than {MAX_DEPTH} levels deep."
    return TemplateTextError(f"is nested too deeply to be a template: more than {MAX_DEPTH} levels", refusal)


def _is_deeper(document: object, depth: int) -> bool:
    """Whether anything in it is nested deeper than that, without recursion."""
    level = [document]
    for _ in range(depth):
        below = [each for value in level if isinstance(value, dict | list) for each in _within(value)]
        if not below:
            return False
        level = below
    return True


def _within(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def checked_template(path: Path, document: object) -> dict[str, Any]:
    """`document` if it has the form of a template. Raises `RequestError`."""
    if document is None:
        raise _no_template(path, "it is empty")
    if not isinstance(document, dict):
        raise _no_template(path, f"holds {_kind(document)}, not an object")
    resources = document.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise _no_template(path, f"Resources is {_kind(resources)}, not an object with at least one resource")
    for section in ("Parameters", "Conditions", "Mappings", "Outputs", "Metadata"):
        if section in document and not isinstance(document[section], dict):
            raise _no_template(path, f"{section} is {_kind(document[section])}, not an object")
    for logical_id, resource in resources.items():
        if logical_id.startswith("Fn::"):
            continue  # Fn::ForEach stands for resources that only CloudFormation spells out
        if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
            raise _no_template(path, f"Resources.{logical_id} has no Type")
        if not isinstance(resource.get("Properties", {}), Mapping):
            raise _no_template(path, f"Resources.{logical_id}.Properties is {_kind(resource['Properties'])}")
    return document


def _no_template(path: Path, why: str) -> RequestError:
    return RequestError(
        f"{path}: is not a CloudFormation template: {why}", fix="name a template, or the folder of a cloud assembly"
    )


def _kind(value: object) -> str:
    kinds = {type(None): "absent", list: "a list", str: "a text", dict: "an empty object", bool: "true or false"}
    return kinds.get(type(value), "a number")
