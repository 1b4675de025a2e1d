"""Recorded resources through the door: many writers at once, tags and who may set them, lists and their tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.functional.twin.iam import allow, code, deny, message, new, role, user

from trainworks.testing import TestTwin

WRITERS = 8
TEAM = [{"Key": "team", "Value": "ml"}]


@pytest.fixture
def notebook(twin: TestTwin) -> Iterator[dict[str, str]]:
    """A notebook instance: its name and ARN."""
    sagemaker, name = twin.client("sagemaker"), new("notebook")
    given = {"InstanceType": "ml.t3.medium", "RoleArn": role(twin, {"Service": "sagemaker.amazonaws.com"})}
    arn = sagemaker.create_notebook_instance(NotebookInstanceName=name, Tags=TEAM, **given)["NotebookInstanceArn"]
    yield {"name": name, "arn": arn}
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)


def test_what_many_change_at_once_is_all_there(twin: TestTwin, notebook: dict[str, str]) -> None:
    sagemaker, ce = twin.client("sagemaker"), twin.client("ce")
    by_tag = {"MonitorType": "CUSTOM", "MonitorSpecification": {"Tags": {"Key": "k", "Values": ["v"]}}}
    monitor = ce.create_anomaly_monitor(AnomalyMonitor={"MonitorName": "m", **by_tag})["MonitorArn"]
    changes: list[dict[str, Any]] = [
        {"InstanceType": "ml.t3.large"}, {"VolumeSizeInGB": 9}, {"RootAccess": "Disabled"},
        {"DefaultCodeRepository": "code"}, {"PlatformIdentifier": "notebook-al2-v2"},
    ]  # fmt: skip

    def write(number: int) -> None:
        tag = {"Key": f"k{number}", "Value": str(number)}
        sagemaker.add_tags(ResourceArn=notebook["arn"], Tags=[tag])
        ce.tag_resource(ResourceArn=monitor, ResourceTags=[tag])
        ce.update_anomaly_monitor(MonitorArn=monitor, MonitorName=f"m{number}")
        sagemaker.update_notebook_instance(NotebookInstanceName=notebook["name"], **changes[number % len(changes)])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(3 * WRITERS)))
    wanted = {f"k{number}": str(number) for number in range(3 * WRITERS)}
    tags = sagemaker.list_tags(ResourceArn=notebook["arn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == wanted | {"team": "ml"}
    tags = ce.list_tags_for_resource(ResourceArn=monitor)["ResourceTags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == wanted
    shown = sagemaker.describe_notebook_instance(NotebookInstanceName=notebook["name"])
    assert all(change.items() <= shown.items() for change in changes)
    ce.delete_anomaly_monitor(MonitorArn=monitor)


def test_a_policy_says_which_tags_may_be_set(twin: TestTwin, notebook: dict[str, str]) -> None:
    by_key = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["owner"]}}
    _, session = user(twin, allow("*"), deny(["sagemaker:AddTags", "sagemaker:DeleteTags"], Condition=by_key))
    sagemaker, arn = twin.client("sagemaker", session), notebook["arn"]
    assert code(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}]) == "OK"
    refused = "is not authorized to perform: sagemaker:"
    assert f"{refused}AddTags" in message(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "owner", "Value": "1"}])
    assert f"{refused}DeleteTags" in message(sagemaker.delete_tags, ResourceArn=arn, TagKeys=["a", "owner"])
    create, name = sagemaker.create_notebook_instance_lifecycle_config, new("config")
    given = {"NotebookInstanceLifecycleConfigName": name}
    assert f"{refused}AddTags" in message(create, **given, Tags=[{"Key": "owner", "Value": "1"}])
    assert code(sagemaker.describe_notebook_instance_lifecycle_config, **given) == "ValidationException"
    assert code(create, **given, Tags=TEAM) == "OK"
    sagemaker.delete_notebook_instance_lifecycle_config(**given)


def test_tags_are_of_what_is_there_and_none_is_reserved(twin: TestTwin, notebook: dict[str, str]) -> None:
    sagemaker, arn = twin.client("sagemaker"), notebook["arn"]
    assert "not found" in message(sagemaker.list_tags, ResourceArn=f"{arn}-gone")
    other = arn.replace(":notebook-instance/", ":pipeline/")
    assert f"only, not of {other}" in message(sagemaker.list_tags, ResourceArn=other)
    reserved = [{"Key": "AWS:x", "Value": ""}]
    assert "reserved" in message(sagemaker.add_tags, ResourceArn=arn, Tags=reserved)


def test_a_list_is_whole_page_by_page_and_refuses_a_token_that_was_made_up(twin: TestTwin) -> None:
    sagemaker, prefix, configs = twin.client("sagemaker"), new("paged"), "NotebookInstanceLifecycleConfigs"
    before = datetime.now(UTC)
    names = [f"{prefix}-{number}" for number in range(5)]
    for name in names:
        sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)
    asked = {
        "NameContains": prefix.upper(), "SortBy": "Name", "SortOrder": "Descending",
        "CreationTimeAfter": before - timedelta(seconds=1),
    }  # fmt: skip
    pages = sagemaker.get_paginator("list_notebook_instance_lifecycle_configs").paginate(
        **asked, PaginationConfig={"PageSize": 2}
    )
    found = [each["NotebookInstanceLifecycleConfigName"] for page in pages for each in page[configs]]
    assert found == names[::-1]
    first = sagemaker.list_notebook_instance_lifecycle_configs(**asked, MaxResults=1)
    question, _ = json.loads(base64.urlsafe_b64decode(first["NextToken"]))
    for after in ([], [1], [{}], ["a", "b"], None):
        forged = base64.urlsafe_b64encode(json.dumps([question, after]).encode()).decode()
        told = message(sagemaker.list_notebook_instance_lifecycle_configs, **asked, NextToken=forged)
        assert "NextToken is invalid" in told
    for name in names:
        sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)


def test_a_policy_may_ask_for_a_tag_of_the_resource(twin: TestTwin, notebook: dict[str, str]) -> None:
    ours = {"StringEquals": {"aws:ResourceTag/team": "ml"}}
    theirs = {"StringEquals": {"sagemaker:ResourceTag/team": "other"}}
    _, session = user(twin, allow(["sagemaker:*", "ce:*"], Condition=ours), deny("sagemaker:Stop*", Condition=theirs))
    sagemaker, ce, root = twin.client("sagemaker", session), twin.client("ce", session), twin.client("sagemaker")
    named = {"NotebookInstanceName": notebook["name"]}
    assert code(sagemaker.start_notebook_instance, **named) == "OK"
    root.add_tags(ResourceArn=notebook["arn"], Tags=[{"Key": "team", "Value": "other"}])
    assert code(sagemaker.describe_notebook_instance, **named) == "AccessDeniedException"
    _, session = user(twin, allow("sagemaker:*"), deny("sagemaker:Stop*", Condition=theirs))
    assert code(twin.client("sagemaker", session).stop_notebook_instance, **named) == "AccessDeniedException"
    root.stop_notebook_instance(**named)
    by_tag = {"MonitorType": "CUSTOM", "MonitorSpecification": {"Tags": {"Key": "k", "Values": ["v"]}}}
    made = {"AnomalyMonitor": {"MonitorName": "m", **by_tag}}
    monitors = [
        twin.client("ce").create_anomaly_monitor(**made, ResourceTags=tags)["MonitorArn"] for tags in (TEAM, [])
    ]
    renamed = [code(ce.update_anomaly_monitor, MonitorArn=arn, MonitorName="n") for arn in monitors]
    assert renamed == ["OK", "AccessDeniedException"]
    for arn in monitors:
        twin.client("ce").delete_anomaly_monitor(MonitorArn=arn)
