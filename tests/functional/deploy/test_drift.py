"""What is changed behind CloudFormation's back on a deployed platform is found, property by property."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.functional.deploy.platforms import ALLOWED, Recorder, clients_of
from trainworks.assembly import SynthRequest, synthesize
from trainworks.cli.drift_view import drift_text
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.deploy.deployer import up
from trainworks.deploy.deployment import Deployment, deployment_of
from trainworks.deploy.drift import DriftReport, detect_drift
from trainworks.deploy.inventory import DeployedResource, take_inventory
from trainworks.testing import TestTwin

ACCOUNT, REGION = "000000000000", "us-east-1"


@pytest.fixture(scope="module")
def deployed(twin: TestTwin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    request = SynthRequest(f"drift{secrets.token_hex(3)}", PROFILES[ProfileName.STAGING], ACCOUNT, REGION)
    assembly = synthesize(request, tmp_path_factory.mktemp("assemblies"))
    deployment = deployment_of(assembly, account_id=ACCOUNT, region=REGION)
    up(deployment, clients_of(twin), Recorder().monitor, ALLOWED)
    yield deployment


def detected(twin: TestTwin, deployment: Deployment) -> DriftReport:
    report = detect_drift(deployment.stack_name, clients_of(twin), Recorder().monitor, deployment.places)
    assert report is not None
    return report


Change = Callable[[Callable[[str], Any], str], None]


def open_the_group(client: Callable[[str], Any], group_id: str) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    client("ec2").authorize_security_group_egress(GroupId=group_id, IpPermissions=[rule])


def widen_the_role(client: Callable[[str], Any], role_name: str) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName=role_name, PolicyName="ByHand", PolicyDocument=document)


def keep_logs_for_ever(client: Callable[[str], Any], group_name: str) -> None:
    client("logs").delete_retention_policy(logGroupName=group_name)


def raise_the_threshold(client: Callable[[str], Any], alarm_name: str) -> None:
    cloudwatch = client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[alarm_name])["MetricAlarms"]
    names = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods",
             "ComparisonOperator", "TreatMissingData", "AlarmActions")  # fmt: skip
    cloudwatch.put_metric_alarm(**{name: alarm[name] for name in names}, Threshold=1000.0)


def drop_the_target(client: Callable[[str], Any], rule_name: str) -> None:
    targets = client("events").list_targets_by_rule(Rule=rule_name)["Targets"]
    client("events").remove_targets(Rule=rule_name, Ids=[target["Id"] for target in targets])


def disable_the_queue(client: Callable[[str], Any], queue_arn: str) -> None:
    client("batch").update_job_queue(jobQueue=queue_arn, state="DISABLED")


def stop_the_rotation(client: Callable[[str], Any], key_id: str) -> None:
    client("kms").disable_key_rotation(KeyId=key_id)


def drop_the_policy(client: Callable[[str], Any], bucket_name: str) -> None:
    client("s3").delete_bucket_policy(Bucket=bucket_name)


def stop_the_versions(client: Callable[[str], Any], bucket_name: str) -> None:
    client("s3").put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Suspended"})


CHANGES: tuple[tuple[str, str, Change, str, str], ...] = (
    ("Training/TrainingSecurityGroup", "AWS::EC2::SecurityGroup", open_the_group, "MODIFIED", "/SecurityGroupEgress"),
    ("Training/TrainingRole", "AWS::IAM::Role", widen_the_role, "MODIFIED", "/Policies"),
    ("Batch/LogGroup", "AWS::Logs::LogGroup", keep_logs_for_ever, "MODIFIED", "/RetentionInDays"),
    ("Monitoring/TrainingJob/Failed/Alarm", "AWS::CloudWatch::Alarm", raise_the_threshold, "MODIFIED", "/Threshold"),
    ("Monitoring/TrainingJob/Failed/Rule", "AWS::Events::Rule", drop_the_target, "MODIFIED", "/Targets"),
    ("Batch/JobQueue", "AWS::Batch::JobQueue", disable_the_queue, "MODIFIED", "/State"),
    ("Storage/DataKey", "AWS::KMS::Key", stop_the_rotation, "MODIFIED", "/EnableKeyRotation"),
    ("Storage/ModelBucket/Policy", "AWS::S3::BucketPolicy", drop_the_policy, "DELETED", ""),
    ("Storage/DatasetBucket", "AWS::S3::Bucket", stop_the_versions, "MODIFIED", "/VersioningConfiguration"),
)


def _place(deployed: Deployment, resource: DeployedResource) -> str:
    return deployed.places.resource(resource.stack_path, resource.logical_id)


def test_every_change_by_hand_is_found_and_nothing_else(twin: TestTwin, deployed: Deployment) -> None:
    before = detected(twin, deployed)
    assert (before.drifted, before.failures) == ((), ())
    assert before.checked > 40

    client = clients_of(twin).cloudformation
    state = client.describe_stacks(StackName=deployed.stack_name)["Stacks"][0]
    inventory = take_inventory(client, deployed.stack_name, state["StackId"])
    physical_ids = {(_place(deployed, each), each.resource_type): each.physical_id for each in inventory.resources}
    expected = {}
    for place, resource_type, change, status, path in CHANGES:
        (full,) = [each for each, type_ in physical_ids if type_ == resource_type and each.startswith(place)]
        # A bucket's policy has an id of its own; what is deleted is named by the bucket.
        named_by = (full.removesuffix("/Policy"), "AWS::S3::Bucket") if "Policy" in full else (full, resource_type)
        change(twin.client, physical_ids[named_by])
        expected[full] = (status, path)

    after = detected(twin, deployed)
    found = {
        drift.place: (drift.status, "/" + drift.differences[0].path.split("/")[1] if drift.differences else "")
        for drift in after.drifted
    }
    assert found == expected
    said = drift_text(after).plain
    assert "RetentionInDays: removed 30" in said
    assert "State: ENABLED -> DISABLED" in said
    assert all(place in said for place in expected)


def test_what_is_not_deployed_has_no_drift(twin: TestTwin, deployed: Deployment) -> None:
    assert detect_drift("trainworks-nowhere", clients_of(twin), Recorder().monitor, deployed.places) is None
