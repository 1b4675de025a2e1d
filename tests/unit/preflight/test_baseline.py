from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.errors import ConfigurationError
from trainworks.preflight.baseline import appended, entries_for, load_baseline, parse_baseline, with_reason
from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.patterns import matches
from trainworks.preflight.report import Report

TODAY = date(2026, 3, 1)
FINDING = Finding("TW27", Severity.ERROR, "Batch/Spot", "AWS::Batch::ComputeEnvironment", "Spot", "too much", "9", "")
OTHER = Finding("TW21", Severity.ERROR, "Storage/Key", "AWS::KMS::Key", "Key", "is lost", "Delete", "Retain")
REPORT = Report.of([FINDING, OTHER])


def entry(**changes: object) -> str:
    values = {"code": '"TW27"', "place": '"Batch/*"', "reason": '"raised"', "date": "2026-01-31", **changes}
    return "[[accepted]]\n" + "\n".join(f"{key} = {value}" for key, value in values.items() if value is not None) + "\n"


def test_an_accepted_finding_is_set_apart_with_its_reason() -> None:
    report = parse_baseline(entry(), "b").apply(REPORT, TODAY)
    assert report.findings == (OTHER,)
    assert [(each.finding, each.reason) for each in report.accepted] == [(FINDING, "raised")]


@pytest.mark.parametrize("changes", [{"code": '"TW2"'}, {"place": '"Spot"'}, {"message": '"too little"'}])
def test_an_entry_accepts_only_what_it_says_and_is_stale_otherwise(changes: dict[str, object]) -> None:
    report = parse_baseline(entry(**changes), "b").apply(REPORT, TODAY)
    assert FINDING in report.findings
    assert [each.code for each in report.warnings] == ["baseline/stale"]


def test_an_entry_for_what_was_not_looked_for_is_not_stale() -> None:
    baseline = parse_baseline(entry(code='"cfn-lint/W3010"'), "b")
    assert baseline.apply(REPORT, TODAY).findings == REPORT.findings
    codes = [each.code for each in baseline.apply(REPORT, TODAY, looked_for=("TW", "cfn-lint/")).warnings]
    assert codes == ["baseline/stale"]


def test_an_entry_expires_the_day_after() -> None:
    baseline = parse_baseline(entry(expires="2026-03-01"), "b")
    assert FINDING not in baseline.apply(REPORT, TODAY).findings
    report = baseline.apply(REPORT, date(2026, 3, 2))
    assert FINDING in report.findings
    assert [each.code for each in report.warnings] == ["baseline/expired"]


def test_an_entry_for_one_environment() -> None:
    baseline = parse_baseline(entry(environments='["prod"]'), "b")
    assert FINDING not in baseline.apply(REPORT, TODAY, "prod").findings
    assert baseline.apply(REPORT, TODAY, "dev").findings == REPORT.findings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accepted = 3", "[[accepted]]"),
        ("[[known]]", "[[accepted]]"),
        ("[[accepted", "not valid TOML"),
        (entry(reason=None), "it needs code, place, reason, date"),
        (entry(reason='" "'), "has no reason"),
        (entry(date='"2026-01-31"'), "a date"),
        (entry(since="2026-01-31"), "it needs code"),
        (entry(environments='"prod"'), "a list"),
    ],
)
def test_a_bad_baseline_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "baseline.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_baseline(path)
    assert str(path) in str(refused.value)
    assert says in str(refused.value)


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml"):
        load_baseline(tmp_path / "none.toml")


def test_new_entries_are_refused_until_they_have_a_reason_and_then_accept_exactly_their_findings() -> None:
    nag = Finding("cdk-nag/IAM5[Resource::a/*]", Severity.ERROR, "A/Role", "", "", "wild\ncards", "", "")
    text = entries_for([FINDING, nag], TODAY)
    with pytest.raises(ConfigurationError, match="have no reason"):
        parse_baseline(text, "b")
    baseline = parse_baseline(text.replace('reason = ""', 'reason = "known"'), "b")
    assert baseline.apply(Report.of([FINDING, nag]), TODAY).findings == ()


