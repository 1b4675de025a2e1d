"""Every member of every served operation is used, recorded or refused, and the table is what the pinned code reads."""

from __future__ import annotations

import json

import pytest

from trainworks.twin import fidelity
from trainworks.twin.emulator.gates import UNGATED
from trainworks.twin.emulator.members import ledger, notes, reading
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES
from trainworks.twin.wire.models import service_model

SCOPES = [scope for scope in SERVICES if scope not in UNGATED]


@pytest.mark.slow
def test_the_table_is_what_the_pinned_emulator_reads() -> None:
    assert json.loads(reading.TABLE.read_text()) == reading.table(), f"run python -m {reading.__name__}"


@pytest.mark.parametrize("scope", SCOPES)
def test_each_member_of_a_served_operation_is_used_recorded_or_refused(scope: str) -> None:
    model = service_model(BOTOCORE_NAMES.get(scope, scope))
    assert ledger.served_operations(scope)
    for name in ledger.served_operations(scope):
        found = ledger.classified(scope, name)
        assert set(found) == {path for path, _ in reading.paths(model.operation_model(name))}
        assert set(found.values()) <= {"used", "recorded", "refused"}


def test_a_top_level_member_of_ours_that_no_code_reads_is_refused_or_its_operation_is_recorded() -> None:
    silent = [
        f"{entry.service}:{entry.operation} {path}"
        for entry in fidelity.table()
        if entry.service in {"sagemaker", "batch"} and entry.fidelity == "executed"
        for path, its in entry.members.items()
        if its == "recorded" and "." not in path
    ]
    assert silent == []


@pytest.mark.parametrize("table", [notes.USED, notes.RECORDED, notes.REFUSED])
def test_a_note_is_about_a_member_that_is_there(table: dict[str, frozenset[str]]) -> None:
    for scope, keys in table.items():
        paths = {
            spelled
            for name in ledger.served_operations(scope)
            for path in ledger.classified(scope, name)
            for spelled in (path, f"{name}.{path}")
        }
        assert set(keys) - paths == set()


def test_a_note_is_about_an_operation_that_is_there() -> None:
    for scope, names in notes.PRETENDED.items():
        model = service_model(BOTOCORE_NAMES.get(scope, scope))
        assert set(names) - set(model.operation_names) == set()


def test_the_page_lists_members_shortly() -> None:
    members = {"a": "used", "a.b": "recorded", "a.c": "recorded", "d": "refused", "d.e": "refused"}
    assert fidelity.collapsed(members, "recorded") == ["a.*"]
    assert fidelity.collapsed(members, "refused") == ["d"]


@pytest.mark.parametrize(
    ("scope", "operation", "params", "refused"),
    [
        ("events", "DeleteRule", {"Name": "r", "Force": True}, "Force"),
        ("events", "DeleteRule", {"Name": "r", "Force": False}, None),
        ("iam", "ListPolicies", {"OnlyAttached": True}, "OnlyAttached"),
        ("monitoring", "GetMetricData", {"LabelOptions": {"Timezone": "+0100"}}, "LabelOptions"),
        ("monitoring", "GetMetricData", {"ScanBy": "TimestampAscending"}, None),
        ("sns", "Subscribe", {"Protocol": "firehose"}, "Protocol: firehose"),
        ("sns", "Subscribe", {"Protocol": "sqs"}, None),
        (
            "monitoring",
            "PutMetricAlarm",
            {"AlarmActions": ["arn:aws:ssm:us-east-1:1:opsitem:1"]},
            "AlarmActions: arn:aws:ssm:us-east-1:1:opsitem:1",
        ),
        (
            "lambda",
            "CreateEventSourceMapping",
            {"EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s"},
            "EventSourceArn: arn:aws:kinesis:us-east-1:1:stream/s",
        ),
        ("dynamodb", "GetItem", {"Key": {"S": {"M": {}}}}, None),
        ("sns", "CreateTopic", {"Name": "t", "Tags": [{"Key": "k", "Value": "v"}]}, None),
    ],
)
def test_what_would_be_ignored_is_named(
    scope: str, operation: str, params: dict[str, object], refused: str | None
) -> None:
    found = ledger.Ledger(scope).refused(operation, params)
    assert (found or "").rpartition(".")[2] == (refused or "")
