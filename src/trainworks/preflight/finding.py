"""What a check reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error`: it fails at run time, loses data or opens the account. `warning`: it costs, misleads or may fail."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one place of a template, with its fix.

    `code` is a rule's (`TW05`) or a scanner's (`cfn-lint/W3010`); `place` the construct path below the root stack, or
    if none is known the logical id; `value` what the template says there, empty where something is missing;
    `template` the file that it stands in, if there is one; `source` the `FILE:LINE` of the code that made the
    resource, where the assembly tells it.
    """

    code: str
    severity: Severity
    place: str
    resource_type: str
    logical_id: str
    message: str
    value: str
    fix: str
    template: str = ""
    source: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR
