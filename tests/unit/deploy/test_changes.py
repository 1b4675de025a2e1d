"""Change sets as records, and how they are drawn."""

from __future__ import annotations

from typing import Any

from tests.unit.deploy.cloudformation import NETWORK_ID, FakeCloudFormation
from trainworks.assembly.places import Places
from trainworks.cli.platform_view import change_lines
from trainworks.deploy.changes import ChangeSetReader, Replacement, StackChanges, changes_of_creation
from trainworks.deploy.events import STACK_TYPE

PLACES = Places("platform", {((), "Bucket1A2B"): "Storage/Bucket/Resource"})
TEMPLATES: dict[tuple[str, ...], dict[str, Any]] = {
    (): {"Resources": {"Bucket1A2B": {"Type": "AWS::S3::Bucket"}, "Network": {"Type": STACK_TYPE}}},
    ("Network",): {"Resources": {"Vpc": {"Type": "AWS::EC2::VPC"}, "Subnet": {"Type": "AWS::EC2::Subnet"}}},
}


def _change(action: str, logical_id: str, resource_type: str, **more: Any) -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": logical_id, "ResourceType": resource_type, **more}


def _detail(name: str, attribute: str = "Properties") -> dict[str, Any]:
    target = {"Attribute": attribute} | ({"Name": name} if attribute == "Properties" else {})
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def _read(change_sets: dict[str, list[dict[str, Any]]], **more: Any) -> StackChanges:
    client = FakeCloudFormation(change_sets=change_sets, **more)
    return ChangeSetReader(PLACES, TEMPLATES).read(client, "root", ())  # type: ignore[arg-type]


def test_a_creation_adds_everything_of_every_template() -> None:
    changes = changes_of_creation(PLACES, TEMPLATES)
    assert [(c.action, c.place) for c in changes.walk()] == [
        ("Add", "Storage/Bucket"),
        ("Add", "Network/Subnet"),
        ("Add", "Network/Vpc"),
    ]


def test_a_modification_names_its_properties_once_and_its_replacement() -> None:
    changes = _read(
        {
            "root": [
                _change(
                    "Modify",
                    "Bucket1A2B",
                    "AWS::S3::Bucket",
                    PhysicalResourceId="models",
                    Replacement="True",
                    PolicyAction="ReplaceAndRetain",
                    Details=[_detail("BucketName"), _detail("BucketName"), _detail("", "DeletionPolicy")],
                )
            ]
        }
    )
    (change,) = changes.walk()
    assert change.properties == ("BucketName", "DeletionPolicy")
    assert (change.replacement, change.retained, change.physical_id) == (Replacement.TRUE, True, "models")
    assert changes.replaced == (change,)


def test_nested_change_sets_are_read_and_empty_ones_left_out() -> None:
    nested = _change("Modify", "Network", STACK_TYPE, ChangeSetId="nested", Replacement="False")
    vpc = _change("Modify", "Vpc", "AWS::EC2::VPC", Replacement="Conditional", Details=[_detail("CidrBlock")])
    changes = _read({"root": [nested], "nested": [vpc]})
    assert [(c.place, c.replacement) for c in changes.walk()] == [("Network/Vpc", Replacement.CONDITIONAL)]
    assert _read({"root": [nested], "nested": []}).is_empty


def test_an_added_nested_stack_is_listed_from_its_template() -> None:
    changes = _read({"root": [_change("Add", "Network", STACK_TYPE)]})
    assert [c.place for c in changes.walk()] == ["Network/Subnet", "Network/Vpc"]


def test_a_removed_nested_stack_is_listed_from_what_is_deployed() -> None:
    deployed = {
        "LogicalResourceId": "Vpc",
        "PhysicalResourceId": "vpc-1",
        "ResourceType": "AWS::EC2::VPC",
        "ResourceStatus": "CREATE_COMPLETE",
    }
    removed = _change("Remove", "Network", STACK_TYPE, PhysicalResourceId=NETWORK_ID)
    changes = _read({"root": [removed]}, resources={NETWORK_ID: [deployed]})
    assert [(c.action, c.physical_id) for c in changes.removed] == [("Remove", "vpc-1")]


def test_the_drawn_plan_warns_of_replacement_and_removal() -> None:
    changes = _read(
        {
            "root": [
                _change("Add", "Topic", "AWS::SNS::Topic"),
                _change("Modify", "Bucket1A2B", "AWS::S3::Bucket", Replacement="False", Details=[_detail("Tags")]),
                _change("Modify", "Queue", "AWS::SQS::Queue", Replacement="True", Details=[_detail("QueueName")]),
                _change("Remove", "Key", "AWS::KMS::Key", PolicyAction="Retain"),
                _change("Remove", "Rule", "AWS::Events::Rule", PolicyAction="Delete"),
            ]
        }
    )
    assert change_lines(changes) == [
        "platform",
        "  - Key  (AWS::KMS::Key)  leaves the stack, stays in the account",
        "  ~ Queue  (AWS::SQS::Queue)  QueueName  REPLACED: a new one is created, the old is deleted",
        "  - Rule  (AWS::Events::Rule)  DELETED",
        "  ~ Storage/Bucket  (AWS::S3::Bucket)  Tags",
        "  + Topic  (AWS::SNS::Topic)",
        "",
        "platform: 1 to add, 1 to modify, 1 to replace, 2 to remove",
    ]
