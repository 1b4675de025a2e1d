"""How deployments are drawn for people and written for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.deploy.cloudformation import START
from trainworks.cli import platform_view as view
from trainworks.cli.output import Output
from trainworks.cost.price_files import shipped_prices
from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.changes import ResourceChange, StackChanges
from trainworks.deploy.deployer import UpResult
from trainworks.deploy.inventory import DeployedResource
from trainworks.deploy.progress import AssetUploaded, ChangesPlanned, Emptied, Notice, Progress, ResourceProgress
from trainworks.deploy.status import StatusReport
from trainworks.deploy.teardown import DownResult

ADDED = StackChanges("platform", (ResourceChange("Add", "Bucket", "Bucket1", "AWS::S3::Bucket"),))
AT = f"{START.astimezone():%H:%M:%S}"
LONG_ARN = "arn:aws:iam::123456789012:role/" + "a-very-long-role-name-" * 8


def _progress(status: str, reason: str = "") -> ResourceProgress:
    return ResourceProgress(START, "Storage/Models", "Storage", "Models1", "m", "AWS::S3::Bucket", status, reason)


def _drawn(renderable: Any) -> str:
    console = Console(file=io.StringIO(), width=80, soft_wrap=True)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("progress", "lines"),
    [
        (Notice("creating the bucket"), ["creating the bucket"]),
        (AssetUploaded(AssetUpload(Path("/x/network.json"), "file", "b", "k")), ["uploaded network.json"]),
        (ChangesPlanned(ADDED), ["platform: 1 to add"]),
        (Emptied("bucket", "models", 3), ["emptied bucket models: 3 deleted"]),
        (
            _progress("CREATE_FAILED", "No luck"),
            [f"{AT}  CREATE_FAILED                Storage/Models  (AWS::S3::Bucket): No luck"],
        ),
        (
            _progress("CREATE_IN_PROGRESS", "Resource creation Initiated"),
            [f"{AT}  CREATE_IN_PROGRESS           Storage/Models  (AWS::S3::Bucket)"],
        ),
    ],
)
def test_progress_is_plain_lines(progress: Progress, lines: list[str]) -> None:
    assert view.progress_lines(progress) == lines


def test_an_update_without_resource_changes_says_so() -> None:
    assert view.summary(StackChanges("platform")) == "platform: no resource changes, only outputs or metadata"


def test_json_progress_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with view.live(Output.JSON) as report:
        report(_progress("CREATE_COMPLETE"))
        report(Notice("done"))
    printed = capsys.readouterr()
    first, second = map(json.loads, printed.err.splitlines())
    assert (first["event"], first["place"], first["timestamp"][:10]) == (
        "ResourceProgress",
        "Storage/Models",
        "2026-01-05",
    )
    assert second == {"event": "Notice", "text": "done"}
    assert printed.out == ""


def test_outputs_are_never_folded() -> None:
    drawn = _drawn(view.up_text(UpResult("platform", "id", "CREATE_COMPLETE", True, {"RoleArn": LONG_ARN})))
    assert LONG_ARN in drawn


def test_an_unchanged_up_is_one_sentence() -> None:
    drawn = _drawn(view.up_text(UpResult("platform", "id", "UPDATE_COMPLETE", False, {"RoleArn": LONG_ARN})))
    assert drawn.strip() == "platform is up to date (UPDATE_COMPLETE): nothing to do"


def test_what_is_retained_is_listed_with_its_cost() -> None:
    kept = DeployedResource("Storage/Models", (), "Models", "models-1", "AWS::S3::Bucket", "CREATE_COMPLETE", True)
    result = DownResult("platform", existed=True, retained=(kept,))
    prices = shipped_prices("us-east-1")
    assert "models-1" in _drawn(view.down_text(result, prices))
    (record,) = view.down_record(result, prices)["retained"]
    assert "per GB" in record["cost_hint"]


def test_a_platform_that_is_not_there_names_the_fix() -> None:
    assert "trainworks up" in _drawn(view.status_text(StatusReport("platform")))
    assert view.status_record(StatusReport("platform"))["status"] == "NOT_DEPLOYED"
