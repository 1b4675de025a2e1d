"""Settings of the twin, which hold for all environments on this machine.

    [twin]                       # in the nearest trainworks.toml at or above the folder in which the twin is started
    network = "host"             # "declared": jobs in subnets of a VPC reach what the subnets' routes lead to

`TRAINWORKS_NETWORK` overrides it. They are read when the twin starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from trainworks.config.toml_lines import error_at, read_toml
from trainworks.errors import ConfigurationError

NETWORK = "TRAINWORKS_NETWORK"
NETWORK_WISHES = ("host", "declared")
TABLE = "twin"
_KEYS = ("network",)


def refused_network(value: object) -> str:
    """What is wrong with a value of `network`; "" if nothing is."""
    return "" if value in NETWORK_WISHES else f"allowed: {' or '.join(NETWORK_WISHES)}"


def network_wish(file: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """`host` or `declared`: the variable's, else the file's, else `host`. `file` is the trainworks.toml, if any.

    Raises `ConfigurationError` for any other value and for keys that are unknown.
    """
    value = environ.get(NETWORK)
    if value:
        if refusal := refused_network(value):
            raise ConfigurationError(f"{NETWORK} is {value!r}; {refusal}", fix=f"unset {NETWORK}, or correct it")
        return value
    return _of_file(file) if file is not None else NETWORK_WISHES[0]


def check_table(path: Path, text: str, table: object) -> str:
    """What the table `[twin]` says about the network. Raises `ConfigurationError` naming file, line, key and value."""
    if not isinstance(table, dict):
        raise error_at(
            path, text, (TABLE,), f"is {table!r}; allowed: a table", 'write [twin] and below it network = "host"'
        )
    for key in table:
        if key not in _KEYS:
            raise error_at(path, text, (TABLE, key), f"unknown key; allowed: {', '.join(_KEYS)}", "remove the key")
    value = table.get("network", NETWORK_WISHES[0])
    if refusal := refused_network(value):
        raise error_at(
            path, text, (TABLE, "network"), f"is {value!r}; {refusal}", 'write network = "host" or "declared"'
        )
    return str(value)


def _of_file(path: Path) -> str:
    text, document = read_toml(path)
    return check_table(path, text, document.get(TABLE, {}))
