"""How drift looks: one line a resource, one line a property below it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.text import Text

from trainworks.cli.addressed import addressed
from trainworks.deploy.drift import DriftReport, PropertyDrift, ResourceDrift

_LONGEST_VALUE = 120
_NOTHING = "null"


def drift_text(report: DriftReport | None) -> Text:
    """The report for people; None says that nothing could be compared."""
    if report is None:
        return Text("drift: nothing is deployed, or an operation is under way")
    looked = f"{report.checked} resources compared"
    unread = f"; CloudFormation does not compare {', '.join(report.unchecked_types)}" if report.unchecked_types else ""
    if not report.drifted and not report.failures:
        return Text(f"drift: none, {looked}{unread}")
    text = Text(f"drift: {len(report.drifted)} changed outside of CloudFormation, {looked}{unread}\n", style="bold")
    for drift in report.drifted:
        text.append("\n".join(_lines(drift)) + "\n", style="yellow")
    for failure in report.failures:
        text.append(f"  not compared: {failure}\n", style="red")
    text.append(addressed("`trainworks up` leaves drift as it is; change it back, or put it into the definition"))
    return text


def drift_record(report: DriftReport | None) -> dict[str, Any] | None:
    """The report for programs."""
    return None if report is None else asdict(report)


def _lines(drift: ResourceDrift) -> list[str]:
    reason = f": {drift.reason}" if drift.reason else ""
    head = f"  ! {drift.place}  ({drift.resource_type})  {drift.status}{reason}"
    return [head, *(f"      {_property(each)}" for each in drift.differences)]


def _property(drift: PropertyDrift) -> str:
    path = drift.path.lstrip("/").replace("/", ".")
    if drift.expected == _NOTHING:
        return f"{path}: added {_short(drift.actual)}"
    if drift.actual == _NOTHING:
        return f"{path}: removed {_short(drift.expected)}"
    return f"{path}: {_short(drift.expected)} -> {_short(drift.actual)}"


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
