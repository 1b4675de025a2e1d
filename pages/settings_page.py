"""trainworks-toml.md and job-spec.md: every key, what it may be and what it means, from the schemas for editors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from trainworks.config.profile import PROFILES
from trainworks.config.schema import Schema, environment_schema, job_schema
from trainworks.config.variables import VARIABLES

SETTINGS_HEAD = """\
# trainworks.toml

The settings of a project: its environments, and what each changes of its profile. The tables below are made from the
records that a file is checked with.

```toml
#:schema /path/of/the/clone/src/trainworks/config/schemas/trainworks.schema.json

[environments.dev]                  # trainworks up --env dev
profile = "dev"
region = "eu-west-1"
account = "123456789012"
aws_profile = "team-dev"

[environments.dev.batch]            # single values of the profile
max_vcpus = 32

[environments.local]                # the twin; it exists without this table too
profile = "dev"
notebook = false                    # without a notebook

[twin]
network = "declared"
```

trainworks looks for the file in the folder where a command is given and then in each folder above it, and takes the
first. Without a file there is one environment, `local`: the twin, with the profile `dev`. A key that does not exist,
and a value that is not allowed, is refused with file, line, value and what is allowed.

`ENVIRONMENT_SUFFIX`, or `-c environmentSuffix=...` of the CDK command line, replaces `environment_suffix`.
"""
EDITOR = """\
## In your editor

The first line above, `#:schema` and a path or a `file://` address, makes editors complete keys, show what they mean and
mark what is wrong as you type: VS Code with the extension Even Better TOML, and every editor that runs the language
server of taplo. The schemas are `trainworks.schema.json` for this file and `job.schema.json` for
[job specs](job-spec.md); this prints the folder that they are in:

```sh
python -c "import trainworks.config.schema as s; print(s.FOLDER)"
```

The line is a comment. A key `"$schema"` in the file, which some editors know as well, is refused: it would be a setting
that does not exist. To have it without a line in each file, name the schema in `.taplo.toml` of your project:

```text
[[rule]]
include = ["**/trainworks.toml"]
[rule.schema]
path = "/path/of/the/clone/src/trainworks/config/schemas/trainworks.schema.json"
```

A schema knows single values. What two values must be to one another (`max_vcpus` and `min_vcpus`, egress and a
repository of the notebook) is checked when the file is read.
"""
JOB_HEAD = """\
# Job spec

A spec is a TOML file with exactly one table, `[training_job]` or `[batch_job]`. `trainworks train SPEC` and
`trainworks batch submit SPEC` start it; options of the command line replace its keys. Local paths are relative to the
spec; those on the command line are relative to where you are.

```toml
#:schema /path/of/the/clone/src/trainworks/config/schemas/job.schema.json

[training_job]
name = "digits"
script = "train.py"
source_dir = "."
image = "scikit-learn"
instance_type = "ml.m5.large"
max_runtime_seconds = 900

[training_job.inputs]
training = "dataset:digits/train"

[training_job.hyperparameters]
epochs = 10

[training_job.metrics]
loss = "loss=([0-9.]+)"
```

| input | what the job gets |
|---|---|
| a local file or folder | it is uploaded, once for its content |
| `s3://BUCKET/PREFIX` | the objects below the prefix |
| `dataset:NAME` | `datasets/NAME/` of the platform's dataset bucket |
| `model:JOB` | the `model.tar.gz` of a training job |

