"""Ages as people write them: 90s, 30m, 12h, 7d, 2w."""

from __future__ import annotations

import re

from trainworks.errors import ConfigurationError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d{1,6})([smhdw])")


def parse_age(text: str) -> float:
    """Seconds. Raises `ConfigurationError`."""
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigurationError(
            f"{text!r} is not an age", fix="write a whole number and a unit: 90s, 30m, 12h, 7d or 2w"
        )
    return float(int(found[1]) * _UNITS[found[2]])


def shown_age(seconds: float) -> str:
    """The shortest way to write a number of seconds."""
    for unit, size in sorted(_UNITS.items(), key=lambda each: -each[1]):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
