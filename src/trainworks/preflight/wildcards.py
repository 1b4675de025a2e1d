"""IAM's wildcards: `*` is any text, `?` any one character; nothing else is special.

A needed resource may be a pattern itself (`arn:aws:s3:::bucket/checkpoints/*`: all of these), so a match is coverage:
only a `*` of the policy covers a `*` of the need.
"""

from __future__ import annotations

import re
from functools import lru_cache

from trainworks.spec.wildcards import wildcard_pattern


@lru_cache(maxsize=8192)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(wildcard_pattern(pattern, any_one="[^*]"), re.DOTALL)


def covers(pattern: str, text: str) -> bool:
    """Whether everything that `text` stands for matches `pattern`."""
    if pattern in ("*", text):
        return True
    return _compiled(pattern).fullmatch(text) is not None


def covers_action(pattern: str, action: str) -> bool:
    """As `covers`, for actions (`s3:Get*`), whose case does not matter."""
    return covers(pattern.lower(), action.lower())
