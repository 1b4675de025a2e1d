"""A report as SARIF, for code hosts and editors.

Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.report import Report
from trainworks.preflight.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def sarif(report: Report, rules: Sequence[Rule], version: str, base: Path) -> dict[str, Any]:
    """The log with one run; files are named relative to `base`. Accepted findings are there, suppressed."""
    known = {rule.code: _descriptor(rule) for rule in rules}
    every = [(finding, "") for finding in report.findings]
    every += [(acceptance.finding, acceptance.reason) for acceptance in report.accepted]
    for finding, _ in every:
        known.setdefault(finding.code, {"id": finding.code})
    index = {code: number for number, code in enumerate(known)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "trainworks", "version": version, "rules": list(known.values())}},
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": note}} for note in report.notes
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, reason, index[finding.code], base) for finding, reason in every],
            }
        ],
    }


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.origin},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, reason: str, rule_index: int, base: Path) -> dict[str, Any]:
    text = f"{finding.place}: {finding.message}." + (f" Is: {finding.value}." if finding.value else "")
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{text} Fix: {finding.fix}" if finding.fix else text},
        "locations": [_location(finding, base)],
        "partialFingerprints": {"trainworks/v1": _fingerprint(finding)},
    }
    if _in_source(finding, base) and (template := _in_template(finding, base)):
        result["relatedLocations"] = [{"physicalLocation": template, "message": {"text": "the synthesized template"}}]
    if reason:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result


def _location(finding: Finding, base: Path) -> dict[str, Any]:
    logical = {"fullyQualifiedName": finding.place, "kind": "resource"}
    if finding.resource_type:
        logical["name"] = finding.logical_id
    physical = _in_source(finding, base) or _in_template(finding, base)
    return {"logicalLocations": [logical]} | ({"physicalLocation": physical} if physical else {})


def _in_source(finding: Finding, base: Path) -> dict[str, Any] | None:
    """The line of the code that made the resource: what a reviewer changes. None if the file is not here."""
    file, _, line = finding.source.rpartition(":")
    if not file or not Path(file).is_file():
        return None
    return _physical(Path(file), int(line), base)


def _in_template(finding: Finding, base: Path) -> dict[str, Any] | None:
    if not finding.template:
        return None
    line = _line_of(finding.template, finding.logical_id) if finding.logical_id else None
    return _physical(Path(finding.template), line or 1, base)


def _physical(file: Path, line: int, base: Path) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(file, base)}, "region": {"startLine": line}}


def _uri(path: Path, base: Path) -> str:
    """Relative below `base`, which is what code hosts can show; a file URI otherwise."""
    absolute = path.resolve()
    if absolute.is_relative_to(base.resolve()):
        return quote(absolute.relative_to(base.resolve()).as_posix())
    return absolute.as_uri()


@lru_cache(maxsize=1024)
def _line_of(template: str, logical_id: str) -> int | None:
    """The line in which a resource begins."""
    key = re.compile(rf'\s*"?{re.escape(logical_id)}"?\s*:')
    for number, line in enumerate(_lines(template), 1):
        if key.match(line):
            return number
    return None


@lru_cache(maxsize=64)
def _lines(template: str) -> tuple[str, ...]:
    return tuple(Path(template).read_text(encoding="utf-8").splitlines())


def _fingerprint(finding: Finding) -> str:
    """The same for the same finding in the next version of the template."""
    return hashlib.sha256(f"{finding.code}\0{finding.place}\0{finding.message}".encode()).hexdigest()[:32]
