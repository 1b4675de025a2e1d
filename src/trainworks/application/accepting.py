"""The file of accepted findings: which it is, what it accepts, and how what stands is added to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trainworks.config.environment import find_file
from trainworks.preflight.baseline import (
    FILE_NAME,
    Baseline,
    appended,
    baseline_text,
    entries_for,
    parse_baseline,
    with_reason,
)
from trainworks.preflight.report import Report
from trainworks.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class BaselineUpdate:
    """The baseline that was written: how many entries were added, and whether they have their reason."""

    path: Path
    added: int
    has_reasons: bool


def baseline_path(named: Path | None) -> Path | None:
    """The file that was named, or the one next to `trainworks.toml`."""
    configuration = find_file(Path.cwd())
    beside = configuration.parent / FILE_NAME if configuration else Path.cwd() / FILE_NAME
    return named or (beside if beside.is_file() else None)


def accepted_by(path: Path, reason: str) -> Baseline:
    """The baseline as the file says it; entries that are about to be given their reason count as if they had it."""
    text = baseline_text(path)
    return parse_baseline(with_reason(text, reason) if reason else text, str(path))


def accept(path: Path, report: Report, reason: str) -> tuple[BaselineUpdate, Baseline | None]:
    """Add an entry for each finding that stands; the baseline as it is then, where its entries have their reason.

    The file is read again, as somebody may have written it during the check, and written once, whole.
    """
    entries = entries_for(report.findings, datetime.now(UTC).date(), reason)
    before = baseline_text(path) if path.exists() else ""
    text = appended(with_reason(before, reason) if reason else before, entries, str(path))
    baseline = parse_baseline(text, str(path)) if reason else None
    if text != before or not path.exists():
        write_whole(path, text)
    return BaselineUpdate(path, entries.count("[[accepted]]"), bool(reason)), baseline
