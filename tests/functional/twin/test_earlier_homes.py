"""A home that an earlier version has made is taken over whole."""

from __future__ import annotations

import json
import sqlite3

import pytest
from tests.functional.twin.iam import ACCOUNT
from tests.unit.twin.recorded.earlier_home import EARLIER_TABLES

from trainworks.testing import TestTwin

SAGEMAKER = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
MONITOR, SUBSCRIPTION = (f"arn:aws:ce::{ACCOUNT}:{kind}/1-2" for kind in ("anomalymonitor", "anomalysubscription"))
CONFIG = {"NotebookInstanceLifecycleConfigName": "Stop", "OnStart": [{"Content": "ZWNobw=="}]}
INSTANCE = {
    "NotebookInstanceName": "Mine",
    "InstanceType": "ml.t3.medium",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
    "LifecycleConfigName": "Stop",
    "Tags": [{"Key": "team", "Value": "ml"}],
    "NotebookInstanceStatus": "InService",
}
BY_DIMENSION = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
TOLD = {
    "SubscriptionName": "s", "MonitorArnList": [MONITOR], "Frequency": "DAILY",
    "Subscribers": [{"Type": "EMAIL", "Address": "a@example.org"}],
}  # fmt: skip


def stack_of_a_cluster(twin: TestTwin, version: str) -> str:
    """The ARN that the stack gives of its cluster, which the twin records, once it is made or updated."""
    cloudformation = twin.client("cloudformation")
    properties = {"Name": "c", "RoleArn": "r", "ResourcesVpcConfig": {"SubnetIds": ["s"]}, "Version": version}
    template = {
        "Resources": {"Cluster": {"Type": "AWS::EKS::Cluster", "Properties": properties}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}}},
    }
    is_there = bool(cloudformation.describe_stacks()["Stacks"])
    put = cloudformation.update_stack if is_there else cloudformation.create_stack
    put(StackName="cluster", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_update_complete" if is_there else "stack_create_complete").wait(
        StackName="cluster", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200}
    )
    [output] = cloudformation.describe_stacks(StackName="cluster")["Stacks"][0]["Outputs"]
    return str(output["OutputValue"])


def as_an_earlier_version_left_it(database: sqlite3.Connection) -> None:
    """Tables and rows as they were; what stacks have recorded is moved back."""
    database.executescript(EARLIER_TABLES)
    database.executescript(f"""
        INSERT INTO recorded_resources
        SELECT '{ACCOUNT}', 'us-east-1', kind, name,
            json_extract(spec, '$.properties'), json_extract(spec, '$.attributes')
        FROM recorded WHERE kind LIKE 'AWS::%';
        DROP TABLE recorded;
        DROP TABLE resource_tag;
    """)
    for kind, name, spec in (
        ("notebook-instance", "Mine", INSTANCE),
        ("notebook-instance-lifecycle-config", "Stop", CONFIG),
    ):
        row = (f"{SAGEMAKER}:{kind}/{name.lower()}", kind, name, 1000.0, 2000.0, json.dumps(spec))
        database.execute("INSERT INTO sagemaker_notebook VALUES (?, ?, ?, ?, ?, ?)", row)
    for arn, kind, spec, tags in (
        (MONITOR, "anomalymonitor", BY_DIMENSION, {"a": "1"}),
        (SUBSCRIPTION, "anomalysubscription", TOLD, {}),
    ):
        row = (arn, kind, 1000.0, json.dumps(spec), json.dumps(tags))
        database.execute("INSERT INTO cost_anomaly VALUES (?, ?, ?, ?, ?)", row)
    database.commit()


def test_what_earlier_versions_recorded_elsewhere_is_there_with_its_tags(own_twin: TestTwin) -> None:
    cluster = stack_of_a_cluster(own_twin, "1.29")
    own_twin.kill()
    with sqlite3.connect(own_twin.home.twin_db) as database:
        as_an_earlier_version_left_it(database)
    database.close()
    own_twin.start()
    sagemaker, ce = own_twin.client("sagemaker"), own_twin.client("ce")
    shown = sagemaker.describe_notebook_instance(NotebookInstanceName="Mine")
    assert (shown["NotebookInstanceStatus"], shown["CreationTime"].timestamp()) == ("InService", 1000.0)
    assert (shown["LastModifiedTime"].timestamp(), shown["NotebookInstanceLifecycleConfigName"]) == (2000.0, "Stop")
    assert sagemaker.list_tags(ResourceArn=shown["NotebookInstanceArn"])["Tags"] == INSTANCE["Tags"]
    sagemaker.stop_notebook_instance(NotebookInstanceName="Mine")
    [listed] = sagemaker.list_notebook_instance_lifecycle_configs()["NotebookInstanceLifecycleConfigs"]
    config = sagemaker.describe_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=listed["NotebookInstanceLifecycleConfigName"]
    )
    assert config["OnStart"] == CONFIG["OnStart"]
    [monitor] = ce.get_anomaly_monitors()["AnomalyMonitors"]
    assert (monitor["MonitorArn"], monitor["MonitorName"]) == (MONITOR, "m")
    [subscription] = ce.get_anomaly_subscriptions(MonitorArn=MONITOR)["AnomalySubscriptions"]
    assert subscription["SubscriptionArn"] == SUBSCRIPTION
    assert ce.list_tags_for_resource(ResourceArn=MONITOR)["ResourceTags"] == [{"Key": "a", "Value": "1"}]
    with pytest.raises(ce.exceptions.LimitExceededException):
        ce.create_anomaly_monitor(AnomalyMonitor=BY_DIMENSION)
    assert stack_of_a_cluster(own_twin, "1.30") == cluster
    own_twin.kill()
    own_twin.start()
    assert own_twin.client("ce").get_anomaly_monitors()["AnomalyMonitors"] == [monitor]
