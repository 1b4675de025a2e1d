"""Where a service takes more than its published model, with what shows it."""

from __future__ import annotations

from trainworks.twin.wire.validation import Broken, Problem

# (scope, operation or "", kind, path or "": any): why.
_TOLERATED: dict[tuple[str, str, Broken, str], str] = {
    ("sns", "", Broken.MISSING, "TopicArn"): "Publish and GetTopicAttributes have words of their own for it",
}


def tolerated(scope: str, operation: str, problem: Problem) -> bool:
    """Whether a problem is none for the service itself."""
    return any(
        (scope, name, problem.kind, path) in _TOLERATED for name in (operation, "") for path in (problem.path, "")
    )
