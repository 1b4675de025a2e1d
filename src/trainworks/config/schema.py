"""JSON schemas of `trainworks.toml` and of job specs, for editors that complete and check TOML as it is written.

    records and their constraints (profile.py, environment.py, twin_settings.py, job.py) --> schemas/*.schema.json

The files are shipped; `python3 dev.py docs` writes them again, and the tests hold them to what the loaders take. They
say what single values may be. What several values must be to one another, the loaders check alone. Draft 7, which
editors' TOML extensions read.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from trainworks.config.aws_names import (
    batch_instance_types,
    check_batch_instance_type,
    check_notebook_instance_type,
    check_region,
    notebook_instance_types,
    regions,
)
from trainworks.config.constraints import Between, Matching, NotFewerThan, OneOf, Passing
from trainworks.config.environment import PROFILE_TABLES, EnvironmentSettings
from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.config.profile import EnvironmentProfile
from trainworks.config.twin_settings import NETWORK_WISHES, TABLE
from trainworks.config.zones import FEWEST, MOST, CountOrLetters

Schema = dict[str, Any]

FOLDER = Path(__file__).resolve().parent / "schemas"
SETTINGS_FILE = FOLDER / "trainworks.schema.json"
JOB_FILE = FOLDER / "job.schema.json"
_DRAFT = "http://json-schema.org/draft-07/schema#"
_NAMES: Mapping[Callable[[Any], None], Callable[[], tuple[str, ...]]] = {
    check_region: regions,
    check_batch_instance_type: batch_instance_types,
    check_notebook_instance_type: notebook_instance_types,
}
_SCALAR = {"type": ["string", "number", "boolean"]}


def settings_schema() -> Schema:
    """The schema of `trainworks.toml`."""
    return {
        "$schema": _DRAFT,
        "title": "trainworks.toml",
        "description": "Environments of the platform, and settings of the twin.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "environments": {
                "description": "One table an environment; `local` always exists and is the twin.",
                "type": "object",
                "additionalProperties": environment_schema(),
            },
            TABLE: {
                "description": "Settings of the twin, read when it starts.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "network": {
                        "description": "host: jobs use this machine's network. declared: jobs in subnets of a VPC "
                        "reach what the subnets' routes lead to.",
                        "type": "string",
                        "enum": list(NETWORK_WISHES),
                        "default": NETWORK_WISHES[0],
                    }
                },
            },
        },
    }


def environment_schema() -> Schema:
    """The schema of one `[environments.NAME]` table."""
    settings, profile = _record(EnvironmentSettings), _record(EnvironmentProfile, may_be_left_out=True)
    tables = {name: profile["properties"][name] for name in PROFILE_TABLES}
    return {**settings, "properties": {**settings["properties"], **tables}}


def job_schema() -> Schema:
    """The schema of a job spec: exactly one of the tables `training_job` and `batch_job`."""
    return {
        "$schema": _DRAFT,
        "title": "trainworks job spec",
        "description": "A training job or a batch job.",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {"training_job": _spec(TrainingJobSpec), "batch_job": _spec(BatchJobSpec)},
    }


def text_of(schema: Schema) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def described(record: type[Any]) -> dict[str, str]:
    """What the texts below a record's fields say, of its bases too."""
    found: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        if not (kind.__module__.startswith("trainworks.") and "__annotations__" in vars(kind)):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - it is the source of a class
        for field, after in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(after.value.value).split())
    return found


def _record(record: type[Any], *, may_be_left_out: bool = False) -> Schema:
    """A table of a frozen record; where values `may_be_left_out`, `false` does that to one that may be absent."""
    hints, told = get_type_hints(record, include_extras=True), described(record)
    properties = {}
    for field in fields(record):
        schema = _value(hints[field.name], may_be_left_out)
        if field.name in told:
            schema = {"description": told[field.name], **schema}
        if isinstance(field.default, bool | int | str):
            schema["default"] = field.default.value if isinstance(field.default, Enum) else field.default
        properties[field.name] = schema
    summary = inspect.getdoc(record) or ""
    return {
        "description": " ".join(summary.partition("\n\n")[0].split()),
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _value(hint: Any, may_be_left_out: bool) -> Schema:
    kinds = [each for each in get_args(hint) if each is not NoneType]
    if get_origin(hint) in (Union, UnionType) and len(kinds) == 1:
        schema = _value(kinds[0], may_be_left_out)
        return {"anyOf": [schema, {"const": False}]} if may_be_left_out and schema.get("type") != "boolean" else schema
    if get_origin(hint) is Annotated:
        kind, *constraints = get_args(hint)
        return _constrained(_value(kind, may_be_left_out), constraints)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _value(get_args(hint)[0], may_be_left_out)}
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint, may_be_left_out=may_be_left_out)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [each.value for each in hint]}
    return {"type": {bool: "boolean", int: "integer", str: "string"}[hint]} if hint in (bool, int, str) else {}


def _constrained(schema: Schema, constraints: list[Any]) -> Schema:
    for each in constraints:
        if isinstance(each, Between):
            schema |= {"minimum": each.minimum} | ({} if each.maximum is None else {"maximum": each.maximum})
        elif isinstance(each, Matching):
            schema |= {"pattern": each.pattern}
        elif isinstance(each, OneOf):
            schema |= {"enum": list(each.values)}
        elif isinstance(each, NotFewerThan):
            schema |= {"minItems": each.count}
        elif isinstance(each, Passing):
            schema |= {"enum": list(_NAMES[each.check]())}
        elif isinstance(each, CountOrLetters):
            letters = {"type": "array", "items": {"type": "string", "pattern": "^[a-z]$"}}
            count = {"type": "integer", "minimum": FEWEST, "maximum": MOST}
            schema = {"anyOf": [count, {**letters, "minItems": FEWEST, "uniqueItems": True}]}
    return schema


def _spec(model: type[BaseModel]) -> Schema:
    """The schema that pydantic makes of a spec, with its texts, and without what a file does not set."""
    made = model.model_json_schema()
    told = described(model)
    properties = {
        name: _plain({"description": told[name], **schema} if name in told else schema)
        for name, schema in made["properties"].items()
        if name != "base_dir"
    }
    properties["environment"]["patternProperties"] = dict.fromkeys(
        properties["environment"]["patternProperties"], _SCALAR
    )
    properties["tags"]["additionalProperties"] = _SCALAR
    if "arguments" in properties:
        properties["arguments"]["items"] = _SCALAR
    summary = " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split())
    return {"description": summary, "type": "object", "additionalProperties": False, "properties": properties}


def _plain(schema: Schema) -> Schema:
    """Without pydantic's titles, and without null, which TOML does not have; a JSON value has any other type."""
    if schema.get("$ref") == "#/$defs/JsonValue":
        return {"type": ["string", "number", "boolean", "array", "object"]}
    schema = {key: value for key, value in schema.items() if key not in ("title", "format")}
    if schema.get("default", ()) is None:
        del schema["default"]
    choices = [_plain(each) for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**schema, **choices[0]}
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _plain(schema["additionalProperties"])
    if "patternProperties" in schema:
        schema["additionalProperties"] = False
    return {**schema, "anyOf": choices} if choices else schema
