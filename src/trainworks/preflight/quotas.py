"""What an account may have at most: a versioned TOML file, to be overridden by the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from trainworks.config.toml_lines import parse_toml
from trainworks.errors import ConfigurationError

_SHIPPED = "quotas.toml"
_KEYS = frozenset({"limit", "adjustable", "what", "source", "checked"})


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` of `what`, as `source` says, looked at on the day `checked`. `adjustable`: AWS may raise it."""

    name: str
    limit: int
    adjustable: bool
    what: str
    source: str
    checked: date


@cache
def shipped_quotas() -> Mapping[str, Quota]:
    """AWS's defaults of an account that asked for nothing more."""
    text = resources.files("trainworks.preflight").joinpath(_SHIPPED).read_text(encoding="utf-8")
    return {name: _quota(name, table, _SHIPPED) for name, table in parse_toml(text, _SHIPPED).items()}


def quotas_with(path: Path) -> Mapping[str, Quota]:
    """The shipped quotas with those of the file at `path` in their place. Raises `ConfigurationError`.

    A table needs its `limit` alone: what it leaves out is as it is shipped.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", fix="name a TOML file with quotas") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text", fix="name a TOML file with quotas") from error
    shipped = shipped_quotas()
    own = {}
    for name, table in parse_toml(text, str(path)).items():
        if name not in shipped:
            raise _unknown(name, path)
        below = {key: getattr(shipped[name], key) for key in _KEYS - {"limit"}}
        own[name] = _quota(name, {**below, **table} if isinstance(table, dict) else table, str(path))
    return {**shipped, **own}


def _unknown(name: str, path: Path) -> ConfigurationError:
    names = sorted(shipped_quotas())
    close = get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return ConfigurationError(f"{path}: there is no quota {name!r}", fix=f"{meant}one of {', '.join(names)}")


def _quota(key: str, value: Any, name: str) -> Quota:
    fix = "[name] with limit (a whole number); adjustable (true or false), what, source and checked (a date) may follow"
    if not isinstance(value, dict) or value.keys() != _KEYS:
        raise ConfigurationError(f"{name}: {key} is {value!r}", fix=fix)
    limit, adjustable, checked = value["limit"], value["adjustable"], value["checked"]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ConfigurationError(f"{name}: {key}.limit is {limit!r}", fix="a whole number, 0 or more")
    if not isinstance(adjustable, bool):
        raise ConfigurationError(f"{name}: {key}.adjustable is {adjustable!r}", fix="true or false")
    if not isinstance(checked, date):
        raise ConfigurationError(f"{name}: {key}.checked is {checked!r}", fix="a date, as in 2026-01-31")
    return Quota(key, limit, adjustable, str(value["what"]), str(value["source"]), checked)
