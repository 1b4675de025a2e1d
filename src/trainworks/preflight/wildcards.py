"""IAM's wildcards in the questions of rules.

A needed resource may be a pattern itself (`arn:aws:s3:::bucket/checkpoints/*`: all of these), so a match is coverage:
only a `*` of the policy covers a `*` of the need.
"""

from __future__ import annotations

from trainworks.aws.wildcards import covers

__all__ = ["covers", "covers_action"]


def covers_action(pattern: str, action: str) -> bool:
    """As `covers`, for actions (`s3:Get*`), whose case does not matter."""
    return covers(pattern.lower(), action.lower())
