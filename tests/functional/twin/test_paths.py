"""Resources whose ARN or name stands in a request's path are reached, whatever characters it has."""

from __future__ import annotations

import secrets

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin


def test_a_batch_definition_is_tagged_by_its_arn(twin: TestTwin) -> None:
    batch = twin.client("batch")
    container = {"image": "local/python:3", "vcpus": 1, "memory": 64, "command": ["true"]}
    arn = batch.register_job_definition(
        jobDefinitionName=f"d-{secrets.token_hex(4)}", type="container", containerProperties=container
    )["jobDefinitionArn"]
    batch.tag_resource(resourceArn=arn, tags={"a/b": "50% +ä"})
    assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"a/b": "50% +ä"}
    batch.untag_resource(resourceArn=arn, tagKeys=["a/b"])
    assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_a_schedule_group_and_a_resource_group_are_tagged_by_their_arns(twin: TestTwin) -> None:
    name = f"g-{secrets.token_hex(4)}"
    scheduler, groups = twin.client("scheduler"), twin.client("resource-groups")
    arn = scheduler.create_schedule_group(Name=name)["ScheduleGroupArn"]
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    query = {"Type": "TAG_FILTERS_1_0", "Query": '{"ResourceTypeFilters":["AWS::AllSupported"],"TagFilters":[]}'}
    arn = groups.create_group(Name=name, ResourceQuery=query)["Group"]["GroupArn"]
    groups.tag(Arn=arn, Tags={"k": "v"})
    assert groups.get_tags(Arn=arn)["Tags"] == {"k": "v"}


@pytest.mark.parametrize("name", ["a/b", "50%", "%2F", "a+b", "ä", "a b", "arn:aws:batch:eu-west-1:1:job-queue/a"])
def test_a_name_that_a_service_does_not_take_is_refused_as_such(twin: TestTwin, name: str) -> None:
    with pytest.raises(ClientError) as refused:
        twin.client("batch").list_tags_for_resource(resourceArn=name)
    assert refused.value.response["Error"]["Code"] in {"ClientException", "ResourceNotFoundException"}
