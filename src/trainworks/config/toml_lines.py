"""TOML files, and which line of one a key is on; `tomllib` does not keep them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainworks.errors import ConfigurationError

_TABLE = re.compile(r"^\s*\[\[?\s*(?P<keys>[^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<keys>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def read_toml(path: Path, what: str = "") -> tuple[str, dict[str, Any]]:
    """A file's text and what it says. `what` it is (`job spec`) is said if it cannot be read.

    Raises `ConfigurationError` if it is not TOML or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # as some editors write it
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}", fix="save it as UTF-8 text") from error
    except OSError as error:
        named = f"{what} {path}" if what else str(path)
        raise ConfigurationError(f"{named}: cannot be read: {error.strerror}", fix="check the path") from error
    return text, parse_toml(text, str(path))


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """What the text of a file called `name` says. Raises `ConfigurationError` if it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: not valid TOML: {error}", fix="correct the line that is named") from error
    except RecursionError as error:
        raise ConfigurationError(f"{name}: is nested too deeply to be read", fix="nest its values less") from error


def error_at(path: Path, text: str, keys: Sequence[str], message: str, fix: str) -> ConfigurationError:
    """What is wrong at a key: `FILE:LINE: KEY: MESSAGE`. The first line where none is nearer, none of an empty file."""
    where = f"{path}:{line_of(text, keys) or 1}" if text else str(path)
    return ConfigurationError(f"{where}: {'.'.join(keys)}: {message}", fix=fix)


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The 1-based line that defines `keys`, or that of its nearest enclosing key or table; None if neither is.

    A table that no line names by itself is defined by the first one below it: `a` by `[a.b]` or `a.b = 1`. Keys inside
    inline tables resolve to the line of the inline table.
    """
    wanted = tuple(keys)
    table: tuple[str, ...] = ()
    best: tuple[tuple[int, bool], int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.match(line):
            table = _parts(match["keys"])
            found = table
        elif match := _KEY.match(line):
            found = (*table, *_parts(match["keys"]))
        else:
            continue
        common = min(len(found), len(wanted))
        nearness = (common, len(found) <= len(wanted))
        if wanted[:common] == found[:common] and (best is None or nearness > best[0]):
            best = (nearness, number)
    return best[1] if best else None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
