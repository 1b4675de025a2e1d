"""The text of one CloudFormation template, in JSON or YAML, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trainworks.errors import RequestError

_TAGS_OF_LISTS = frozenset({"GetAtt"})


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """YAML as CloudFormation takes it: short intrinsic functions; no aliases, merges, or values of its own types."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="CloudFormation does not support YAML aliases", problem_mark=self.peek_event().start_mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
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


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _intrinsic)


def read_template(path: Path) -> dict[str, Any]:
    """The template in `path`, with a mapping `Resources` whose members have a `Type`.

    Raises `RequestError` naming the file, and where it can the line, when it is no such template.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}", fix="name a template or a cdk.out") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: is no text in UTF-8: {error.reason} at byte {error.start}") from error
    return checked_template(path, _parsed(path, text))


def _parsed(path: Path, text: str) -> object:
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=lambda pairs: _unique(path, pairs))
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})", fix="correct the line"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RequestError(f"{path}{line}: not valid YAML: {error.problem}", fix="correct the line") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RequestError(f"{path}: not valid YAML: {' '.join(str(error).split())}", fix="correct the file") from error
    except RecursionError as error:
        raise RequestError(f"{path}: is nested too deeply to be a template", fix="correct the file") from error


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RequestError(f"{path}: not valid JSON: the key {twice!r} stands twice", fix="remove one of the two")
    return result


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
        f"{path}: is no CloudFormation template: {why}", fix="name a template, or the folder of a cloud assembly"
    )


def _kind(value: object) -> str:
    kinds = {type(None): "absent", list: "a list", str: "a text", dict: "an empty object", bool: "true or false"}
    return kinds.get(type(value), "a number")