@given(st.text(alphabet="ab*?[]/:", max_size=12))
def test_a_text_matches_itself_once_its_wildcards_are_literal(text: str) -> None:
    literal = text.replace("[", "\0").replace("*", "[*]").replace("?", "[?]").replace("\0", "[")
    if "[[*]" not in literal and "[[?]" not in literal:
        assert matches(literal, text)
    assert matches("*", text)


def test_brackets_stand_for_themselves() -> None:
    assert matches("IAM5[Resource::[*]]", "IAM5[Resource::*]")
    assert not matches("IAM5[Resource::[*]]", "IAM5[Resource::x]")
    assert matches("IAM5[Resource::*:cluster/[*]]", "IAM5[Resource::arn:aws:ecs:cluster/*]")
    assert not matches("Batch/?", "Batch/AB")


@given(st.text(st.characters(codec=None), min_size=1), st.text(st.characters(codec=None), min_size=1))
def test_what_is_written_can_be_read_again_whatever_is_in_it(reason: str, place: str) -> None:
    finding = Finding("TW27", Severity.ERROR, place, "", "", "m", "", "")
    for written in (entries_for([finding], TODAY, reason), with_reason(entries_for([finding], TODAY), reason)):
        (entry,) = parse_baseline(written, "b").entries if reason.strip() else (None,)
        if entry is not None and not any(0xD800 <= ord(each) < 0xE000 for each in reason + place):
            assert entry.reason == reason.strip()
            assert entry.accepts(finding)


def test_a_reason_may_have_any_character() -> None:
    written = entries_for([FINDING], TODAY, "known \U0001f44d \x7f")
    assert parse_baseline(written, "b").entries[0].reason == "known \U0001f44d \x7f"


@given(
    empties=st.lists(
        st.sampled_from(['""', "''", '"  "', "'\t'", '""""""', "'''\n'''", '"\\n \\u0020"', '"was known"', "'known'"]),
        min_size=1,
    ),
    comment=st.sampled_from(["", "# reason = ''\n", '# {reason = ""}\n']),
    message=st.sampled_from(['"*"', "'''\nreason = ''\n'''", "'reason = \"\"'", '"""\nreason = \\"\\""""']),
    inline=st.booleans(),
    key=st.sampled_from(["reason", '"reason"', "'reason'"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_empty_reason_is_filled_however_toml_writes_it_and_nothing_else_changes(
    *, empties: list[str], comment: str, message: str, inline: bool, key: str, end: str
) -> None:
    rows = [f"code = 'TW01'|place = '*'|{key}={value}|date = 2026-01-31|message = {message}" for value in empties]
    if inline:
        text = comment + "accepted = [" + ",\n".join(f"{{ {row.replace('|', ', ')} }}" for row in rows) + "]\n"
    else:
        text = "".join(f"{comment}[[accepted]]\n" + row.replace("|", "\n") + " # reason = ''\n" for row in rows)
    text = text.replace("\n", end)
    filled = with_reason(text, "given")
    before, after = tomllib.loads(text)["accepted"], tomllib.loads(filled)["accepted"]
    assert after == [each if each["reason"].strip() else {**each, "reason": "given"} for each in before]
    assert filled.count("'TW01'") == len(rows)
    assert filled.count("#") == text.count("#")
    assert filled.count(end) >= text.count(end) - sum(end in value for value in empties) - len(rows)


@given(text=st.text(alphabet="reason ='\"\n\\#[]accepted{},"))
def test_a_text_that_is_no_baseline_stays_as_it_is(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert with_reason(text, "given") == text


def test_what_cannot_take_another_entry_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="b: no entry can be added"):
        appended("accepted = []\n", entry(), "b")
    with pytest.raises(ConfigurationError, match=r"^b: "):
        appended("accepted = [\n", entry(), "b")