What the job then finds at which path is in [What a job sees](what-a-job-sees.md); how an editor uses the `#:schema`
line in [trainworks.toml](trainworks-toml.md#in-your-editor).
"""


def settings() -> str:
    """trainworks-toml.md."""
    properties = environment_schema()["properties"]
    tables = {name: table for name, schema in properties.items() if (table := _table(schema))}
    plain = {name: schema for name, schema in properties.items() if name not in tables}
    lines = [SETTINGS_HEAD, EDITOR, "## `[environments.NAME]`", "", *_rows(plain), ""]
    lines += [
        "The tables below are `[environments.NAME.network]` and so on. A value that is not set is the profile's.",
        "`false` takes away a table (`notebook = false`), or a value that may be absent.",
        "",
    ]
    values = {name.value: dict(_flat(profile, "")) for name, profile in PROFILES.items()}
    for name, table in tables.items():
        lines += [f"### `{name}`", "", _sentence(table["description"]), "", *_with_profiles(name, table, values), ""]
    lines += ["## `[twin]`", "", *_twin(), "", "## Environment variables", "", *_variables(), ""]
    return "\n".join(lines)


def jobs() -> str:
    """job-spec.md."""
    lines = [JOB_HEAD]
    for kind, schema in job_schema()["properties"].items():
        lines += [f"## `[{kind}]`", "", _sentence(schema["description"]), "", *_rows(schema["properties"]), ""]
    return "\n".join(lines)


def _table(schema: Schema) -> Schema | None:
    for each in (schema, *schema.get("anyOf", ())):
        if "properties" in each:
            return dict(each)
    return None


def _rows(properties: Schema) -> Iterator[str]:
    yield from ("| key | allowed | default | what it says |", "|---|---|---|---|")
    for name, schema in properties.items():
        default = schema.get("default")
        shown = "" if default in (None, {}, []) else f"`{_toml(default)}`"
        yield f"| `{name}` | {_allowed(schema)} | {shown} | {_sentence(schema.get('description', ''))} |"


def _with_profiles(name: str, table: Schema, values: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield from (f"| key | allowed | {' | '.join(values)} | what it says |", "|---" * (len(values) + 3) + "|")
    for key, schema in table["properties"].items():
        shown = " | ".join(_toml(each.get(f"{name}.{key}")) for each in values.values())
        yield f"| `{key}` | {_allowed(schema)} | {shown} | {_sentence(schema.get('description', ''))} |"


def _twin() -> Iterator[str]:
    yield from (
        "Settings of the twin on this machine, read when it starts, from the nearest file at or above the folder in",
        "which it is started.",
        "",
        "| key | allowed | default | what it says |",
        "|---|---|---|---|",
        '| `network` | `"host"`, `"declared"` | `"host"` | what jobs in subnets of a VPC reach: all that this machine '
        "reaches, or what the routes of the subnets lead to ([packages](../how-to/packages.md#the-network-of-jobs)) |",
    )


def _variables() -> Iterator[str]:
    yield from ("| variable | what it does |", "|---|---|")
    for variable in VARIABLES.values():
        if not variable.is_internal:
            yield f"| `{variable.name}` | {variable.meaning} |"


def _allowed(schema: Schema) -> str:
    """What a value may be, in a few words."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"const": False}]
    if choices:
        absent = ", or `false`" if {"const": False} in schema["anyOf"] else ""
        return ", or ".join(map(_allowed, choices)) + absent
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "text, a number, true or false" if len(kinds) == 3 else "any value"
    if "enum" in schema:
        few = len(schema["enum"]) <= 30
        return ", ".join(f"`{_toml(each)}`" for each in schema["enum"]) if few else "a name that AWS has"
    return _KINDS[kinds](schema)


def _number(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    number = "a whole number" if schema["type"] == "integer" else "a number"
    if least is None:
        return number
    return f"{least:,} to {most:,}" if most is not None else f"{number} from {least:,} on"


def _text(schema: Schema) -> str:
    pattern = str(schema.get("pattern", "")).replace("|", "\\|")
    return f"text like `{pattern}`" if len(pattern) > 1 else "text"


_KINDS: dict[str, Callable[[Schema], str]] = {
    "array": lambda schema: f"a list of {_allowed(schema['items'])}",
    "object": lambda schema: "a table",
    "boolean": lambda schema: "`true`, `false`",
    "integer": _number,
    "number": _number,
    "string": _text,
}


def _flat(record: Any, path: str) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        value, key = getattr(record, field.name), f"{path}{field.name}"
        if is_dataclass(value):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(getattr(each, "value", each)) for each in value)
    return f'"{value}"' if type(value) is str else str(value)


def _sentence(text: str) -> str:
    return text.replace("|", "\\|")
