"""What changes from one template to another, on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainworks.assembly.schemas import schema
from trainworks.cli.main import main

OLD: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "String", "Default": "ml.m5.large"}},
    "Conditions": {"Always": {"Fn::Equals": ["a", "a"]}},
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "one"}, "UpdateReplacePolicy": "Retain"},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Notebook": {
            "Type": "AWS::SageMaker::NotebookInstance",
            "Properties": {"InstanceType": {"Ref": "Size"}, "RoleArn": "arn:aws:iam::111111111111:role/r"},
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Condition": "Always", "Metadata": {"aws:asset:path": "a"}},
    },
}


def changed(**resources: Any) -> dict[str, Any]:
    """`OLD` with other resources; None takes one away."""
    new: dict[str, Any] = json.loads(json.dumps(OLD))
    for name, body in resources.items():
        if body is None:
            del new["Resources"][name]
        else:
            new["Resources"].setdefault(name, {}).update(body)
    return new


def diff(folder: Path, capsys: pytest.CaptureFixture[str], new: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """(exit code, what is printed as JSON)."""
    for name, template in (("old", OLD), ("new", new)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(template))
    code = run("diff", "--template", folder / "old.yaml", folder / "new.yaml", "--exit-code", "-o", "json")
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, record


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as request:
        main([str(each) for each in arguments])
    assert isinstance(request.value.code, int)
    return request.value.code


def told(record: dict[str, Any]) -> set[tuple[str, str, str, tuple[str, ...]]]:
    return {(c["action"], c["place"], c["replacement"], tuple(c["properties"])) for c in record["changes"]}


def test_templates_that_say_the_same_do_not_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = changed(
        Queue={"Metadata": {"aws:asset:path": "elsewhere"}}, Bucket={"Properties": {"BucketName": {"Fn::Sub": "one"}}}
    )
    assert diff(tmp_path, capsys, new)[0] == 0


def test_what_is_added_removed_replaced_and_what_follows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = changed(Bucket={"Properties": {"BucketName": "two"}}, Queue=None, Topic={"Type": "AWS::SNS::Topic"})
    new["Parameters"]["Size"]["Default"] = "ml.m5.xlarge"
    code, record = diff(tmp_path, capsys, new)
    assert code == 1
    assert told(record) == {
        ("Modify", "Bucket", "True", ("BucketName",)),
        ("Modify", "BucketPolicy", "True", ("Bucket",)),
        ("Modify", "Notebook", "False", ("InstanceType",)),
        ("Remove", "Queue", "False", ()),
        ("Add", "Topic", "False", ()),
    }
    assert next(c for c in record["changes"] if c["place"] == "Bucket")["retained"]


def test_a_condition_that_turns_takes_its_resource_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = changed() | {"Conditions": {"Always": {"Fn::Equals": ["a", "b"]}}}
    assert told(diff(tmp_path, capsys, new)[1]) == {("Remove", "Queue", "False", ())}


@pytest.mark.parametrize(("part", "replacement"), [("IpFamily", "True"), ("ElasticLoadBalancing", "False")])
def test_a_part_of_a_property_replaces_only_where_the_schema_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, replacement: str
) -> None:
    for name, value in (("old", "a"), ("new", "b")):
        network = {"IpFamily": "ipv4", "ElasticLoadBalancing": {"Enabled": True}} | {part: value}
        cluster = {"Type": "AWS::EKS::Cluster", "Properties": {"RoleArn": "r", "KubernetesNetworkConfig": network}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"Resources": {"Cluster": cluster}}))
    run("diff", "--template", tmp_path / "old.json", tmp_path / "new.json", "-o", "json")
    found = told(json.loads(capsys.readouterr().out))
    assert found == {("Modify", "Cluster", replacement, ("KubernetesNetworkConfig",))}


def test_a_reference_to_what_is_replaced_may_replace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}}}
    for name, block in (("old", "10.0.0.0/16"), ("new", "10.1.0.0/16")):
        template = {"Resources": {"Vpc": {**vpc, "Properties": {"CidrBlock": block}}, "Group": group}}
        (tmp_path / f"{name}.json").write_text(json.dumps(template))
    assert run("diff", "--template", tmp_path / "old.json", tmp_path / "new.json", "-o", "json") == 0
    assert told(json.loads(capsys.readouterr().out)) == {
        ("Modify", "Vpc", "True", ("CidrBlock",)),
        ("Modify", "Group", "Conditional", ("VpcId",)),
    }


def between(
    folder: Path, capsys: pytest.CaptureFixture[str], old: dict[str, Any], new: dict[str, Any]
) -> list[dict[str, Any]]:
    """The changes from one set of resources to another."""
    for name, resources in (("old", old), ("new", new)):
        (folder / f"{name}.json").write_text(json.dumps({"Resources": resources}))
    run("diff", "--template", folder / "old.json", folder / "new.json", "-o", "json")
    changes: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["changes"]
    return changes


CONDITIONAL = [
    (name, path)
    for name in (
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::Batch::ComputeEnvironment",
        "AWS::DynamoDB::Table",
        "AWS::EC2::Instance",
        "AWS::ECS::Service",
        "AWS::Lambda::Function",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBInstance",
        "AWS::SageMaker::Domain",
        "AWS::SageMaker::MlflowTrackingServer",
    )
    if (found := schema(name))
    for path in found.may_replace
]


@pytest.mark.parametrize("fixed", [False, True], ids=["alone", "beside what is fixed"])
def test_what_replaces_under_conditions_may_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fixed: bool
) -> None:
    sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    expected = {}
    for number, (type_name, path) in enumerate(CONDITIONAL):
        known = schema(type_name)
        always = [each for each in known.create_only if len(each) == 1 and each[0] != path[0]] if known else []
        for side, text in zip(sides, ("a", "b"), strict=True):
            value: Any = text
            for part in reversed(path):
                value = {part: value}
            side[f"R{number}"] = {"Type": type_name, "Properties": value}
            if fixed and always:
                value[always[0][0]] = text
        expected[f"R{number}"] = "True" if fixed and always else "Conditional"
    found = {each["place"]: each["replacement"] for each in between(tmp_path, capsys, *sides)}
    assert len(expected) > 50
    assert found == expected


@pytest.mark.parametrize("nested", [None, "old", "new"])
def test_another_type_under_a_logical_id_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nested: str | None
) -> None:
    inner = tmp_path / "inner.json"
    inner.write_text(json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}))
    stack = {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": "inner.json"}}
    stack["Properties"] = {"TemplateURL": "inner.json"}
    topic, queue = {"Type": "AWS::SNS::Topic"}, {"Type": "AWS::SQS::Queue"}
    old, new = (stack if nested == "old" else topic), (stack if nested == "new" else queue)
    user = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "X"}}}
    changes = {
        each["logical_id"]: each for each in between(tmp_path, capsys, {"X": old, "U": user}, {"X": new, "U": user})
    }
    assert changes["X"]["action"] == "Modify"
    assert changes["X"]["refused"] == (
        "Update of resource type is not permitted. The new template modifies resource type of the following "
        "resources: [X]"
    )
    run("diff", "--template", tmp_path / "old.json", tmp_path / "new.json")
    told = " ".join(capsys.readouterr().out.split())
    assert "REFUSED: Update of resource type is not permitted" in told
    assert "1 that CloudFormation refuses" in told
    assert "to replace" not in told


def test_what_the_transform_makes_of_a_type_is_no_other_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serverless, plain = {"Type": "AWS::Serverless::Function"}, {"Type": "AWS::Lambda::Function"}
    (change,) = between(tmp_path, capsys, {"X": serverless}, {"X": plain})
    assert (change["replacement"], change["refused"]) == ("Conditional", "")


@pytest.mark.parametrize("missing", ["old.yaml", "new.yaml"])
def test_a_failure_is_told_apart_from_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    diff(tmp_path, capsys, changed())
    (tmp_path / missing).unlink()
    assert run("diff", "--template", tmp_path / "old.yaml", tmp_path / "new.yaml", "--exit-code") == 2
    assert f"{missing}: does not exist" in capsys.readouterr().err.replace("\n", "")
