"""Accepted findings: a TOML file that says which, why, and since when.

[[accepted]]
code = "TW27"                      a rule's or scanner's code; patterns are allowed (`patterns`)
place = "Batch/*"                  the construct path; patterns are allowed
reason = "the quota was raised"    why it stands; an entry without a reason is refused
date = 2026-01-31                  when somebody decided so
expires = 2026-07-31               optional: reported again from the next day on
message = "*"                      optional: only findings that say so; patterns are allowed
environments = ["prod"]            optional: only in these environments of trainworks.toml
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from trainworks.config.toml_lines import parse_toml
from trainworks.errors import ConfigurationError
from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.patterns import matches
from trainworks.preflight.report import Acceptance, Report

FILE_NAME = "trainworks-baseline.toml"
"""The file's name; it is looked for next to `trainworks.toml`."""

_MAX_NAMED = 3
_PLATFORM = "platform-baseline.toml"
_REQUIRED = {"code": str, "place": str, "reason": str, "date": datetime.date}
_STRING = r"""\"{3}(?s:(?:[^\\]|\\.)*?)\"{3}|'{3}(?s:.*?)'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
_TOKEN = re.compile(
    rf"""(?:^|[{{,])[ \t]*(?:reason|"reason"|'reason')[ \t]*=[ \t]*(?P<reason>{_STRING})|#[^\n]*|{_STRING}""",
    re.MULTILINE,
)
"""A reason, a comment, or another string: what looks like a reason inside of these is none."""
_OPTIONAL = {"expires": datetime.date, "message": str, "environments": list}


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted kind of finding. `environments` is empty for all."""

    code: str
    place: str
    reason: str
    date: datetime.date
    expires: datetime.date | None = None
    message: str = "*"
    environments: tuple[str, ...] = ()

    def accepts(self, finding: Finding) -> bool:
        return (
            matches(self.code, finding.code)
            and matches(self.place, finding.place)
            and matches(self.message, finding.message)
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of one file. `reports_stale`: an entry that matches nothing is reported."""

    name: str
    entries: tuple[Entry, ...]
    reports_stale: bool = True

    def apply(
        self, report: Report, today: datetime.date, environment: str = "", looked_for: Iterable[str] = ("TW",)
    ) -> Report:
        """`report` with what is accepted set apart, and what is wrong with entries added.

        `looked_for` are the beginnings of the codes that the check looked for: only entries for these can be stale.
        """
        entries = [each for each in self.entries if not each.environments or environment in each.environments]
        valid = [each for each in entries if each.expires is None or today <= each.expires]
        accepted = {
            finding: entry
            for finding in report.findings
            if (entry := next((each for each in valid if each.accepts(finding)), None))
        }
        standing = [finding for finding in report.findings if finding not in accepted]
        standing += [self._expired(entry) for entry in entries if entry not in valid]
        if self.reports_stale:
            used = [entry for entry in valid if any(entry.accepts(finding) for finding in report.findings)]
            beginnings = tuple(looked_for)
            stale = [entry for entry in valid if entry not in used and entry.code.startswith(beginnings)]
            standing += [self._stale(entry) for entry in stale]
        acceptances = tuple(Acceptance(finding, entry.reason) for finding, entry in accepted.items())
        return Report(Report.of(standing).findings, report.accepted + acceptances, report.notes)

    def _expired(self, entry: Entry) -> Finding:
        return self._finding(
            "baseline/expired",
            entry,
            f"was accepted only until {entry.expires}",
            "decide again, or correct the finding",
        )

    def _stale(self, entry: Entry) -> Finding:
        return self._finding("baseline/stale", entry, "the entry matches no finding any more", "remove the entry")

    def _finding(self, code: str, entry: Entry, message: str, fix: str) -> Finding:
        return Finding(code, Severity.WARNING, entry.place, "", "", message, f"{entry.code} in {self.name}", fix)


def load_baseline(path: Path) -> Baseline:
    """Read a baseline file. Raises `ConfigurationError` if it is not one, or an entry lacks its reason or date."""
    return parse_baseline(baseline_text(path), str(path))


def baseline_text(path: Path) -> str:
    """What the file says, with its ends of lines as they are. Raises `ConfigurationError`."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}", fix="name a baseline file in TOML"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text", fix="name a baseline file in TOML") from error


def platform_baseline() -> Baseline:
    """What scanners report about the platform as it is shipped, and why it is accepted.

    Some entries are for one profile alone.
    """
    text = resources.files("trainworks.preflight").joinpath("data", _PLATFORM).read_text(encoding="utf-8")
    return parse_baseline(text, _PLATFORM, reports_stale=False)


def parse_baseline(text: str, name: str, *, reports_stale: bool = True) -> Baseline:
    """The baseline that `text` says. Raises `ConfigurationError`."""
    document = parse_toml(text, name)
    tables = document.get("accepted", [])
    if document.keys() - {"accepted"} or not isinstance(tables, list):
        wrong = ", ".join(sorted(document)) or "nothing"
        raise ConfigurationError(f"{name}: has {wrong}", fix="write each accepted finding as a table [[accepted]]")
    entries = tuple(_entry(table, f"{name}: entry {number}") for number, table in enumerate(tables, 1))
    _refuse_without_reasons(name, entries)
    return Baseline(name, entries, reports_stale)


def _refuse_without_reasons(name: str, entries: Iterable[Entry]) -> None:
    """All of them at once: who updates a baseline has to fill in as many."""
    empty = [
        f"entry {number} ({each.code} at {each.place})" for number, each in enumerate(entries, 1) if not each.reason
    ]
    if empty:
        shown, more = ", ".join(empty[:_MAX_NAMED]), len(empty) - _MAX_NAMED
        has = "has" if len(empty) == 1 else "have"
        raise ConfigurationError(
            f"{name}: {shown}{f' and {more} more' if more > 0 else ''} {has} no reason",
            fix="write down why each of them stands, or give them all one reason: --update-baseline --reason TEXT",
        )


def _entry(table: Any, where: str) -> Entry:
    keys = {**_REQUIRED, **_OPTIONAL}
    if not isinstance(table, Mapping) or not table.keys() <= keys.keys() or not _REQUIRED.keys() <= table.keys():
        given = ", ".join(table) if isinstance(table, Mapping) else repr(table)
        raise ConfigurationError(
            f"{where} has {given or 'no keys'}",
            fix=f"it needs {', '.join(_REQUIRED)}, and may have {', '.join(_OPTIONAL)}",
        )
    for key, value in table.items():
        if not isinstance(value, keys[key]):
            raise ConfigurationError(f"{where}: {key} is {value!r}", fix=f"a {keys[key].__name__}")
    environments = tuple(str(each) for each in table.get("environments", []))
    return Entry(**{**table, "reason": table["reason"].strip(), "environments": environments})


def with_reason(text: str, reason: str) -> str:
    """A baseline file in which each entry that has no reason yet is given this one, however TOML may write none.

    Nothing else of the file changes. A text that is not a baseline stays as it is; its reader says what is wrong.
    """
    given = _string(reason)
    parts, end = [], 0
    for match in _TOKEN.finditer(text):
        if match["reason"] is not None and not _said(match["reason"]).strip():
            parts += [text[end : match.start("reason")], given]
            end = match.end("reason")
    filled = "".join([*parts, text[end:]])
    try:
        is_meant = tomllib.loads(filled) == _filled(tomllib.loads(text), _said(given))
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return filled if is_meant else text


def _said(value: str) -> str:
    """What a TOML string says; one that is none says something that nobody fills in."""
    try:
        return str(tomllib.loads(f"value = {value}")["value"])
    except tomllib.TOMLDecodeError:
        return value


def _filled(document: dict[str, Any], reason: str) -> dict[str, Any]:
    """The document once each entry has a reason."""
    tables = document.get("accepted")
    if not isinstance(tables, list):
        return document
    return {**document, "accepted": [{**each, "reason": reason} if _lacks_reason(each) else each for each in tables]}


def _lacks_reason(table: Any) -> bool:
    reason = table.get("reason") if isinstance(table, Mapping) else None
    return isinstance(reason, str) and not reason.strip()


def appended(text: str, entries: str, name: str) -> str:
    """A baseline file with more entries. Raises `ConfigurationError` if none can be added."""
    if not entries:
        return text
    try:
        tomllib.loads(text + entries)
    except tomllib.TOMLDecodeError as error:
        parse_toml(text, name)
        raise ConfigurationError(
            f"{name}: no entry can be added: {error}", fix="write each accepted finding as a table [[accepted]]"
        ) from error
    return text + entries


def entries_for(findings: Iterable[Finding], today: datetime.date, reason: str = "") -> str:
    """Entries for a baseline file; without a reason they are refused until somebody fills it in."""
    blocks = [
        "\n".join(
            [
                "",
                f"# {finding.severity}: {' '.join(finding.message.split())}",
                "[[accepted]]",
                f"code = {_quoted(finding.code)}",
                f"place = {_quoted(finding.place)}",
                f"reason = {_string(reason)}",
                f"date = {today.isoformat()}",
                "",
            ]
        )
        for finding in findings
        if not finding.code.startswith("baseline/")
    ]
    return "".join(dict.fromkeys(blocks))


def _quoted(text: str) -> str:
    """A TOML string in which wildcards of the text stand for themselves."""
    return _string(text.replace("*", "[*]").replace("?", "[?]"))


def _string(text: str) -> str:
    """A TOML string: as JSON has it, but for the halves of characters that JSON escapes, and for DEL."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
