"""Required members and values of SARIF 2.1.0: sections 3.13 (log), 3.14 (run), 3.27 (result), 3.28 (location)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.report import Acceptance, Report
from trainworks.preflight.rules import RULES
from trainworks.preflight.sarif import sarif

LEVELS = {"none", "note", "warning", "error"}


def test_a_result_points_to_the_code_that_made_the_resource(tmp_path: Path) -> None:
    code, template = tmp_path / "lib" / "storage.ts", tmp_path / "t.json"
    code.parent.mkdir()
    code.write_text("one\ntwo\n")
    template.write_text('{"Resources": {\n"Key": {"Type": "AWS::KMS::Key"}}}')
    known = Finding("TW21", Severity.ERROR, "Key", "AWS::KMS::Key", "Key", "m", "", "", str(template), f"{code}:2")
    elsewhere = replace(known, place="Other", source="/gone/storage.ts:2")
    log = sarif(Report((known, elsewhere)), RULES, "1", tmp_path)
    first, second = log["runs"][0]["results"]
    physical = first["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "lib/storage.ts"}, "region": {"startLine": 2}}
    in_template = {"artifactLocation": {"uri": "t.json"}, "region": {"startLine": 2}}
    assert [each["physicalLocation"] for each in first["relatedLocations"]] == [in_template]
    assert second["locations"][0]["physicalLocation"] == in_template
    assert "relatedLocations" not in second


@pytest.fixture
def log(tmp_path: Path) -> dict[str, Any]:
    template = tmp_path / "a folder" / "t.template.json"
    template.parent.mkdir()
    template.write_text(
        json.dumps({"Resources": {"Before": {"Type": "A"}, "Key": {"Type": "AWS::KMS::Key"}}}, indent=1)
    )
    found = Finding(
        "TW21", Severity.ERROR, "Storage/Key", "AWS::KMS::Key", "Key", "is lost", "Delete", "Retain", str(template)
    )
    scanned = Finding("cfn-lint/W3010", Severity.WARNING, "Outputs", "", "", "zones", "", "")
    report = Report((found, scanned), (Acceptance(found, "known"),), ("cdk-nag is not installed",))
    made: dict[str, Any] = json.loads(json.dumps(sarif(report, RULES, "1.2.3", tmp_path)))
    return made


def test_the_log_and_its_run(log: dict[str, Any]) -> None:
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "trainworks"
    assert run["tool"]["driver"]["version"] == "1.2.3"
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [
        "cdk-nag is not installed"
    ]


def test_rules_have_unique_ids_and_texts(log: dict[str, Any]) -> None:
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    ids = [rule["id"] for rule in rules]
    assert len(set(ids)) == len(ids)
    for rule in rules:
        if rule["id"].startswith("TW"):
            assert rule["shortDescription"]["text"]
            assert rule["fullDescription"]["text"]
            assert rule["defaultConfiguration"]["level"] in LEVELS


def test_results_refer_to_their_rules(log: dict[str, Any]) -> None:
    (run,) = log["runs"]
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())


def test_a_result_says_where(log: dict[str, Any]) -> None:
    first, scanned, _ = log["runs"][0]["results"]
    (location,) = first["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "a%20folder/t.template.json"
    assert location["physicalLocation"]["region"]["startLine"] == 6
    assert location["logicalLocations"] == [{"fullyQualifiedName": "Storage/Key", "kind": "resource", "name": "Key"}]
    assert "physicalLocation" not in scanned["locations"][0]


def test_an_accepted_finding_is_suppressed(log: dict[str, Any]) -> None:
    first, _, accepted = log["runs"][0]["results"]
    assert "suppressions" not in first
    assert accepted["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "known"}]
    assert accepted["partialFingerprints"] == first["partialFingerprints"]
