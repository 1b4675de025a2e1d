"""Everything that takes tags has the platform's: by CloudFormation's own schemas, not by a list of ours."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.snapshot.platform import Platform, Resource
from trainworks.infra.parts.cost_control import COST_TAG

HOSTS = {"instance", "volume", "network-interface"}


@cache
def tag_property(resource_type: str) -> str | None:
    """The property that holds a type's tags; None for a type that takes none."""
    manager = pytest.importorskip("cfnlint.schema").PROVIDER_SCHEMA_MANAGER
    schema: dict[str, Any] = manager.get_resource_schema("us-east-1", resource_type).schema
    tagging = schema.get("tagging") or {}
    name = str(tagging.get("tagProperty", "/properties/Tags")).rpartition("/")[2]
    return name if tagging.get("taggable", True) and name in schema["properties"] else None


def tags(resource: Resource, name: str) -> dict[str, str]:
    found = resource.properties.get(name) or []
    return dict(found) if isinstance(found, dict) else {tag["Key"]: tag["Value"] for tag in found}


def test_every_resource_that_takes_tags_has_those_of_its_platform(platform: Platform) -> None:
    suffix = platform.outputs["EnvironmentSuffix"]
    expected = {
        "Project": "trainworks",
        "Environment": suffix,
        "Profile": platform.profile.name.value,
        COST_TAG: f"trainworks-{suffix}",
    }
    tagged = {each.logical_id: (each, name) for each in platform.resources() if (name := tag_property(each.type))}
    without = [key for key, (each, name) in tagged.items() if not expected.items() <= tags(each, name).items()]
    assert without == []
    # The budget and the monitor, whose property is called otherwise, are among them.
    assert {"AWS::Budgets::Budget", "AWS::CE::AnomalyMonitor", "AWS::Events::Rule"} <= {
        each.type for each, _ in tagged.values()
    }


def test_hosts_of_batch_and_their_volumes_are_tagged_by_the_launch_template(platform: Platform) -> None:
    template = platform.resource("AWS::EC2::LaunchTemplate")
    (own,) = template.properties["TagSpecifications"]
    specifications = template.properties["LaunchTemplateData"]["TagSpecifications"]
    assert {each["ResourceType"] for each in specifications} == HOSTS
    value = f"trainworks-{platform.outputs['EnvironmentSuffix']}"
    for each in [own, *specifications]:
        assert {"Key": COST_TAG, "Value": value} in each["Tags"]


def test_jobs_pass_their_tags_on(platform: Platform) -> None:
    assert platform.resource("AWS::Batch::JobDefinition").properties["PropagateTags"] is True
