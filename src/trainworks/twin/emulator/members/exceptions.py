"""Where a service takes more than its published model, with what shows it."""

from __future__ import annotations

from botocore.model import StringShape

from trainworks.twin.emulator.services import BOTOCORE_NAMES
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.validation import Broken, Problem

# (scope, operation or "", kind, path or "": any): why.
_TOLERATED: dict[tuple[str, str, Broken, str], str] = {
    ("sns", "", Broken.MISSING, "TopicArn"): "Publish and GetTopicAttributes have words of their own for it",
}


# (scope, operation, member): the shape whose values are documented for the member, in addition to its own.
_DOCUMENTED_VALUES: dict[tuple[str, str, str], str] = {
    ("sqs", "ReceiveMessage", "AttributeNames"): "MessageSystemAttributeName",
}


def tolerated(scope: str, operation: str, problem: Problem) -> bool:
    """Whether a problem is none for the service itself."""
    if any((scope, name, problem.kind, path) in _TOLERATED for name in (operation, "") for path in (problem.path, "")):
        return True
    documented = _DOCUMENTED_VALUES.get((scope, operation, problem.path.partition(".")[0]))
    if documented is None or not isinstance(problem.value, str):
        return False
    shape = service_model(BOTOCORE_NAMES.get(scope, scope)).shape_for(documented)
    return isinstance(shape, StringShape) and problem.value in shape.enum
