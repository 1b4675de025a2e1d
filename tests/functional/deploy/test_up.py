"""`up` and `diff` against a running twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.functional.deploy.platforms import (
    ALLOWED,
    Recorder,
    broken,
    clients_of,
    platform,
    slow,
    storage,
    topic,
)
from trainworks.deploy import deployer, teardown
from trainworks.deploy.changes import Replacement
from trainworks.deploy.clients import Clients
from trainworks.deploy.follow import LOCAL_PACING, StackMonitor
from trainworks.deploy.plan import UpOptions
from trainworks.deploy.progress import Progress, ResourceProgress
from trainworks.deploy.stacks import describe_stack
from trainworks.deploy.status import status
from trainworks.errors import CheckError, DeployError, DeployInterruptedError, RequestError
from trainworks.testing import TestTwin


@pytest.fixture
def name() -> str:
    return f"platform-{uuid4().hex[:8]}"


@pytest.fixture
def clients(twin: TestTwin) -> Clients:
    return clients_of(twin)


def test_the_first_up_creates_everything_and_the_second_does_nothing(
    name: str, clients: Clients, tmp_path: Path
) -> None:
    deployment = platform(tmp_path, name, {"Storage": storage(name), "Monitoring": topic()}, tags={"Project": "t"})
    first = Recorder()
    created = deployer.up(deployment, clients, first.monitor, ALLOWED)
    assert (created.changed, created.status) == (True, "CREATE_COMPLETE")
    assert created.outputs == {"StorageBucketName": name}
    assert ("Storage/Models", "CREATE_COMPLETE") in first.resources
    assert len(first.resources) == len(set(first.resources))
    assert first.resources[-1] == (name, "CREATE_COMPLETE")

    second = Recorder()
    again = deployer.up(deployment, clients, second.monitor, ALLOWED)
    assert (again.changed, again.outputs) == (False, created.outputs)
    assert second.told == []
    assert deployer.diff(deployment, clients, second.monitor) is None


def test_an_update_changes_in_place_and_by_replacement(name: str, clients: Clients, tmp_path: Path) -> None:
    before = {"Storage": storage(name), "Monitoring": topic(f"{name}-a", "old")}
    after = {"Storage": storage(name, Tags=[{"Key": "Team", "Value": "ml"}]), "Monitoring": topic(f"{name}-b", "new")}
    deployer.up(platform(tmp_path, name, before), clients, Recorder().monitor, ALLOWED)

    deployment = platform(tmp_path, name, after)
    planned = deployer.diff(deployment, clients, Recorder().monitor)
    assert planned is not None
    changes = {change.place: change for change in planned.walk()}
    assert set(changes) == {"Storage/Models", "Monitoring/Alarms"}
    assert changes["Storage/Models"].properties == ("Tags",)
    assert changes["Storage/Models"].replacement is Replacement.FALSE
    assert changes["Monitoring/Alarms"].properties == ("DisplayName", "TopicName")
    assert changes["Monitoring/Alarms"].replacement is Replacement.TRUE
    left = clients.cloudformation.list_change_sets(StackName=name)["Summaries"]
    assert [change_set for change_set in left if change_set["ExecutionStatus"] == "AVAILABLE"] == []

    recorder = Recorder()
    updated = deployer.up(deployment, clients, recorder.monitor, ALLOWED)
    assert (updated.status, updated.changes) == ("UPDATE_COMPLETE", planned)
    assert ("Monitoring/Alarms", "UPDATE_COMPLETE") in recorder.resources
    tags = clients.s3.get_bucket_tagging(Bucket=name)["TagSet"]
    assert {"Key": "Team", "Value": "ml"} in tags


def test_a_removed_nested_stack_is_listed_with_what_goes(name: str, clients: Clients, tmp_path: Path) -> None:
    deployer.up(
        platform(tmp_path, name, {"Storage": storage(name), "Monitoring": topic()}),
        clients,
        Recorder().monitor,
        ALLOWED,
    )
    planned = deployer.diff(platform(tmp_path, name, {"Storage": storage(name)}), clients, Recorder().monitor)
    assert planned is not None
    assert [(change.action, change.place) for change in planned.removed] == [("Remove", "Monitoring/Alarms")]


def test_changes_that_nobody_approves_are_not_made(name: str, clients: Clients, tmp_path: Path) -> None:
    deployment = platform(tmp_path, name, {"Storage": storage(name)})
    with pytest.raises(RequestError, match="not approved"):
        deployer.up(deployment, clients, Recorder().monitor, ALLOWED, approve=lambda changes: False)
    assert status(name, clients).state is None


def test_a_failed_creation_names_the_first_cause_and_the_next_up_recovers(
    name: str, clients: Clients, tmp_path: Path
) -> None:
    failing = platform(tmp_path, name, {"Storage": storage(name), "Serving": broken()})
    with pytest.raises(DeployError) as failed:
        deployer.up(failing, clients, Recorder().monitor, ALLOWED)
    assert "Serving/Approval (AWS::CloudFormation::WaitCondition Approval): CREATE_FAILED" in failed.value.message
    assert "timed out" in failed.value.message
    described = status(name, clients)
    assert described.state is not None
    assert described.state.status == "ROLLBACK_COMPLETE"
    assert described.cause is not None
    assert described.cause.place == "Serving/Approval"
    assert "trainworks up" in described.way_out

    recorder = Recorder()
    fixed = deployer.up(platform(tmp_path, name, {"Storage": storage(name)}), clients, recorder.monitor, ALLOWED)
    assert fixed.status == "CREATE_COMPLETE"
    assert any("rolled back" in notice for notice in recorder.notices)


def test_a_failed_update_is_rolled_back_and_the_platform_stays(name: str, clients: Clients, tmp_path: Path) -> None:
    working = platform(tmp_path, name, {"Storage": storage(name)})
    deployer.up(working, clients, Recorder().monitor, ALLOWED)
    failing = platform(
        tmp_path, name, {"Storage": storage(name, Tags=[{"Key": "a", "Value": "b"}]), "Serving": broken()}
    )
    with pytest.raises(DeployError, match="Serving/Approval") as failed:
        deployer.up(failing, clients, Recorder().monitor, ALLOWED)
    assert "UPDATE_ROLLBACK_COMPLETE" in failed.value.message
    again = deployer.up(working, clients, Recorder().monitor, ALLOWED)
    assert (again.changed, again.outputs) == (False, {"StorageBucketName": name})


def test_the_first_cause_inside_of_an_updated_nested_stack_is_found(
    name: str, clients: Clients, tmp_path: Path
) -> None:
    deployer.up(platform(tmp_path, name, {"Serving": topic()}), clients, Recorder().monitor, ALLOWED)
    recorder = Recorder()
    with pytest.raises(DeployError, match=r"First cause:\n  Serving/Approval"):
        deployer.up(platform(tmp_path, name, {"Serving": broken()}), clients, recorder.monitor, ALLOWED)


def test_an_interrupted_up_is_taken_up_by_the_next_one(name: str, clients: Clients, tmp_path: Path) -> None:
    deployment = platform(tmp_path, name, {"Storage": storage(name)}, root=slow())

    def interrupt(progress: Progress) -> None:
        if isinstance(progress, ResourceProgress) and progress.place == "Gate":
            raise KeyboardInterrupt

    with pytest.raises(DeployInterruptedError):
        deployer.up(deployment, clients, StackMonitor(interrupt, LOCAL_PACING), ALLOWED)
    described = status(name, clients).state
    assert described is not None
    assert described.status == "CREATE_IN_PROGRESS"

    recorder = Recorder()

    def open_the_gate(progress: Progress) -> None:
        recorder.told.append(progress)
        if isinstance(progress, ResourceProgress) and (progress.place, progress.status) == (
            "Gate",
            "CREATE_IN_PROGRESS",
        ):
            clients.cloudformation.signal_resource(
                StackName=name, LogicalResourceId="Gate", UniqueId="test", Status="SUCCESS"
            )

    result = deployer.up(deployment, clients, StackMonitor(open_the_gate, LOCAL_PACING), ALLOWED)
    assert (result.status, result.changed) == ("CREATE_COMPLETE", False)
    assert any("following that operation" in notice for notice in recorder.notices)
    assert recorder.resources[-1] == (name, "CREATE_COMPLETE")


def test_a_missing_bootstrap_is_an_error_with_its_fix(twin: TestTwin, name: str, tmp_path: Path) -> None:
    def elsewhere(service_name: str) -> Any:
        session = twin.session()
        options: dict[str, Any] = {"region_name": "eu-west-3", "endpoint_url": twin.endpoint_url}
        return session.client(service_name, **options)  # type: ignore[call-overload]

    deployment = platform(tmp_path, name, {"Storage": storage(name)}, region="eu-west-3")
    with pytest.raises(RequestError, match="cdk-hnb659fds-assets-000000000000-eu-west-3") as refused:
        deployer.up(deployment, Clients(elsewhere), Recorder().monitor)
    assert "cdk bootstrap" in refused.value.fix


def test_what_is_left_of_a_change_set_that_was_never_executed_is_removed(
    name: str, clients: Clients, tmp_path: Path
) -> None:
    clients.cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="left-over",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    recorder = Recorder()
    result = deployer.up(platform(tmp_path, name, {"Storage": storage(name)}), clients, recorder.monitor, ALLOWED)
    assert result.status == "CREATE_COMPLETE"
    assert any("never executed" in notice for notice in recorder.notices)


def test_a_creation_that_failed_without_rollback_needs_recreate(name: str, clients: Clients, tmp_path: Path) -> None:
    bad = platform(tmp_path, name, {}, root=broken()["Resources"])
    clients.cloudformation.create_stack(StackName=name, TemplateBody=bad.template_body, DisableRollback=True)
    good = platform(tmp_path, name, {"Storage": storage(name)})
    with pytest.raises(DeployError, match="Approval"):
        deployer.up(good, clients, Recorder().monitor, ALLOWED)
    with pytest.raises(DeployError, match="CREATE_FAILED") as refused:
        deployer.up(good, clients, Recorder().monitor, ALLOWED)
    assert "--recreate" in refused.value.fix
    result = deployer.up(good, clients, Recorder().monitor, UpOptions(bootstrap=True, recreate=True))
    assert result.status == "CREATE_COMPLETE"


def test_termination_protection_follows_the_profile_and_stops_down(name: str, clients: Clients, tmp_path: Path) -> None:
    nested = {"Storage": storage(name)}
    protected = platform(tmp_path, name, nested, termination_protection=True)
    deployer.up(protected, clients, Recorder().monitor, ALLOWED)
    with pytest.raises(RequestError, match="termination protection"):
        teardown.down(name, clients, Recorder().monitor)
    deployer.up(platform(tmp_path, name, nested), clients, Recorder().monitor, ALLOWED)
    assert teardown.down(name, clients, Recorder().monitor).existed


def test_a_rollback_that_failed_is_continued_when_asked(
    twin: TestTwin, name: str, clients: Clients, tmp_path: Path
) -> None:
    """The resource that the rollback wants to change back was deleted by somebody in the middle of the update."""
    config_type = "AWS::SageMaker::NotebookInstanceLifecycleConfig"

    def config(content: str) -> dict[str, Any]:
        properties = {"NotebookInstanceLifecycleConfigName": name, "OnStart": [{"Content": content}]}
        return {"Config": {"Type": config_type, "Properties": properties}}

    def lose_the_config(progress: Progress) -> None:
        if isinstance(progress, ResourceProgress) and progress.place == "Gate" and not deleted:
            deleted.append(name)
            sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)

    deleted: list[str] = []
    sagemaker = twin.client("sagemaker")
    gate = {"Gate": {**broken()["Resources"]["Approval"], "DependsOn": "Config"}}
    working = platform(tmp_path, name, {}, root=config("b25l"))
    deployer.up(working, clients, Recorder().monitor, ALLOWED)
    failing = platform(tmp_path, name, {}, root=config("dHdv") | gate)
    with pytest.raises(DeployError, match="First cause:\n  Gate") as failed:
        deployer.up(failing, clients, StackMonitor(lose_the_config, LOCAL_PACING), ALLOWED)
    assert "UPDATE_ROLLBACK_FAILED" in failed.value.message
    assert "also: Config" in failed.value.message

    with pytest.raises(DeployError, match="UPDATE_ROLLBACK_FAILED") as refused:
        deployer.up(working, clients, Recorder().monitor, ALLOWED)
    assert "--continue-rollback" in refused.value.fix
    allowed = UpOptions(bootstrap=True, continue_rollback=True, skip_resources=("Config",))
    recovered = deployer.up(working, clients, Recorder().monitor, allowed)
    assert recovered.status == "UPDATE_ROLLBACK_COMPLETE"


def test_what_the_gate_refuses_is_not_even_uploaded(name: str, clients: Clients, tmp_path: Path) -> None:
    deployment = platform(tmp_path, name, {"Storage": storage(name)})

    def refuse() -> None:
        raise CheckError("1 error in the templates")

    recorder = Recorder()
    with pytest.raises(CheckError):
        deployer.up(deployment, clients, recorder.monitor, ALLOWED, gate=refuse)
    assert recorder.told == []
    assert describe_stack(clients.cloudformation, name) is None
    deployer.up(deployment, clients, recorder.monitor, ALLOWED)
    assert not deployer.up(deployment, clients, recorder.monitor, ALLOWED, gate=refuse).changed
