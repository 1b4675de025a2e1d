"""IAM's wildcards: `*` is any text, `?` any one character; nothing else is special.

A needed resource may be a pattern itself (`arn:aws:s3:::bucket/checkpoints/*`: all of these), so a match is coverage:
only a `*` of the policy covers a `*` of the need.
"""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=8192)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.DOTALL)


def covers(pattern: str, text: str) -> bool:
    """Whether everything that `text` stands for matches `pattern`."""
    if pattern in ("*", text):
        return True
    return _compiled(pattern).fullmatch(text) is not None


def covers_action(pattern: str, action: str) -> bool:
    """As `covers`, for actions (`s3:Get*`), whose case does not matter."""
    return covers(pattern.lower(), action.lower())


def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    if one == "*" or other == "*":
        return True
    reached = {(0, 0)}
    seen = set(reached)
    while reached:
        i, j = reached.pop()
        if i == len(one) and j == len(other):
            return True
        for step in _steps(one, i, other, j):
            if step not in seen:
                seen.add(step)
                reached.add(step)
    return False


def _steps(one: str, i: int, other: str, j: int) -> list[tuple[int, int]]:
    """Where two patterns can be after one more character, or after a `*` that stands for nothing."""
    left = one[i] if i < len(one) else ""
    right = other[j] if j < len(other) else ""
    steps = []
    if left == "*":
        steps.append((i + 1, j))
    if right == "*":
        steps.append((i, j + 1))
    if left and right:
        if left == "*" and right != "*":
            steps.append((i, j + 1))
        elif right == "*" and left != "*":
            steps.append((i + 1, j))
        elif left == right or "?" in (left, right):
            steps.append((i + 1, j + 1))
    return steps
