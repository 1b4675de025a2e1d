"""Change sets of nested stacks, and answers as clients in other languages read them."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin


def _deployed(twin: TestTwin, name: str) -> tuple[Any, str]:
    """A stack with one nested stack that has a topic; the client and the root template with another nested one."""
    s3, cloudformation = twin.client("s3"), twin.client("cloudformation")
    s3.create_bucket(Bucket=name)

    def root(display_name: str) -> str:
        nested = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": display_name}}}}
        s3.put_object(Bucket=name, Key=display_name, Body=json.dumps(nested).encode())
        url = f"https://s3.us-east-1.amazonaws.com/{name}/{display_name}"
        return json.dumps(
            {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}}
        )

    cloudformation.create_stack(StackName=name, TemplateBody=root("one"))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return cloudformation, root("two")


def test_nested_change_sets_live_and_die_with_the_root(twin: TestTwin) -> None:
    name = f"nested-{uuid4().hex[:8]}"
    cloudformation, template = _deployed(twin, name)
    created = cloudformation.create_change_set(
        StackName=name, ChangeSetName="change", TemplateBody=template, IncludeNestedStacks=True
    )
    root = cloudformation.describe_change_set(ChangeSetName=created["Id"])
    (change,) = root["Changes"]
    nested_id = change["ResourceChange"]["ChangeSetId"]
    nested = cloudformation.describe_change_set(ChangeSetName=nested_id)
    assert (nested["ParentChangeSetId"], nested["RootChangeSetId"]) == (created["Id"], created["Id"])
    (inner,) = nested["Changes"]
    assert inner["ResourceChange"]["LogicalResourceId"] == "Topic"
    assert [detail["Target"]["Name"] for detail in inner["ResourceChange"]["Details"]] == ["DisplayName"]

    with pytest.raises(ClientError, match="execute its root"):
        cloudformation.execute_change_set(ChangeSetName=nested_id)
    cloudformation.delete_change_set(ChangeSetName=created["Id"])
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_change_set(ChangeSetName=nested_id)


def test_without_the_parameter_nothing_nested_is_described(twin: TestTwin) -> None:
    name = f"nested-{uuid4().hex[:8]}"
    cloudformation, template = _deployed(twin, name)
    created = cloudformation.create_change_set(StackName=name, ChangeSetName="change", TemplateBody=template)
    (change,) = cloudformation.describe_change_set(ChangeSetName=created["Id"])["Changes"]
    assert "ChangeSetId" not in change["ResourceChange"]


def test_an_answer_has_one_date(twin: TestTwin) -> None:
    """Two of them are an invalid date to the AWS SDK for JavaScript, which corrects its clock by it."""
    signed: dict[str, Any] = {}
    sts = twin.client("sts")
    sts.meta.events.register("before-send.sts", lambda request, **_: signed.update(request=request))
    sts.get_caller_identity()
    request, address = signed["request"], urlsplit(twin.endpoint_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    connection.request(request.method, "/", request.body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    assert len(answer.headers.get_all("date") or []) == 1
